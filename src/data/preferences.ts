/**
 * Preference rows from JSON Lines: one object a line with the strings `prompt`, `chosen` and `rejected`; other keys are
 * ignored, and so are blank lines. Every fault names the file, the line and the key, what was found and what is
 * expected.
 *
 * What a row is worth in training is not judged here: see screening.ts.
 */

import { readFile } from "node:fs/promises";
import { InputError } from "../native/errors";

/** One pair of answers to a prompt. */
export interface PreferenceRow {
  /** Place in the file or data set, counted from 0 over rows (blank lines are not rows). */
  readonly index: number;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

const FORM = `Every line is one JSON object such as {"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}.`;

/** Why a file cannot be read, by the system's code. */
const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "it may not be read",
};

/**
 * Reads a JSONL file of preference rows.
 *
 * @throws InputError when the file cannot be read, holds no row, or a line is not such an object
 *
 * ```ts
 * const rows = await readPreferences("pairs.jsonl");
 * console.log(rows.length, rows[0]?.chosen);
 * ```
 */
export async function readPreferences(file: string): Promise<PreferenceRow[]> {
  return parsePreferences(await readText(file), file);
}

/** The rows of JSONL text; `name` stands for the file in messages. */
export function parsePreferences(text: string, name: string): PreferenceRow[] {
  const rows: PreferenceRow[] = [];
  for (const [number, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    rows.push(parseRow(line, rows.length, `'${name}', line ${number + 1}`));
  }
  if (rows.length === 0) throw new InputError(`Expected at least one row in '${name}' but found none. ${FORM}`);
  return rows;
}

function parseRow(line: string, index: number, place: string): PreferenceRow {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(`Expected JSON in ${place}, but found ${excerpt(line)} (${message}). ${FORM}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`Expected a JSON object in ${place}, but found ${excerpt(line)}. ${FORM}`);
  }
  const record = value as Record<string, unknown>;
  const text = (key: string): string => {
    const found = record[key];
    if (typeof found === "string") return found;
    const what = found === undefined ? `only ${keysOf(record)}` : excerpt(JSON.stringify(found));
    throw new InputError(`Expected a string for '${key}' in ${place}, but found ${what}. ${FORM}`);
  };
  return { index, prompt: text("prompt"), chosen: text("chosen"), rejected: text("rejected") };
}

function keysOf(record: Record<string, unknown>): string {
  return Object.keys(record).map((key) => `'${key}'`).join(", ") || "an empty object";
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(`Expected a JSONL file at '${file}', but ${REASONS[code ?? ""] ?? message}.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes); // drops a byte order mark
  } catch {
    throw new InputError(`Expected UTF-8 text in '${file}', but found bytes that are not. Convert the file first.`);
  }
}

const excerpt = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
