/**
 * Parquet, decoded: what columns a file has, and the values of a row group as JSON would give them. 64-bit integers come
 * as numbers, with what that loses remembered (src/text/exactNumbers.ts), and structs without the empty fields that Arrow gives them because another row has them (but for
 * `content`, which a message may leave empty).
 *
 * Sizes in the file are not trusted: each is checked against the file, or a limit, before memory is allocated for it.
 */

import type { FileHandle } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { InputError } from "../../base/errors";
import { parsePythonJson } from "../../base/formats/pythonJson";
import { excerpt } from "../../base/values";
import { PyFloat } from "../../jinja/float";
import { type ExactEntry, exactEntries, floatOf, numberOf, rememberNumber } from "../../text/exactNumbers";
import { decodeText, openFile } from "./source";

type AsyncBuffer = import("hyparquet", { with: { "resolution-mode": "import" }}).AsyncBuffer;
type Compressors = import("hyparquet", { with: { "resolution-mode": "import" }}).Compressors;
type FileMetaData = import("hyparquet", { with: { "resolution-mode": "import" }}).FileMetaData;
type SchemaTree = import("hyparquet", { with: { "resolution-mode": "import" }}).SchemaTree;

/** Bytes of the description of a file's columns and row groups, at its end. */
const MAX_METADATA = 128 * 2 ** 20;
/** Bytes of one page once unpacked: pages have about 1 MiB, or one row where that is longer. */
const MAX_PAGE = 256 * 2 ** 20;
/** Bytes of one column in one row group, packed or unpacked. */
const MAX_CHUNK = 2 ** 31;
/** Rows of a row group. */
const MAX_ROWS = 2 ** 26;
/** Levels of lists and structs. */
const MAX_LEVELS = 100;

export interface ParquetFile {
  /** The names of the columns. */
  readonly columns: readonly string[];
  readonly groups: readonly { readonly rows: number /** Packed. */; readonly bytes: number }[];
}

/** Values by column, then row, and the exact numbers that are lost when the values are copied to another thread. */
export interface ColumnValues {
  readonly values: unknown[][];
  readonly numbers: readonly ExactEntry[];
}

/** One open file. Errors are InputErrors that name it. */
export class ParquetReader implements ParquetFile {
  readonly groups: ParquetFile["groups"];
  private readonly starts: readonly number[];

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly buffer: AsyncBuffer,
    private readonly metadata: FileMetaData,
    readonly columns: readonly string[],
  ) {
    this.groups = metadata.row_groups.map((group, i) => ({ rows: this.rowsOf(group, i), bytes: this.bytesOf(group) }));
    let rows = 0;
    this.starts = this.groups.map((group) => (rows += group.rows) - group.rows);
  }

  static async open(file: string): Promise<ParquetReader> {
    const { handle, size } = await openFile(file);
    try {
      const buffer = bufferOf(handle, size);
      return await blaming(`'${file}'`, async () => {
        const { parquetMetadataAsync, parquetSchema } = await import("hyparquet");
        await expectModestFooter(buffer);
        const metadata = await parquetMetadataAsync(buffer);
        expectSoundSchema(metadata);
        const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
        if (new Set(columns).size < columns.length) throw new Error("two columns have the same name");
        return new ParquetReader(file, handle, buffer, metadata, columns);
      });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The values of the columns named, in the rows of one row group. */
  async read(group: number, names: readonly string[], keepNulls: boolean): Promise<ColumnValues> {
    const { rows } = this.groups[group]!;
    const rowStart = this.starts[group]!;
    const { parquetRead, parquetSchema } = await import("hyparquet");
    const schema = parquetSchema(this.metadata);
    const columns: unknown[][] = [];
    for (const name of names) {
      const place = `'${this.file}', column '${excerpt(name)}'`;
      const parsers = {
        stringFromBytes: (bytes: Uint8Array) => bytes && decodeText(bytes, place),
        jsonFromBytes: (bytes: Uint8Array) => bytes && parsePythonJson(decodeText(bytes, place), numberOf),
      };
      const field = fieldOf(schema, name);
      const values = await blaming(place, async () => {
        const { metadata, buffer: file } = this;
        const compressors = await limitedCompressors();
        let found: unknown[][] = [];
        const onComplete = (complete: unknown[][]): void => void (found = complete);
        const range = { rowStart, rowEnd: rowStart + rows };
        await parquetRead({ file, metadata, columns: [name], ...range, compressors, parsers, onComplete });
        const values = found.map(([value]) => jsonValue(value, field, keepNulls));
        if (values.some((value) => typeof value === "number"))
          found.forEach(([value], i) => rememberNumber(values, i, exactNumber(value, field)));
        return values;
      });
      columns.push(values);
    }
    return { values: columns, numbers: exactEntries(columns) };
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private rowsOf({ num_rows }: FileMetaData["row_groups"][number], group: number): number {
    const rows = Number(num_rows);
    if (Number.isSafeInteger(rows) && rows >= 0 && rows <= MAX_ROWS) return rows;
    throw new InputError(
      `Expected at most ${MAX_ROWS} rows in row group ${group} of '${this.file}' but received ${num_rows === undefined ? "none" : String(num_rows)}`,
    );
  }

  private bytesOf({ columns }: FileMetaData["row_groups"][number]): number {
    const bytes = columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0);
    return Math.min(this.buffer.byteLength, Math.max(0, bytes));
  }
}

/** Reads only ranges that lie within the file. */
function bufferOf(handle: FileHandle, byteLength: number): AsyncBuffer {
  const read = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    const size = end - start;
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && size >= 0 && end <= byteLength))
      throw new Error(`bytes ${start} to ${end} of a file of ${byteLength}`);
    if (size > MAX_CHUNK) throw new Error(`a column of ${size} bytes in one row group, more than ${MAX_CHUNK}`);
    const bytes = Buffer.from(new ArrayBuffer(size));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, size - at, start + at);
      if (bytesRead === 0) throw new Error("the file became shorter while it was read");
      at += bytesRead;
    }
    return bytes.buffer;
  };
  return {
    byteLength,
    slice: (start, end) => {
      const reading = read(start, end);
      reading.catch(() => undefined); // the library starts reads that it may never await
      return reading;
    },
  };
}

async function expectModestFooter(buffer: AsyncBuffer): Promise<void> {
  if (buffer.byteLength < 12) throw new Error("it is too short");
  const view = new DataView(await buffer.slice(buffer.byteLength - 8));
  const length = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0x31524150) throw new Error("it does not end with 'PAR1'");
  if (length > buffer.byteLength - 8) throw new Error(`metadata of ${length} bytes in a file of ${buffer.byteLength}`);
  if (length > MAX_METADATA) throw new Error(`metadata of ${length} bytes, more than ${MAX_METADATA}`);
}

/**
 * Checks that every column of a row group is a leaf of the schema: the library starts reading before it notices that
 * one is missing.
 */
function expectSoundSchema({ schema, row_groups: groups }: FileMetaData): void {
  const leaves = new Set<string>();
  const walk = (at: number, path: readonly string[]): number => {
    const element = schema[at];
    if (!element) throw new Error("a schema that ends too early");
    if (path.length > MAX_LEVELS) throw new Error(`more than ${MAX_LEVELS} levels of lists and structs`);
    if (!element.num_children) {
      leaves.add(JSON.stringify(path));
      return at + 1;
    }
    let next = at + 1;
    for (let i = 0; i < element.num_children; i++) next = walk(next, [...path, schema[next]?.name ?? ""]);
    return next;
  };
  if (walk(0, []) !== schema.length) throw new Error("a schema that does not end where it should");
  for (const { columns } of groups) {
    const seen = new Set<string>();
    for (const { meta_data } of columns) {
      const path = JSON.stringify(meta_data?.path_in_schema);
      if (!leaves.has(path)) throw new Error(`a column ${excerpt(path)} that the schema does not name`);
      if (seen.has(path)) throw new Error(`the column ${excerpt(path)} twice in a row group`);
      seen.add(path);
    }
  }
}

type Unpack = (input: Uint8Array, length: number) => Uint8Array;

/** Decompressors that write no more than requested: one compressed byte may expand to thousands. */
export async function limitedCompressors(): Promise<Compressors> {
  const { compressors, decompressZstd } = await import("hyparquet-compressors");
  let total = 0;
  const limited =
    (unpack: Unpack): Unpack =>
    (input, length) => {
      if (!(length >= 0 && length <= MAX_PAGE)) throw new Error(`a page of ${length} bytes, more than ${MAX_PAGE}`);
      if ((total += length) > MAX_CHUNK) throw new Error(`a column of more than ${MAX_CHUNK} bytes in one row group`);
      return length === 0 ? new Uint8Array(0) : unpack(input, length);
    };
  const zstd: Unpack = (input, length) => {
    const declared = zstdLength(input);
    if (declared !== undefined && declared !== length) throw new Error(`a page of ${declared} bytes, not ${length}`);
    return decompressZstd(input, new Uint8Array(length));
  };
  return {
    SNAPPY: limited(compressors.SNAPPY!),
    LZ4: limited(compressors.LZ4!),
    LZ4_RAW: limited(compressors.LZ4_RAW!),
    ZSTD: limited(zstd),
    GZIP: limited((input, length) => gunzipSync(input, { maxOutputLength: length })),
    BROTLI: limited((input, length) => brotliDecompressSync(input, { maxOutputLength: length })),
  };
}

/** The decompressed size that a Zstandard frame declares; most writers include it. */
function zstdLength(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 14 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = frame[4]!;
  const isSingle = ((descriptor >> 5) & 1) === 1;
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const size = descriptor >> 6;
  if (size === 0) return isSingle ? view.getUint8(at) : undefined;
  if (size === 1) return view.getUint16(at, true) + 256;
  return size === 2 ? view.getUint32(at, true) : undefined;
}

/** Turns any error of the library into an InputError. */
async function blaming<T>(place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`Expected a Parquet file that can be read at ${place}, but: ${reasonOf(error as Error)}`, {
      cause: error,
    });
  }
}

/** The library's own words, unless they are about its code or a value that it did not expect. */
function reasonOf({ name, message }: Error): string {
  const isInternal = name !== "Error" || /\bundefined\b|\bNaN\b|"\w+" argument/.test(message);
  return isInternal ? "it is damaged" : excerpt(message, 200);
}

/** The value in JSON types. The exact numbers are remembered alongside. */
function jsonValue(value: unknown, schema: SchemaTree | undefined, keepNulls: boolean): unknown {
  if (typeof value === "bigint" || value instanceof PyFloat) return Number(value);
  if (value === undefined) return null;
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    const list: unknown[] = value.map((each) => jsonValue(each, item, keepNulls));
    value.forEach((each, i) => rememberNumber(list, i, exactNumber(each, item)));
    return list;
  }
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const fields = Object.entries(value).map(([key, each]) => [key, jsonValue(each, fieldOf(schema, key), keepNulls)] as const);
  const object = Object.fromEntries(keepNulls ? fields : fields.filter(([key, each]) => each !== null || key === "content"));
  for (const [key, each] of Object.entries(value)) rememberNumber(object, key, exactNumber(each, fieldOf(schema, key)));
  return object;
}

/** A number as Python reads it: Arrow's doubles are floats, whatever their value. */
function exactNumber(value: unknown, schema: SchemaTree | undefined): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? undefined : value;
  if (typeof value !== "number") return value; // numbers in JSON are already exact
  const { type, converted_type: converted } = schema?.element ?? {};
  const isInteger = (type === "INT32" || type === "INT64") && converted !== "DECIMAL";
  return schema && !isInteger ? floatOf(value) : undefined;
}

/** The type of a list's items. */
function itemOf(schema: SchemaTree | undefined): SchemaTree | undefined {
  if (schema?.element.converted_type !== "LIST") return schema;
  const repeated = schema.children[0];
  return repeated?.children.length === 1 ? repeated.children[0] : repeated;
}

/** The type of a struct's field or a map's value; undefined within JSON. */
function fieldOf(schema: SchemaTree | undefined, name: string): SchemaTree | undefined {
  if (schema?.element.converted_type === "MAP")
    return schema.children[0]?.children.find(({ element }) => element.name === "value");
  return schema?.children.find(({ element }) => element.name === name);
}
