/** Records from JSON Lines: one JSON value a line, read line by line. Blank lines are skipped, but counted. */
import { InputError } from "../native/errors";
import { FORM } from "./preferenceRow";
import { type Source, type SourceRecord, decodeText, excerpt, readPieces } from "./source";

const NEWLINE = 10;

/** `form` says in errors what a row looks like. */
export async function* readJsonLines(file: string, form = FORM): Source {
  let number = 0;
  const recordsOf = function* (found: Iterable<Uint8Array>): Generator<SourceRecord> {
    for (const line of found) {
      const place = `'${file}', line ${++number}`;
      if (!isBlank(line, place)) yield new JsonRecord(line, place, form);
    }
  };
  for await (const found of lines(file)) yield recordsOf(found);
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
}

function isBlank(line: Uint8Array, place: string): boolean {
  const first = line[0] ?? 32;
  if (first > 32 && first < 128) return false; // nearly always: the rest need not be looked at
  return decodeText(line, place).trim() === "";
}

/** The JSON of one line. */
export function parseLine(line: string, place: string, form = FORM): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(`Expected JSON in ${place}, but found ${excerpt(line)} (${message}). ${form}`);
  }
}

/** The bytes of each line, without the newline, those of a piece at a time. */
async function* lines(file: string): AsyncGenerator<Iterable<Uint8Array>> {
  let begun: Buffer[] = [];
  const linesOf = function* (piece: Buffer): Generator<Uint8Array> {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const rest = piece.subarray(start, end);
      const line = begun.length > 0 ? Buffer.concat([...begun, rest]) : rest;
      begun = [];
      start = end + 1;
      yield line;
    }
    if (start < piece.length) begun.push(Buffer.from(piece.subarray(start)));
  };
  for await (const piece of readPieces(file)) yield linesOf(piece);
  if (begun.length > 0) yield [Buffer.concat(begun)];
}
