/**
 * Records from a .json file, in the forms that are about: a list of rows, an object with that list under `data`, an
 * object of columns, one row alone, or JSON Lines under a wrong name. Read as a whole: big data belongs in JSONL.
 */
import { InputError } from "../native/errors";
import { parseLine } from "./jsonLines";
import { FORM } from "./preferenceRow";
import { type Source, decodeText, excerpt, readPieces } from "./source";

type Json = Readonly<Record<string, unknown>>;

export async function* readJson(file: string): Source {
  const pieces: Buffer[] = [];
  for await (const piece of readPieces(file)) pieces.push(piece);
  const text = decodeText(Buffer.concat(pieces), `'${file}'`);
  if (text.trim() === "") return;
  const lines = text.trim().split("\n");
  if (lines.length > 1 && isObject(attempt(lines[0]!))) {
    for (const [i, line] of text.split("\n").entries()) {
      const place = `'${file}', line ${i + 1}`;
      if (line.trim() !== "") yield { value: parseLine(line, place), place };
    }
    return;
  }
  const rows = rowsOf(parseLine(text, `'${file}'`), file);
  for (const [i, value] of rows.entries()) yield { value, place: `'${file}', row ${i} (counted from 0)` };
}

function rowsOf(value: unknown, file: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) throw new InputError(`Expected rows in '${file}', but found ${shown(value)}. ${FORM}`);
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
