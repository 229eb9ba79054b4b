/**
 * Records from a .json file, in the forms that are about: a list of rows, which is read row by row, or else, read as a
 * whole, an object with that list under `data`, an object of columns, one row alone, or JSON Lines under a wrong name.
 */
import { InputError } from "../native/errors";
import { listElements } from "./jsonArray";
import { JsonRecord, parseLine } from "./jsonLines";
import { FORM } from "./preferenceRow";
import { type Source, type SourceRecord, decodeText, excerpt, readPieces } from "./source";

type Json = Readonly<Record<string, unknown>>;

/** `form` says in errors what a row looks like. */
export async function* readJson(file: string, form = FORM): Source {
  const pieces = readPieces(file);
  const read: Buffer[] = [];
  try {
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      read.push(Buffer.from(next.value));
      const first = firstCharacter(next.value);
      if (first === undefined) continue;
      if (first === "[") return yield* readList(joined(read, pieces), file, form);
      break;
    }
    for await (const piece of pieces) read.push(Buffer.from(piece));
  } finally {
    await pieces.return(undefined); // closes the file when no more rows are asked for
  }
  yield readWhole(decodeText(Buffer.concat(read), `'${file}'`), file, form);
}

/** What a piece begins with, but for white space and a byte order mark; undefined when it has no more than that. */
function firstCharacter(piece: Buffer): string | undefined {
  return /[^\s\xef\xbb\xbf]/.exec(piece.toString("latin1"))?.[0];
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
  const lines = text.trim().split("\n");
  if (lines.length > 1 && isObject(attempt(lines[0]!))) {
    for (const [i, line] of text.split("\n").entries()) {
      const place = `'${file}', line ${i + 1}`;
      if (line.trim() !== "") yield { value: parseLine(line, place, form), place };
    }
    return;
  }
  const rows = rowsOf(parseLine(text, `'${file}'`, form), file, form);
  for (const [i, value] of rows.entries()) yield { value, place: `'${file}', row ${i} (counted from 0)` };
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
  if (Math.min(...lengths) !== Math.max(...lengths)) {
    const found = lists.map(([key, list]) => `'${key}' ${list.length}`).join(", ");
    throw new InputError(`Expected columns of one length in '${file}', but found ${found}.`);
  }
  return Array.from({ length: lengths[0]! }, (_, i) => Object.fromEntries(lists.map(([key, list]) => [key, list[i]])));
}

function attempt(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const shown = (value: unknown): string => excerpt(JSON.stringify(value));
