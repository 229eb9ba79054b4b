/** Records from JSON Lines: one JSON value a line, read line by line. Blank lines are skipped, but counted. */
import { InputError } from "../native/errors";
import { FORM } from "./preferenceRow";
import { type Source, decodeText, excerpt, readPieces } from "./source";

const NEWLINE = 10;

/** `form` says in errors what a row looks like. */
export async function* readJsonLines(file: string, form = FORM): Source {
  let number = 0;
  for await (const line of lines(file)) {
    const place = `'${file}', line ${++number}`;
    const text = decodeText(line, place);
    if (text.trim() !== "") yield { value: parseLine(text, place, form), place };
  }
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

/** The bytes of each line, without the newline; a piece's memory is shared, so each is for the next step only. */
async function* lines(file: string): AsyncGenerator<Uint8Array> {
  let begun: Buffer[] = [];
  for await (const piece of readPieces(file)) {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const rest = piece.subarray(start, end);
      yield begun.length > 0 ? Buffer.concat([...begun, rest]) : rest;
      begun = [];
      start = end + 1;
    }
    if (start < piece.length) begun.push(piece.subarray(start));
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}
