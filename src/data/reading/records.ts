/** The records of a source, whatever its files are: JSON Lines, JSON or Parquet, in a folder or on the hub. */
import { type DataChoice, findDataFiles } from "./dataFiles";
import { readJson } from "./jsonFile";
import { readJsonLines } from "./jsonLines";
import { type Columns, readParquet } from "./parquet";
import type { Source, SourceRecord } from "./source";

export interface RecordOptions extends DataChoice {
  /** What to read from Parquet files. */
  columns: Columns;
  /** What a row looks like, in a sentence for errors. Left out: a preference row. */
  form?: string;
}

/** One record at a time, in the order of the files. */
export async function* streamRecords(source: string, options: RecordOptions): AsyncGenerator<SourceRecord> {
  for await (const records of streamLots(source, options)) for (const record of records) yield record;
}

/** The same in batches, for bulk readers. */
export async function* streamLots(source: string, options: RecordOptions): Source {
  const { columns, form } = options;
  const readers = {
    jsonl: (path: string) => readJsonLines(path, form),
    json: (path: string) => readJson(path, form),
    parquet: (path: string) => readParquet(path, columns),
  };
  for (const { path, kind } of await findDataFiles(source, options)) yield* readers[kind](path);
}
