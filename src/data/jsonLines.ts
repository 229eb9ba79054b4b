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
      const text = decodeText(line, place);
      if (text.trim() !== "") yield { value: parseLine(text, place, form), place };
    }
  };
  for await (const found of lines(file)) yield recordsOf(found);
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
    if (start < piece.length) begun.push(piece.subarray(start));
  };
  for await (const piece of readPieces(file)) yield linesOf(piece);
  if (begun.length > 0) yield [Buffer.concat(begun)];
}
