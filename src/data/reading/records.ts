/** The records of files, whatever their format: JSON Lines, JSON or Parquet. */
import { type DataChoice, type DataFile, findDataFiles } from "./dataFiles";
import { readJson, readJsonLines } from "./json";
import { type Columns, readParquet } from "./parquet";
import type { Source, SourceRecord } from "./source";

export interface RecordOptions {
  /** What to read from Parquet files. */
  columns: Columns;
  /** What a row looks like, in a sentence for errors. Default: a preference row. */
  form?: string;
}

/** The records of a source, one at a time, in the order of its files. */
export async function* streamRecords(source: string, options: RecordOptions & DataChoice): AsyncGenerator<SourceRecord> {
  const files = await findDataFiles(source, options);
  for await (const records of streamLots(files, options)) for (const record of records) yield record;
}

/** The records of files in batches, for bulk readers. */
export async function* streamLots(files: readonly DataFile[], { columns, form }: RecordOptions): Source {
  const readers = {
    jsonl: (path: string) => readJsonLines(path, form),
    json: (path: string) => readJson(path, form),
    parquet: (path: string) => readParquet(path, columns),
  };
  for (const { path, kind } of files) yield* readers[kind](path);
}
