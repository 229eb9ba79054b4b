/**
 * A JSON list piece by piece: the bytes of one element at a time, so that a list of any length needs the memory of its
 * longest element. This only tells strings from brackets; JsonRecord parses the elements.
 */
import { expected, InputError } from "../../base/errors";
import { MAX_RECORD, tooLong } from "./source";

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = [34, 92, 44, 91, 93, 123, 125];

/** JSON's white space. */
const isBlank = (byte: number): boolean => byte === 32 || byte === 10 || byte === 13 || byte === 9;

const isOpening = (byte: number): boolean => byte === OPEN || byte === OPEN_BRACE;
const isClosing = (byte: number): boolean => byte === CLOSE || byte === CLOSE_BRACE;
/** Whether a byte ends an element, where no bracket but the list's own is open. */
const isEnd = (byte: number): boolean => byte === COMMA || byte === CLOSE;

/** The elements of the list that the pieces make up, those that end in one piece at a time. */
export async function* listElements(pieces: AsyncIterable<Buffer>, file: string): AsyncGenerator<Uint8Array[]> {
  const list = new ListScanner(file);
  for await (const piece of pieces) yield list.elements(piece);
  list.expectEnd();
}

class ListScanner {
  private depth = 0; // brackets around; 1 between the elements
  private inString = false;
  private escaped = false; // the previous piece ended with a backslash in a string
  private isDone = false;
  private count = 0;
  private begun: Buffer[] = []; // of the current element, from earlier pieces
  private size = 0; // bytes in there

  constructor(private readonly file: string) {}

  elements(piece: Buffer): Uint8Array[] {
    const found: Uint8Array[] = [];
    let start = 0; // of the current element, in this piece
    for (let i = this.firstUnescaped(); i < piece.length; i++) {
      if (this.inString) {
        i = this.endOfString(piece, i);
        continue;
      }
      const byte = piece[i]!;
      if (this.isDone) this.expectBlank(byte);
      else if (byte === QUOTE) this.inString = true;
      else if (isOpening(byte)) {
        if (++this.depth === 1) start = i + 1; // the list itself
      } else if (this.depth === 1 && isEnd(byte)) {
        this.end(piece.subarray(start, i), byte === CLOSE, found);
        start = i + 1;
      } else if (this.depth > 1 && isClosing(byte)) this.depth--;
    }
    if (this.depth > 0 && !this.isDone && start < piece.length) this.keep(piece.subarray(start));
    return found;
  }

  expectEnd(): void {
    if (!this.isDone) throw this.fault(`a list that ends within row ${this.count} (counted from 0)`);
  }

  private firstUnescaped(): number {
    const first = this.escaped ? 1 : 0;
    this.escaped = false;
    return first;
  }

  /** Where the string ends that `from` is in: at its quotation mark, or beyond the piece. */
  private endOfString(piece: Buffer, from: number): number {
    const quote = piece.indexOf(QUOTE, from);
    const end = quote < 0 ? piece.length : quote;
    let backslashes = 0; // right before it: an odd number escapes what follows
    while (end - backslashes > from && piece[end - backslashes - 1] === BACKSLASH) backslashes++;
    const isEscaped = backslashes % 2 === 1;
    if (quote < 0) this.escaped = isEscaped;
    else this.inString = isEscaped;
    return end;
  }

  /** Ends the current element, whose last bytes are `rest`. An empty list has none. */
  private end(rest: Buffer, isLast: boolean, found: Uint8Array[]): void {
    const element = this.begun.length > 0 ? Buffer.concat([...this.begun, rest]) : rest;
    this.begun = [];
    this.size = 0;
    this.isDone = isLast;
    if (isLast && this.count === 0 && element.every(isBlank)) return;
    this.count++;
    found.push(element);
  }

  private keep(rest: Buffer): void {
    this.begun.push(rest);
    if ((this.size += rest.length) > MAX_RECORD)
      throw tooLong(`'${this.file}', row ${this.count} (counted from 0)`, "a row", MAX_RECORD);
  }

  private expectBlank(byte: number): void {
    if (!isBlank(byte)) throw this.fault(`more after the end of the list (${this.count} rows)`);
  }

  private fault(what: string): InputError {
    return new InputError(expected("JSON", what, { where: `in '${this.file}'` }));
  }
}
