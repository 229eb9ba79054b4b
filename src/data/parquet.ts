/**
 * Records from Parquet, one row group at a time, of the columns that are asked for. Values come as JSON would
 * give them: 64-bit integers as numbers, and without the empty fields that Arrow gives a struct because another row has
 * them (but for `content`, which a message may leave empty).
 */
import { stat } from "node:fs/promises";
import { InputError } from "../native/errors";
import { KEYS } from "./preferenceRow";
import { type Source, type SourceRecord, decodeText, unreadable } from "./source";

/** The columns that are read where they are there, and those that have to be. */
export interface Columns {
  /** Left out: all of them. */
  readonly wanted?: readonly string[];
  readonly required: readonly string[];
}

const PREFERENCE: Columns = { wanted: KEYS, required: ["chosen", "rejected"] };

export async function* readParquet(file: string, { wanted, required }: Columns = PREFERENCE): Source {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  const buffer = await asyncBufferFromFile(file);
  const metadata = await blaming(file, () => parquetMetadataAsync(buffer));
  const found = parquetSchema(metadata).children.map(({ element }) => element.name);
  const columns = (wanted ?? found).filter((key) => found.includes(key));
  const missing = required.filter((key) => !found.includes(key));
  if (missing.length > 0) {
    const [wanted, there] = [missing, found].map((names) => names.map((name) => `'${name}'`).join(", "));
    throw new InputError(`Expected the column ${wanted} in '${file}', but found only ${there}.`);
  }
  const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes && decodeText(bytes, `'${file}'`) };
  let rowStart = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const rowEnd = rowStart + Number(count);
    const options = { file: buffer, metadata, columns, rowStart, rowEnd, compressors, parsers };
    const rows = await blaming(file, () => parquetReadObjects(options));
    yield recordsOf(rows, file, rowStart);
    rowStart = rowEnd;
  }
}

function* recordsOf(rows: readonly unknown[], file: string, start: number): Generator<SourceRecord> {
  for (const [i, row] of rows.entries())
    yield { value: jsonValue(row), place: `'${file}', row ${start + i} (counted from 0)` };
}

/** What the library cannot read is bad input. */
async function blaming<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof InputError) throw error;
    const { message } = error as Error;
    throw new InputError(`Expected a Parquet file that can be read at '${file}', but: ${message}`, { cause: error });
  }
}

function jsonValue(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(jsonValue);
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, jsonValue(each)] as const);
  return Object.fromEntries(entries.filter(([key, each]) => each !== null || key === "content"));
}
