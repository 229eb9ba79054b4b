/**
 * The header of a safetensors file (https://github.com/huggingface/safetensors): eight bytes of length, then JSON that
 * gives each tensor's dtype, shape and place in the bytes that follow. Checked as the Rust library does it, so that
 * the tensors leave no gap, do not overlap and end where the file ends; a name that occurs twice is an error too.
 */

import { parseJson } from "../../../base/files/inputFiles";
import { isObject, shown } from "../../../base/values";
import type { DType } from "../../../torch";
import { asFolderError, FolderError } from "../../folder";
import { expectPlace } from "../bytePlace";

/** The format's dtypes that libtorch has, and the bytes of one element. Its 4-bit and 6-bit ones are left out. */
const formatDTypes = {
  F64: ["float64", 8],
  F32: ["float32", 4],
  F16: ["float16", 2],
  BF16: ["bfloat16", 2],
  F8_E4M3: ["float8_e4m3fn", 1],
  F8_E5M2: ["float8_e5m2", 1],
  C64: ["complex64", 8],
  I64: ["int64", 8],
  I32: ["int32", 4],
  I16: ["int16", 2],
  I8: ["int8", 1],
  U64: ["uint64", 8],
  U32: ["uint32", 4],
  U16: ["uint16", 2],
  U8: ["uint8", 1],
  BOOL: ["bool", 1],
} as const satisfies Record<string, [DType, number]>;

type FormatDType = keyof typeof formatDTypes;

const formatNames = new Map<DType, FormatDType>(
  Object.entries(formatDTypes).map(([name, [dtype]]) => [dtype, name as FormatDType]),
);

/** Bytes: room for some 200,000 tensors. The Rust library allows 100 MB, which would need gigabytes once parsed. */
const HEADER_LIMIT = 32 * 2 ** 20;
/** NumPy's and libtorch's. */
const MAX_DIMENSIONS = 64;
export const LENGTH_BYTES = 8;

/** One tensor of a file. */
export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes of one element. */
  readonly itemSize: number;
  /** Its first byte, counted from the start of the file. */
  readonly start: number;
  /** The byte after its last. */
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The header's length in bytes, from the first eight of a file of `fileSize` bytes. */
export function headerLength(file: string, first: Buffer, fileSize: number): number {
  if (first.length < LENGTH_BYTES)
    throw new FolderError(`Expected a safetensors file at ${file} but received ${fileSize} bytes; it is cut short`);
  const length = first.readBigUInt64LE(0);
  if (length > HEADER_LIMIT)
    throw new FolderError(
      `Expected a safetensors header of at most ${HEADER_LIMIT} bytes in ${file} but received ${length}; ` +
        "this is another kind of file, or it is damaged",
    );
  if (LENGTH_BYTES + Number(length) > fileSize)
    throw new FolderError(
      `Expected a header of ${length} bytes in ${file} but received ${fileSize - LENGTH_BYTES}; it is cut short`,
    );
  return Number(length);
}

/** Reads and checks a header, for a file of `fileSize` bytes. */
export function parseHeader(file: string, bytes: Buffer, fileSize: number): SafetensorsHeader {
  const json = parse(file, bytes);
  const { __metadata__: metadata = {}, ...tensors } = json;
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== "string"))
    throw new FolderError(`Expected strings by name for '__metadata__' of ${file} but received ${shown(metadata)}`);

  const dataStart = LENGTH_BYTES + bytes.length;
  const entries = new Map(Object.entries(tensors).map(([name, info]) => [name, readEntry(file, name, info, dataStart)]));
  checkPlaces(file, entries, dataStart, fileSize);
  return { entries, metadata: metadata as Record<string, string> };
}

/**
 * The header for tensors that follow one another in the order given, its length first. Padded with spaces, so that the
 * data starts at a multiple of eight bytes.
 */
export function formatHeader(
  tensors: Iterable<{ name: string; dtype: DType; shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const json: [string, unknown][] = [["__metadata__", metadata]];
  let start = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = start + byteSize(dtype, shape);
    json.push([name, { dtype: formatNames.get(dtype), shape, data_offsets: [start, end] }]);
    start = end;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(json)));
  const padded = Math.ceil(text.length / 8) * 8;
  const header = Buffer.alloc(LENGTH_BYTES + padded, " ");
  header.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(header, LENGTH_BYTES);
  return header;
}

/** Bytes of one element, or undefined when the format has no such dtype. */
export function itemSizeOf(dtype: DType): number | undefined {
  const name = formatNames.get(dtype);
  return name && formatDTypes[name][1];
}

export function byteSize(dtype: DType, shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, itemSizeOf(dtype)!);
}

function parse(file: string, bytes: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new FolderError(`Expected UTF-8 for the header of ${file} but received: ${(error as Error).message}`);
  }
  const json = asFolderError(() => parseJson(text, `the header of ${file}`, "tensors by name"));
  if (!text.startsWith("{"))
    throw new FolderError(`Expected the header of ${file} to start with '{' but received ${shown(text)}`);
  const twice = colonsIn(text) === keysOf(json as Record<string, unknown>) ? undefined : repeatedKey(text);
  if (twice !== undefined)
    throw new FolderError(`Expected each name once in the header of ${file} but received '${twice}' twice`);
  return json as Record<string, unknown>;
}

/** Colons outside strings. In valid JSON there is one for each key. */
function colonsIn(json: string): number {
  let colons = 0;
  for (let at = 0, inString = false; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === 34)
      inString = !inString; // "
    else if (code === 92)
      at++; // a backslash, which only strings have
    else if (code === 58 && !inString) colons++; // :
  }
  return colons;
}

/** Keys of a header and of the objects in it. */
function keysOf(json: Record<string, unknown>): number {
  const infos = Object.values(json);
  return infos.reduce((sum: number, info) => sum + (isObject(info) ? Object.keys(info).length : 0), infos.length);
}

/** A key that occurs twice in one object of valid JSON; `JSON.parse` would silently keep the last one. */
function repeatedKey(json: string): string | undefined {
  const keys: Set<string>[] = []; // of the objects that are open
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}]/g)) {
    if (token === "{") keys.push(new Set());
    else if (token === "}") keys.pop();
    else if (token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      if (keys.at(-1)!.has(key)) return key;
      keys.at(-1)!.add(key);
    }
  }
  return undefined;
}

function readEntry(file: string, name: string, info: unknown, dataStart: number): TensorEntry {
  const fail = (expected: string, value: unknown) =>
    new FolderError(`Expected ${expected} of '${name}' in ${file} but received ${shown(value)}`);
  if (!isObject(info)) throw fail("dtype, shape and data_offsets", info);
  const { dtype: format, shape, data_offsets: offsets } = info;
  if (typeof format !== "string" || !Object.hasOwn(formatDTypes, format))
    throw fail(`one of ${Object.keys(formatDTypes).join(", ")} for the dtype`, format);
  if (!isSizes(shape)) throw fail("non-negative integers for the shape", shape);
  if (shape.length > MAX_DIMENSIONS) throw fail(`at most ${MAX_DIMENSIONS} dimensions for the shape`, shape.length);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!)
    throw fail("a start and an end for the data_offsets", offsets);

  const [dtype, itemSize] = formatDTypes[format as FormatDType];
  const [start, end] = offsets as [number, number];
  const bytes = byteSize(dtype, shape);
  if (bytes !== end - start) throw fail(`${bytes} bytes (${format}, [${shape.join(", ")}]) for the data`, end - start);
  return { dtype, shape, itemSize, start: dataStart + start, end: dataStart + end };
}

/** Tensors must lie end to end, from the end of the header to the end of the file. */
function checkPlaces(file: string, entries: Map<string, TensorEntry>, dataStart: number, fileSize: number): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let at = dataStart;
  for (const [name, place] of inOrder) {
    expectPlace(name, place, at, file, fileSize);
    at = place.end;
  }
  if (at !== fileSize)
    throw new FolderError(`Expected ${file} to end after its tensors, at byte ${at}, but received ${fileSize} bytes`);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
