/**
 * Records from JSON: one value a line (JSON Lines; blank lines are skipped, but counted), or a .json file in the forms
 * that are in use: a list of rows, which is read row by row, or else, read as a whole, an object with that list under
 * `data`, an object of columns, one row alone, or JSON Lines under a wrong name.
 */
import { getHeapStatistics } from "node:v8";
import { expected, InputError } from "../../base/errors";
import { expectShallow } from "../../base/files/inputFiles";
import { parseJsonText } from "../../base/formats/pythonJson";
import { printable } from "../../base/terminal/printable";
import { excerpt, isObject, type JsonObject, shown } from "../../base/values";
import { isExact, parseExact } from "../../text/exactNumbers";
import { rowForms } from "./columnMapping";
import { listElements } from "./jsonArray";
import { decodeText, linesOf, MAX_RECORD, MAX_WHOLE, readPieces, type Source, type SourceRecord, tooLong } from "./source";

const NEWLINE = 10;

/** `form` says in errors what a row looks like. */
export async function* readJsonLines(file: string, form = rowForms.required): Source {
  const scanner = new LineScanner(file);
  const recordOf = ({ bytes, place }: Line) => new JsonRecord(bytes, place, form);
  for await (const piece of readPieces(file)) yield scanner.lines(piece).map(recordOf);
  yield scanner.rest().map(recordOf);
}

/** The bytes of a line, without the newline. */
interface Line {
  readonly bytes: Uint8Array;
  readonly place: string;
}

/** Splits pieces of a file into the lines that are not blank. */
class LineScanner {
  private number = 0;
  private blank = 0; // bytes since the last line that is not
  private begun: Buffer[] = []; // of the current line, from earlier pieces
  private size = 0; // bytes in there

  constructor(private readonly file: string) {}

  lines(piece: Buffer): Line[] {
    const found: Line[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      this.end(piece.subarray(start, end), found);
      start = end + 1;
    }
    if (start === piece.length) return found;
    this.begun.push(piece.subarray(start));
    if ((this.size += piece.length - start) > MAX_RECORD) throw tooLong(this.place(), "a line", MAX_RECORD);
    return found;
  }

  /** The last line, where no newline ends it. */
  rest(): Line[] {
    const found: Line[] = [];
    if (this.begun.length > 0) this.end(Buffer.alloc(0), found);
    return found;
  }

  private end(rest: Buffer, found: Line[]): void {
    const bytes = this.begun.length > 0 ? Buffer.concat([...this.begun, rest]) : rest;
    if (this.begun.length > 0) [this.begun, this.size] = [[], 0];
    const place = this.place();
    this.number++;
    if (isBlank(bytes, place)) {
      if ((this.blank += bytes.length + 1) > MAX_RECORD) throw tooLong(place, "blank lines", MAX_RECORD);
      return;
    }
    this.blank = 0;
    found.push({ bytes, place });
  }

  /** Of the next line. */
  private place(): string {
    return `'${this.file}', line ${this.number + 1}`;
  }
}

function isBlank(line: Uint8Array, place: string): boolean {
  const first = line[0];
  if (first === undefined) return true;
  if (first > 32 && first < 128) return false; // nearly always: the rest need not be looked at
  return decodeText(line, place).trim() === "";
}

/** A record in JSON, parsed when its value is first asked for. */
class JsonRecord implements SourceRecord {
  private parsed: unknown;

  constructor(
    private readonly bytes: Uint8Array,
    readonly place: string,
    private readonly form: string,
  ) {}

  get value(): unknown {
    return (this.parsed ??= parseValue(this.text, this.place, this.form));
  }

  exact(): unknown {
    const { text } = this;
    return isExact(text) ? undefined : parseExact(text, this.place);
  }

  private get text(): string {
    return decodeText(this.bytes, this.place);
  }
}

/** NaN and Infinity are numbers, as in Python. */
function parseValue(text: string, place: string, form: string): unknown {
  let value: unknown;
  try {
    value = parseJsonText(text);
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(expected("JSON", `${excerpt(text)} (${printable(message)})`, { where: `in ${place}`, wayOut: form }));
  }
  expectShallow(value, place);
  return value;
}

/** `form` says in errors what a row looks like. */
export async function* readJson(file: string, form = rowForms.required): Source {
  const pieces = readPieces(file);
  const read: Buffer[] = [];
  let size = 0;
  const keep = (piece: Buffer): void => {
    if ((size += piece.length) > MAX_WHOLE) throw tooLong(`'${file}'`, "JSON that is not a list of rows", MAX_WHOLE);
    read.push(piece);
  };
  try {
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      keep(next.value);
      const first = firstCharacter(next.value);
      if (first === undefined) continue;
      if (first === "[") return yield* readList(joined(read, pieces), file, form);
      break;
    }
    for await (const piece of pieces) keep(piece);
  } finally {
    await pieces.return(undefined); // closes the file when no more rows are asked for
  }
  const bytes = Buffer.concat(read);
  expectRoom(bytes, file);
  yield readWhole(decodeText(bytes, `'${file}'`), file, form);
}

/** Checks that the parsed document fits in the heap: running out of heap ends the process and cannot be caught. */
function expectRoom(bytes: Buffer, file: string): void {
  const { heap_size_limit: limit } = getHeapStatistics();
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 44 || byte === 91 || byte === 123) values++; // , [ {
  }
  const needed = 2 * bytes.length + BYTES_PER_VALUE * values;
  if (needed > 0.8 * limit)
    throw new InputError(
      `Expected JSON that fits in memory in '${file}', but it takes up to ${inMiB(needed)} of the ${inMiB(limit)} that ` +
        "Node may use; write a list of rows or JSON Lines, which are read row by row",
    );
}

/** An empty object takes 56 bytes. */
const BYTES_PER_VALUE = 64;
const inMiB = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

/** What a piece begins with, but for white space; undefined when it has no more than that. */
function firstCharacter(piece: Buffer): string | undefined {
  return /\S/.exec(piece.toString("latin1"))?.[0];
}

async function* joined(read: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* read;
  yield* rest;
}

async function* readList(pieces: AsyncIterable<Buffer>, file: string, form: string): Source {
  let count = 0;
  for await (const elements of listElements(pieces, file))
    yield elements.map((bytes) => new JsonRecord(bytes, `'${file}', row ${count++} (counted from 0)`, form));
}

/** The records of a whole document; lazily, since those of very many short rows may not fit in memory. */
function* readWhole(text: string, file: string, form: string): Generator<SourceRecord> {
  if (text.trim() === "") return;
  const start = text.trimStart();
  const end = start.indexOf("\n");
  if (end > 0 && start.length > end + 1 && isObject(attempt(start.slice(0, end)))) return yield* readLines(text, file, form);
  const rows = rowsOf(parseValue(text, `'${file}'`, form), file, form);
  let exactRows: readonly unknown[] | undefined;
  const exactOf = (i: number) => (exactRows ??= rowsOf(parseExact(text, `'${file}'`), file, form))[i];
  const isPlain = isExact(text);
  for (const [i, value] of rows.entries())
    yield { value, place: `'${file}', row ${i} (counted from 0)`, exact: () => (isPlain ? undefined : exactOf(i)) };
}

function* readLines(text: string, file: string, form: string): Generator<SourceRecord> {
  for (const [line, number] of linesOf(text)) {
    const place = `'${file}', line ${number}`;
    const exact = () => (isExact(line) ? undefined : parseExact(line, place));
    if (line.trim() !== "") yield { value: parseValue(line, place, form), place, exact };
  }
}

function rowsOf(value: unknown, file: string, form: string): readonly unknown[] {
  if (!isObject(value)) throw new InputError(expected("rows", shown(value), { where: `in '${file}'`, wayOut: form }));
  if (Array.isArray(value.data)) return value.data;
  return isColumns(value) ? rowsOfColumns(value, file) : [value];
}

/** Lists of texts or of conversations; one conversation is a list of messages. */
function isColumns({ chosen, rejected }: JsonObject): boolean {
  const isColumn = (list: unknown) => Array.isArray(list) && !isObject(list[0]);
  return isColumn(chosen) && isColumn(rejected);
}

function rowsOfColumns(columns: JsonObject, file: string): JsonObject[] {
  const lists = Object.entries(columns).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const lengths = lists.map(([, list]) => list.length);
  if (new Set(lengths).size > 1) {
    const found = lists
      .slice(0, 20)
      .map(([key, list]) => `'${excerpt(key)}' ${list.length}`)
      .join(", ");
    throw new InputError(expected("columns of one length", found, { where: `in '${file}'` }));
  }
  return Array.from({ length: lengths[0]! }, (_, i) => Object.fromEntries(lists.map(([key, list]) => [key, list[i]])));
}

function attempt(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch {
    return undefined;
  }
}
