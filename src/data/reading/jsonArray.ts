/**
 * A JSON list piece by piece: the bytes of one element at a time, so that a list of any length needs the memory of its
 * longest element. Only strings and brackets are told apart here; each element is parsed by who asks for it.
 */
import { InputError } from "../../base/errors";
import { MAX_RECORD, tooLong } from "./source";

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = [34, 92, 44, 91, 93, 123, 125];

/** JSON's white space. */
const isBlank = (byte: number): boolean => byte === 32 || byte === 10 || byte === 13 || byte === 9;

/**
 * The elements of the list that the pieces hold together: those that end in a piece at a time, each lot to be gone
 * through before the next is asked for. The bytes of an element share the piece's memory.
 */
export async function* listElements(pieces: AsyncIterable<Buffer>, file: string): AsyncGenerator<Iterable<Uint8Array>> {
  const list = new ListScanner(file);
  for await (const piece of pieces) yield list.elements(piece);
  list.expectEnd();
}

class ListScanner {
  private depth = 0; // of brackets around: 1 between the elements
  private inString = false;
  private escaped = false; // the piece before ended with a backslash in a string
  private isDone = false;
  private count = 0;
  private begun: Buffer[] = []; // of the element at hand, from the pieces before
  private size = 0; // bytes in there

  constructor(private readonly file: string) {}

  *elements(piece: Buffer): Generator<Uint8Array> {
    const { length } = piece;
    let { depth, inString } = this;
    let start = 0; // of the element at hand, in this piece
    let i = 0;
    if (this.escaped) {
      i = 1;
      this.escaped = false;
    }
    while (i < length) {
      if (inString) {
        const quote = piece.indexOf(QUOTE, i);
        const end = quote < 0 ? length : quote;
        let backslashes = 0; // right before it: an odd number escapes what follows
        while (end - backslashes > i && piece[end - backslashes - 1] === BACKSLASH) backslashes++;
        const isEscaped = backslashes % 2 === 1;
        if (quote < 0) this.escaped = isEscaped;
        else inString = isEscaped;
        i = end + 1;
        continue;
      }
      const byte = piece[i]!;
      if (this.isDone) {
        if (!isBlank(byte)) throw this.fault(`more after the end of the list (${this.count} rows)`);
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN || byte === OPEN_BRACE) {
        if (++depth === 1) start = i + 1; // the list itself
      } else if (depth === 1 && (byte === COMMA || byte === CLOSE)) {
        const rest = piece.subarray(start, i);
        const element = this.begun.length > 0 ? Buffer.concat([...this.begun, rest]) : rest;
        this.begun = [];
        this.size = 0;
        start = i + 1;
        this.isDone = byte === CLOSE;
        if (!this.isDone || this.count > 0 || !element.every(isBlank)) {
          this.count++;
          yield element;
        }
      } else if (depth > 1 && (byte === CLOSE || byte === CLOSE_BRACE)) depth--;
      i++;
    }
    if (depth > 0 && !this.isDone && start < length) {
      this.begun.push(Buffer.from(piece.subarray(start)));
      if ((this.size += length - start) > MAX_RECORD) throw tooLong(this.place(), "a row", MAX_RECORD);
    }
    [this.depth, this.inString] = [depth, inString];
  }

  expectEnd(): void {
    if (!this.isDone) throw this.fault(`that it ends within row ${this.count} (counted from 0)`);
  }

  /** The place of the current element. */
  private place(): string {
    return `'${this.file}', row ${this.count} (counted from 0)`;
  }

  private fault(what: string): InputError {
    return new InputError(`Expected JSON in '${this.file}', but found ${what}.`);
  }
}
