/**
 * Preference rows from wherever they are: a file (JSON Lines, JSON, Parquet), a folder of such files laid out as the
 * Hugging Face hub lays them, or a data set of the hub. Read piece by piece: of a big file only the rows stay in
 * memory.
 *
 * What a row is worth in training is not judged here: see tokenizePairs.ts.
 */
import { recordOrigin } from "../base/origins";
import { InputError } from "../native/errors";
import { expectOptions } from "./options";
import { FORM, type PlainRow, type PreferenceRow, RowReader, isPlain } from "./preferenceRow";
import { streamRecords } from "./records";

export { type ChatRow, type PlainRow, type PreferenceRow, isPlain } from "./preferenceRow";

export interface LoadPreferencesOptions {
  /** Which split of a folder or data set. Default: the only one, or "train". */
  split?: string;
  /** Branch, tag or commit of a data set of the hub. */
  revision?: string;
}

/**
 * Reads preference rows: `chosen` and `rejected`, mostly `prompt`, and with conversations `tools` and
 * `chat_template_kwargs`. Without `prompt` it is what both answers begin with, in characters or turns. Other keys are
 * ignored.
 *
 * @param source a .jsonl, .json or .parquet file, a folder of them, or the name of a data set of the hub
 * @throws InputError when a file cannot be read, a row is not of that form, or there is no row
 *
 * ```ts
 * const rows = await loadPreferences("pairs.jsonl");
 * console.log(rows.length, rows[0]?.chosen);
 * ```
 */
export async function loadPreferences(source: string, options: LoadPreferencesOptions = {}): Promise<PreferenceRow[]> {
  const rows: PreferenceRow[] = [];
  for await (const row of streamPreferences(source, options)) rows.push(row);
  recordOrigin(rows, source);
  return rows;
}

/** The rows of {@link loadPreferences}, one at a time. */
export async function* streamPreferences(source: string, options: LoadPreferencesOptions = {}): AsyncGenerator<PreferenceRow> {
  if (typeof source !== "string")
    throw new TypeError(`Expected a file, a folder or a data set's name for 'source' but received ${typeof source}`);
  expectOptions("loadPreferences", options, ["split", "revision"]);
  const reader = new RowReader();
  for await (const record of streamRecords(source, options)) yield reader.read(record);
  if (reader.count === 0) throw new InputError(`Expected at least one row in '${source}' but found none. ${FORM}`);
}

/** The rows as texts, for what knows no conversations. */
export function expectPlainRows(rows: readonly PreferenceRow[], name: string): PlainRow[] {
  return rows.map((row) => {
    if (isPlain(row)) return row;
    throw new InputError(
      `Expected texts for 'prompt', 'chosen' and 'rejected' in '${name}' but row ${row.index} is a conversation`,
    );
  });
}
