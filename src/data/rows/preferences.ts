/**
 * Preference rows from wherever they are: a file (JSON Lines, JSON, Parquet), a folder of such files laid out as the
 * Hugging Face hub lays them, or a data set of the hub. Read piece by piece: of a big file only the rows stay in
 * memory.
 *
 * What a row is worth in training is not judged here: see tokenize/tokenizePairs.ts.
 */
import { getHeapStatistics } from "node:v8";
import { expected, InputError } from "../../base/errors";
import { recordOrigin } from "../../base/files/inputFiles";
import { checkOptions } from "../../base/options";
import { printable } from "../../base/terminal/printable";
import { received } from "../../base/values";
import { type ColumnMapping, type RejectedRule, rowForms, SourceColumns } from "../reading/columnMapping";
import { streamRecords } from "../reading/records";
import { expectRejectedRule } from "./givenRows";
import { isPlain, type PlainRow, type PreferenceRow, RowReader, type TrainingRow } from "./preferenceRow";

export { type AnswerRow, type ChatRow, isPlain, type PlainRow, type PreferenceRow, type TrainingRow } from "./preferenceRow";

export interface LoadPreferencesOptions {
  /**
   * Which split of a folder or data set. Default: the only one, or "train". A single file has the split that its name tells,
   * such as test.jsonl, and can always be read as "train".
   */
  split?: string;
  /** Branch, tag or commit of a data set of the hub. */
  revision?: string;
  /** Which of the configurations declared in the data set's card. Default: the only one, or the card's default. */
  datasetConfig?: string;
  /** Maps the file's column names to smaug's, such as `{ question: "prompt" }`. */
  columnMapping?: ColumnMapping;
  /** Called after the last row with notes on unread columns, one line each. Default: prints to standard error. */
  onNote?: (line: string) => void;
}

export interface LoadRowsOptions extends LoadPreferencesOptions {
  /**
   * Whether every row must have a rejected answer. "optional" also reads rows without one, for the loss `sft`:
   * `{ prompt, chosen }`, or TRL's `{ prompt, completion }` and `{ messages }`, whose last message is the answer.
   */
  rejected: RejectedRule;
}

const OPTIONS = ["split", "revision", "datasetConfig", "columnMapping", "rejected", "onNote"];

/**
 * Reads preference rows: `chosen` and `rejected`, mostly `prompt`, and with conversations `tools` and
 * `chat_template_kwargs`. Without `prompt`, the prompt is what both answers start with, in characters or turns. Other
 * columns are not read, and are named; if they look like the prompt of plain text answers, that is an error.
 *
 * @param source a .jsonl, .json or .parquet file, a folder of them, or the name of a data set of the hub
 * @throws InputError when a file cannot be read, a row is not of that form, or there is no row
 *
 * ```ts
 * const rows = await loadPreferences("pairs.jsonl");
 * console.log(rows.length, rows[0]?.chosen);
 * ```
 */
export async function loadPreferences(source: string, options: LoadRowsOptions): Promise<TrainingRow[]>;
export async function loadPreferences(source: string, options?: LoadPreferencesOptions): Promise<PreferenceRow[]>;
export async function loadPreferences(source: string, options: Partial<LoadRowsOptions> = {}): Promise<TrainingRow[]> {
  const rows: TrainingRow[] = [];
  const { heap_size_limit: limit } = getHeapStatistics();
  let size = 0;
  for await (const row of streamRows(source, options)) {
    rows.push(row);
    if ((size += sizeOf(row.prompt) + sizeOf(row.chosen) + sizeOf(row.rejected ?? "")) > SHARE * (limit - YOUNG))
      throw new InputError(
        `Expected rows that fit in memory in '${source}', but ${rows.length} of them fill most of the ` +
          `${Math.round(limit / 2 ** 20)} MiB that Node may use. Take fewer rows, or allow it more: ` +
          "NODE_OPTIONS=--max-old-space-size=MIB",
      );
  }
  recordOrigin(rows, source);
  return rows;
}

/** The share of Node's heap that rows may fill: running out of heap ends the process and cannot be caught. */
const SHARE = 0.75;
const YOUNG = 48 * 2 ** 20; // bytes of the limit that are reserved for short-lived objects
const OVERHEAD = 32; // bytes of a string or an object

/** A lower bound of the bytes that a part of a row takes: a character may take two. */
function sizeOf(part: PreferenceRow["prompt"]): number {
  if (typeof part === "string") return part.length + OVERHEAD;
  let size = OVERHEAD;
  for (const { content } of part) size += 2 * OVERHEAD + (typeof content === "string" ? content.length : 0);
  return size;
}

/** The rows of {@link loadPreferences}, one at a time. */
export function streamPreferences(source: string, options: LoadRowsOptions): AsyncGenerator<TrainingRow>;
export function streamPreferences(source: string, options?: LoadPreferencesOptions): AsyncGenerator<PreferenceRow>;
export function streamPreferences(source: string, options: Partial<LoadRowsOptions> = {}): AsyncGenerator<TrainingRow> {
  return streamRows(source, options);
}

async function* streamRows(source: string, options: Partial<LoadRowsOptions>): AsyncGenerator<TrainingRow> {
  if (typeof source !== "string")
    throw new TypeError(`Expected a file, a folder or the name of a data set for 'source' but received ${received(source)}`);
  checkOptions("loadPreferences", options, OPTIONS);
  const { datasetConfig: config, columnMapping, rejected = "required", onNote = toStandardError, ...choice } = options;
  if (typeof onNote !== "function") throw new TypeError(`Expected a function for 'onNote' but received ${received(onNote)}`);
  expectRejectedRule(rejected);
  const columns = new SourceColumns(source, columnMapping, rejected);
  const reader = new RowReader(columns);
  const { required } = columns;
  const form = rowForms[rejected];
  const wanted = (found: readonly string[]) => columns.choose(found);
  const wholeRows = { wanted, required, keepNulls: true };
  for await (const record of streamRecords(source, { ...choice, config, columns: wholeRows, form })) yield reader.read(record);
  if (reader.count === 0) throw new InputError(expected("at least one row", "none", { where: `in '${source}'`, wayOut: form }));
  reader.finish().forEach(onNote);
}

function toStandardError(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** The rows as texts, for callers that do not handle conversations. */
export function expectPlainRows(rows: readonly PreferenceRow[], name: string): PlainRow[] {
  return rows.map((row) => {
    if (isPlain(row)) return row;
    throw new InputError(
      `Expected texts for 'prompt', 'chosen' and 'rejected' in '${name}' but row ${row.index} is a conversation`,
    );
  });
}
