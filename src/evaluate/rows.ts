/**
 * Rows of benchmarks as the hub serves them, or as their authors published them: JSON Lines, JSON or Parquet, with all
 * their columns. A folder's files belong to a split by the words in their names, or in their folder's name.
 */
import { stat } from "node:fs/promises";
import { basename, relative } from "node:path";
import { parseIfJson } from "../base/files/inputFiles";
import { filesUnder } from "../data/reading/dataFiles";
import { resolveDataSet } from "../data/reading/dataSet";
import { copyNumbers, hasNumber, parseExact, rememberNumbers } from "../text/exactNumbers";
import { decodeText, linesOf, readBytes, unreadable } from "../data/reading/source";
import { excerpt, shown } from "../base/values";
import { InputError } from "../base/errors";
import type { Row } from "./tasks/task";

export interface PlacedRow {
  readonly row: Row;
  /** For messages, such as `'test.jsonl', row 3`. Rows are counted from 0. */
  readonly place: string;
}

/** Other words for a split, the likelier first. */
const WORDS = new Map(
  Object.entries({
    train: ["train", "training"],
    validation: ["validation", "val", "valid", "dev"],
    test: ["test"],
  }),
);
const ENDINGS = /\.(jsonl|ndjson|json|parquet)(\.gz)?$/;

export interface SplitOptions {
  split: string;
  subset?: string | undefined;
  /** Files of a repository that are fetched; all that hold data when left out. */
  files?: readonly string[] | undefined;
  /** Whether this is the split that is evaluated, not the one that examples come from. */
  evaluated: boolean;
}

/**
 * The rows of one split. `subset` is a folder of the data set; where there is none, rows with a column `subject` are
 * taken by its value. A source that is one file is the split that is evaluated, whatever its name.
 */
export async function readSplit(source: string, { split, subset, files: wanted, evaluated }: SplitOptions): Promise<PlacedRow[]> {
  const root = await rootOf(source, wanted);
  const stats = await stat(root).catch((error: unknown) => {
    throw unreadable(root, error);
  });
  let files = [root];
  let chosen = subset;
  if (stats.isDirectory()) {
    const all = (await filesUnder(root)).filter((file) => ENDINGS.test(file));
    const inSubset = subset === undefined ? [] : all.filter((file) => relative(root, file).split("/").includes(subset));
    // cais/mmlu has every subject in a folder of its own, and all of them once more in "all"
    const inAll = all.filter((file) => relative(root, file).split("/").includes("all"));
    const candidates = inSubset.length > 0 ? inSubset : inAll.length > 0 ? inAll : all;
    if (inSubset.length > 0) chosen = undefined;
    files = filesOf(candidates, root, split);
    if (files.length === 0) {
      const there = candidates
        .map((file) => `'${relative(root, file)}'`)
        .slice(0, 8)
        .join(", ");
      throw new InputError(
        `Expected files of the split '${excerpt(split)}' in '${source}' but found ` +
          `${there || "no JSONL, JSON or Parquet file"}; a file's name says its split, such as 'test.jsonl'`,
      );
    }
  } else if (!evaluated)
    throw new InputError(
      `Expected a folder with the split '${split}', where the examples come from, but '${source}' is one file; ` +
        "name a folder that has both splits, or ask for 0 examples",
    );

  const rows: PlacedRow[] = [];
  for (const file of files) rows.push(...(await rowsOf(file)));
  const hasSubject = chosen !== undefined && rows.some(({ row }) => row["subject"] !== undefined);
  const found = hasSubject ? rows.filter(({ row }) => row["subject"] === chosen) : rows;
  if (found.length > 0) return found;
  const what = hasSubject ? `rows of the subject '${chosen}'` : "rows";
  throw new InputError(`Expected ${what} in the split '${split}' of '${source}' but it is empty; name a source that has some`);
}

/** The rows of files that a task lists explicitly. */
export async function readFiles(files: readonly string[]): Promise<PlacedRow[]> {
  const rows: PlacedRow[] = [];
  for (const file of files) rows.push(...(await rowsOf(file)));
  if (rows.length > 0) return rows;
  throw new InputError(`Expected rows in ${files.map((file) => `'${file}'`).join(", ")} but found none`);
}

/** The files that a split's likeliest word names: in the file's own name, or else in its folder's. */
function filesOf(files: readonly string[], root: string, split: string): string[] {
  const wordsOf = (text: string) => text.toLowerCase().split(/[^a-z]+/);
  for (const word of WORDS.get(split) ?? [split]) {
    const named = files.filter((file) => wordsOf(basename(file).replace(ENDINGS, "")).includes(word));
    if (named.length > 0) return named;
    const inFolder = files.filter((file) =>
      relative(root, file)
        .split("/")
        .slice(0, -1)
        .some((part) => wordsOf(part).includes(word)),
    );
    if (inFolder.length > 0) return inFolder;
  }
  return [];
}

// A file is read once, though 57 tasks may want it, and a repository asked for once.
const cache = new Map<string, Promise<PlacedRow[]>>();
const roots = new Map<string, Promise<string>>();

function rootOf(source: string, files: readonly string[] | undefined): Promise<string> {
  const key = JSON.stringify([source, files]);
  let root = roots.get(key);
  if (!root) roots.set(key, (root = resolveDataSet(source, files === undefined ? {} : { files })));
  return root;
}

function rowsOf(file: string): Promise<PlacedRow[]> {
  let rows = cache.get(file);
  if (!rows) cache.set(file, (rows = file.endsWith(".parquet") ? parquetRows(file) : jsonRows(file)));
  return rows;
}

/** To be called when all tasks have their rows. */
export function forgetRows(): void {
  cache.clear();
  roots.clear();
}

async function jsonRows(file: string): Promise<PlacedRow[]> {
  if (!ENDINGS.test(file)) throw new InputError(`Expected a JSONL, JSON or Parquet file but received '${file}'`);
  const text = decodeText(await readBytes(file), `'${file}'`);
  const whole = /\.json(\.gz)?$/.test(file) ? parseIfJson(text, `'${file}'`) : undefined;
  const list = Array.isArray(whole)
    ? whole
    : Array.isArray((whole as Row | undefined)?.["data"])
      ? ((whole as Row)["data"] as unknown[])
      : undefined;
  const rows: PlacedRow[] = [];
  const add = (value: unknown, place: string): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new InputError(`Expected a JSON object in ${place} but found ${shown(value)}`);
    rows.push({ row: value as Row, place });
  };
  // Numbers written like these would be changed by JavaScript, which a template would show.
  const isInexact = /\d[.eE]|\d{16}|NaN|Infinity/.test(text);
  if (list && isInexact) rememberNumbers(whole, parseExact(text, `'${file}'`));
  if (list) for (const [i, value] of list.entries()) add(value, `'${file}', row ${i}`);
  else
    for (const [line, number] of linesOf(text))
      if (line.trim() !== "") {
        const place = `'${file}', line ${number}`;
        const value = parseIfJson(line, place);
        if (value === undefined) throw new InputError(`Expected JSON in ${place} but found ${shown(line)}`);
        if (isInexact && hasNumber(value)) rememberNumbers(value, parseExact(line, place));
        add(value, place);
      }
  return rows;
}

async function parquetRows(file: string): Promise<PlacedRow[]> {
  const { readParquet } = await import("../data/reading/parquet.js");
  const rows: PlacedRow[] = [];
  for await (const records of readParquet(file, { required: [], keepNulls: true }))
    for (const { value } of records) rows.push({ row: jsonValue(value) as Row, place: `'${file}', row ${rows.length}` });
  return rows;
}

/** 64-bit integers as numbers; no difference between what is missing and what is null. */
function jsonValue(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = Array.from(value as ArrayLike<unknown>, jsonValue);
    copyNumbers(value, list);
    return list;
  }
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value ?? null;
  const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, jsonValue(each)]));
  copyNumbers(value, copy);
  return copy;
}
