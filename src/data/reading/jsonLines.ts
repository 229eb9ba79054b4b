/** Records from JSON Lines: one JSON value a line, read line by line. Blank lines are skipped, but counted. */
import { expectShallow } from "../../base/files/inputFiles";
import { parseJsonText } from "../../base/formats/pythonJson";
import { printable } from "../../base/terminal/terminal";
import { excerpt } from "../../base/values";
import { InputError } from "../../base/errors";
import { parseExact } from "../../text/exactNumbers";
import { FORM } from "../rows/preferenceRow";
import { MAX_RECORD, type Source, type SourceRecord, decodeText, readPieces, tooLong } from "./source";

const NEWLINE = 10;

/** `form` says in errors what a row looks like. */
export async function* readJsonLines(file: string, form = FORM): Source {
  let number = 0;
  let blank = 0; // bytes since the last record
  const placeOf = () => `'${file}', line ${number + 1}`; // of the line that comes next
  const recordsOf = function* (found: Iterable<Uint8Array>): Generator<SourceRecord> {
    for (const line of found) {
      const place = placeOf();
      number++;
      if (!isBlank(line, place)) {
        blank = 0;
        yield new JsonRecord(line, place, form);
      } else if ((blank += line.length + 1) > MAX_RECORD) throw tooLong(place, "blank lines", MAX_RECORD);
    }
  };
  for await (const found of lines(file, placeOf)) yield recordsOf(found);
}

/** A record in JSON, parsed when its value is first asked for. */
export class JsonRecord implements SourceRecord {
  private parsed: unknown;

  constructor(
    private readonly bytes: Uint8Array,
    readonly place: string,
    private readonly form: string,
  ) {}

  get value(): unknown {
    return (this.parsed ??= parseLine(decodeText(this.bytes, this.place), this.place, this.form));
  }

  exact(): unknown {
    return parseExact(decodeText(this.bytes, this.place), this.place);
  }
}

function isBlank(line: Uint8Array, place: string): boolean {
  const first = line[0];
  if (first === undefined) return true;
  if (first > 32 && first < 128) return false; // nearly always: the rest need not be looked at
  return decodeText(line, place).trim() === "";
}

/** The JSON of one line; NaN and Infinity are numbers, as in Python. */
export function parseLine(line: string, place: string, form = FORM): unknown {
  let value: unknown;
  try {
    value = parseJsonText(line);
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(`Expected JSON in ${place}, but found ${excerpt(line)} (${printable(message)}). ${form}`);
  }
  expectShallow(value, place);
  return value;
}

/** The bytes of each line, without the newline, those of a piece at a time. `place` says where the next line is. */
async function* lines(file: string, place: () => string): AsyncGenerator<Iterable<Uint8Array>> {
  let begun: Buffer[] = [];
  let size = 0; // of what has begun
  const linesOf = function* (piece: Buffer): Generator<Uint8Array> {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const rest = piece.subarray(start, end);
      const line = begun.length > 0 ? Buffer.concat([...begun, rest]) : rest;
      begun = [];
      size = 0;
      start = end + 1;
      yield line;
    }
    if (start === piece.length) return;
    begun.push(Buffer.from(piece.subarray(start)));
    if ((size += piece.length - start) > MAX_RECORD) throw tooLong(place(), "a line", MAX_RECORD);
  };
  for await (const piece of readPieces(file)) yield linesOf(piece);
  if (begun.length > 0) yield [Buffer.concat(begun)];
}
