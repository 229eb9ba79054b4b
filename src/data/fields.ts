/** Reading the fields of a row, each with an error that says what is there instead. */
import { expected, InputError } from "../base/errors";
import { isObject, shown } from "../base/values";

/** A row as its file holds it. */
export type Row = Readonly<Record<string, unknown>>;

/** What is wrong with a row. The reader of the file adds the place. */
export class RowError extends InputError {}

export function textOf(row: Row, key: string): string {
  const value = row[key];
  if (typeof value !== "string") throw unfit("a text", key, row);
  return value;
}

export function textsOf(row: Row, key: string): string[] {
  const value = row[key];
  if (!Array.isArray(value) || value.length === 0 || value.some((each) => typeof each !== "string"))
    throw unfit("a list of texts", key, row);
  return value as string[];
}

export function integersOf(row: Row, key: string): number[] {
  const value = row[key];
  if (!Array.isArray(value) || value.some((each) => !Number.isSafeInteger(each))) throw unfit("a list of integers", key, row);
  return value as number[];
}

/** An object in a row, whose fields are read as a row's. */
export function objectOf(row: Row, key: string): Row {
  const value = row[key];
  if (!isObject(value)) throw unfit("an object", key, row);
  return value;
}

/** Rejects a right answer that is not one of the choices, and fewer than two choices. */
export function rightOf(gold: number, choices: readonly unknown[], key: string, row: Row): number {
  if (choices.length < 2) throw new RowError(`Expected at least two choices but received ${choices.length}`);
  if (Number.isSafeInteger(gold) && gold >= 0 && gold < choices.length) return gold;
  throw new RowError(`${expected(`one of the ${choices.length} choices`, shown(row[key]), { name: key })}: no choice is right`);
}

/** The error for a field of another type, or for one that is missing. */
function unfit(what: string, key: string, row: Row): RowError {
  if (row[key] !== undefined) return new RowError(expected(what, shown(row[key]), { name: key }));
  const there = Object.keys(row)
    .map((each) => `'${each}'`)
    .join(", ");
  return new RowError(`Expected ${what} for '${key}' but the row has ${there ? `only ${there}` : "no columns"}`);
}
