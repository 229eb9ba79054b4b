/**
 * A JSON list piece by piece: the bytes of one element at a time, so that a list of any length needs the memory of its
 * longest element. Only strings and brackets are told apart here; each element is parsed by who asks for it.
 */
import { InputError } from "../native/errors";

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = [34, 92, 44, 91, 93, 123, 125];

/** JSON's white space. */
const isBlank = (byte: number): boolean => byte === 32 || byte === 10 || byte === 13 || byte === 9;

/**
 * The elements of the list that the pieces hold together. The bytes of an element share the piece's memory: each is for
 * the next step only.
 */
export async function* listElements(pieces: AsyncIterable<Buffer>, file: string): AsyncGenerator<Uint8Array> {
  let depth = 0; // of brackets around: 1 between the elements
  let inString = false;
  let escaped = false; // the piece before ended with a backslash in a string
  let isDone = false;
  let count = 0;
  let begun: Buffer[] = []; // of the element at hand, from the pieces before
  const fault = (what: string) => new InputError(`Expected JSON in '${file}', but found ${what}.`);

  for await (const piece of pieces) {
    const { length } = piece;
    let start = 0; // of the element at hand, in this piece
    let i = 0;
    if (escaped) {
      i = 1;
      escaped = false;
    }
    while (i < length) {
      if (inString) {
        const quote = piece.indexOf(QUOTE, i);
        const end = quote < 0 ? length : quote;
        let backslashes = 0; // right before it: an odd number escapes what follows
        while (end - backslashes > i && piece[end - backslashes - 1] === BACKSLASH) backslashes++;
        const isEscaped = backslashes % 2 === 1;
        if (quote < 0) escaped = isEscaped;
        else inString = isEscaped;
        i = end + 1;
        continue;
      }
      const byte = piece[i]!;
      if (isDone) {
        if (!isBlank(byte)) throw fault(`more after the end of the list (${count} rows)`);
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN || byte === OPEN_BRACE) {
        if (++depth === 1) start = i + 1; // the list itself
      } else if (depth === 1 && (byte === COMMA || byte === CLOSE)) {
        const rest = piece.subarray(start, i);
        const element = begun.length > 0 ? Buffer.concat([...begun, rest]) : rest;
        begun = [];
        start = i + 1;
        isDone = byte === CLOSE;
        if (!isDone || count > 0 || !element.every(isBlank)) {
          count++;
          yield element;
        }
      } else if (depth > 1 && (byte === CLOSE || byte === CLOSE_BRACE)) depth--;
      i++;
    }
    if (depth > 0 && !isDone && start < length) begun.push(piece.subarray(start));
  }
  if (!isDone) throw fault(`that it ends within row ${count} (counted from 0)`);
}
