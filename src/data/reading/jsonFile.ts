/**
 * Records from a .json file, in the forms that are about: a list of rows, which is read row by row, or else, read as a
 * whole, an object with that list under `data`, an object of columns, one row alone, or JSON Lines under a wrong name.
 */
import { getHeapStatistics } from "node:v8";
import { excerpt, isObject, shown } from "../../base/values";
import { InputError } from "../../base/errors";
import { listElements } from "./jsonArray";
import { parseJsonText } from "../../base/formats/pythonJson";
import { parseExact } from "../../text/exactNumbers";
import { JsonRecord, parseLine } from "./jsonLines";
import { FORM } from "../rows/preferenceRow";
import { MAX_WHOLE, type Source, type SourceRecord, decodeText, linesOf, readPieces, tooLong } from "./source";

type Json = Readonly<Record<string, unknown>>;

/** `form` says in errors what a row looks like. */
export async function* readJson(file: string, form = FORM): Source {
  const pieces = readPieces(file);
  const read: Buffer[] = [];
  let size = 0;
  const keep = (piece: Buffer): void => {
    if ((size += piece.length) > MAX_WHOLE) throw tooLong(`'${file}'`, "JSON that is not a list of rows", MAX_WHOLE);
    read.push(Buffer.from(piece));
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
        "Node may use. Write a list of rows or JSON Lines, which are read row by row.",
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
  const recordsOf = function* (elements: Iterable<Uint8Array>): Generator<SourceRecord> {
    for (const element of elements) {
      const place = `'${file}', row ${count++} (counted from 0)`;
      yield new JsonRecord(element, place, form);
    }
  };
  for await (const elements of listElements(pieces, file)) yield recordsOf(elements);
}

function* readWhole(text: string, file: string, form: string): Generator<SourceRecord> {
  if (text.trim() === "") return;
  const start = text.trimStart();
  const end = start.indexOf("\n");
  if (end > 0 && start.length > end + 1 && isObject(attempt(start.slice(0, end)))) return yield* readLines(text, file, form);
  const rows = rowsOf(parseLine(text, `'${file}'`, form), file, form);
  let exactRows: readonly unknown[] | undefined;
  const exact = (i: number) => (exactRows ??= rowsOf(parseExact(text, `'${file}'`), file, form))[i];
  for (const [i, value] of rows.entries()) yield { value, place: `'${file}', row ${i} (counted from 0)`, exact: () => exact(i) };
}

function* readLines(text: string, file: string, form: string): Generator<SourceRecord> {
  for (const [line, number] of linesOf(text)) {
    const place = `'${file}', line ${number}`;
    if (line.trim() !== "") yield { value: parseLine(line, place, form), place, exact: () => parseExact(line, place) };
  }
}

function rowsOf(value: unknown, file: string, form: string): readonly unknown[] {
  if (!isObject(value)) throw new InputError(`Expected rows in '${file}', but found ${shown(value)}. ${form}`);
  if (Array.isArray(value.data)) return value.data;
  return isColumns(value) ? rowsOfColumns(value, file) : [value];
}

/** Lists of texts or of conversations; one conversation is a list of messages. */
function isColumns({ chosen, rejected }: Json): boolean {
  const isColumn = (list: unknown) => Array.isArray(list) && !isObject(list[0]);
  return isColumn(chosen) && isColumn(rejected);
}

function rowsOfColumns(columns: Json, file: string): Json[] {
  const lists = Object.entries(columns).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const lengths = lists.map(([, list]) => list.length);
  if (new Set(lengths).size > 1) {
    const found = lists
      .slice(0, 20)
      .map(([key, list]) => `'${excerpt(key)}' ${list.length}`)
      .join(", ");
    throw new InputError(`Expected columns of one length in '${file}', but found ${found}.`);
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
