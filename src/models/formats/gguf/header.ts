/**
 * The head of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata by key, and each
 * tensor's name, shape, type and place. Read as far as it goes, whatever its length; a count or a length that the file
 * cannot hold is an error before anything is made of it, and so is a head far larger than that of any model: a sparse
 * file holds whatever is claimed. `@huggingface/gguf` is not used: past the end of a file it
 * reads zeros. Left out: version 1, and files of big-endian machines.
 */

import { closeSync, fstatSync, readSync } from "node:fs";
import { openInput } from "../../../base/files/inputFiles";
import { shown } from "../../../base/values";
import { asFolderError, FolderError } from "../../folder";
import { KeyReader } from "../../keyReader";

export type GgufValue = number | boolean | string | readonly GgufValue[];

/** A tensor as the file describes it, not yet checked against the file. */
interface GgufTensorInfo {
  readonly name: string;
  /** As in PyTorch: the file has the innermost size first. */
  readonly shape: readonly number[];
  /** The number of its type, as ggml counts them. */
  readonly type: number;
  /** Its first byte, counted from the start of the file. */
  readonly start: number;
}

export interface GgufHeader {
  readonly file: string;
  readonly fileSize: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensorInfo[];
  /** Where the tensors begin, and the multiple of bytes at which each does. */
  readonly dataStart: number;
  readonly alignment: number;
}

const MAGIC = 0x46554747; // "GGUF"
const MAX_DIMENSIONS = 4; // ggml's
const MAX_NESTING = 4; // of arrays in metadata
/** Bytes read at first; then as many again. */
const FIRST_READ = 1 << 20;
/** Bytes of the head. A vocabulary of 262,144 tokens with its scores and merges takes some 20 MB. */
const MAX_HEAD = 128 * 2 ** 20;
/** Bytes of a name or text; the longest chat templates have some 20,000. */
const MAX_STRING = 16 * 2 ** 20;
/** Values in all arrays together: eight such vocabularies. */
const MAX_VALUES = 2 ** 23;
const MAX_TENSORS = 2 ** 17;
const MAX_PAIRS = 2 ** 16;

/** @throws FolderError when the file cannot be read, or its head is not right */
export function readGgufHeader(file: string): GgufHeader {
  const fd = asFolderError(() => openInput(file, "a GGUF file"));
  try {
    return parse(new Cursor(fd, file, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function parse(cursor: Cursor): GgufHeader {
  const { file, size: fileSize } = cursor;
  if (fileSize < 4 || cursor.uint32() !== MAGIC)
    throw new FolderError(`Expected a GGUF file at ${file} but it does not begin with "GGUF"`);
  const version = cursor.uint32();
  if (version !== 2 && version !== 3)
    throw new FolderError(
      `Expected version 2 or 3 of GGUF in ${file} but received ` +
        (version % 65_536 === 0 ? "a file of a big-endian machine" : version),
    );
  const tensorCount = cursor.count("tensors", { least: 24, most: MAX_TENSORS });
  const pairCount = cursor.count("metadata entries", { least: 13, most: MAX_PAIRS });

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw new FolderError(`Expected each key once in ${file} but received '${key}' twice`);
    metadata.set(key, readValue(cursor, cursor.uint32(), key));
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || !Number.isSafeInteger(Math.log2(alignment)))
    throw new FolderError(`Expected a power of two for 'general.alignment' in ${file} but received ${show(alignment)}`);

  const infos = Array.from({ length: tensorCount }, () => readTensorInfo(cursor));
  const dataStart = align(cursor.position, alignment);
  const tensors = infos.map((info) => ({ ...info, start: dataStart + info.start }));
  return { file, fileSize, metadata, tensors, dataStart, alignment };
}

/** A value for a message. */
export function show(value: GgufValue | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "object") return `a list of ${value.length}`;
  return typeof value === "string" ? shown(value) : String(value); // JSON has no bigint
}

/** The next multiple of `alignment`. */
export function align(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}

function readTensorInfo(cursor: Cursor): GgufTensorInfo {
  const name = cursor.string();
  const dimensions = cursor.uint32();
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS)
    throw new FolderError(
      `Expected 1 to ${MAX_DIMENSIONS} dimensions for '${name}' in ${cursor.file} but received ${dimensions}`,
    );
  const shape = Array.from({ length: dimensions }, () => cursor.uint64()).reverse();
  return { name, shape, type: cursor.uint32(), start: cursor.uint64() };
}

/** Reads a value of one of the format's thirteen types. */
function readValue(cursor: Cursor, type: number, key: string, nesting = 0): GgufValue {
  if (type === 8) return cursor.string();
  if (type === 9) {
    if (nesting === MAX_NESTING)
      throw new FolderError(`Expected arrays at most ${MAX_NESTING} deep for '${key}' in ${cursor.file}`);
    const itemType = cursor.uint32();
    const scalar = scalars.get(itemType);
    const count = cursor.values(key, scalar?.bytes ?? 1);
    if (!scalar) return Array.from({ length: count }, () => readValue(cursor, itemType, key, nesting + 1));
    const view = cursor.next(count * scalar.bytes);
    return Array.from({ length: count }, (_, i) => scalar.read(view, i * scalar.bytes));
  }
  const scalar = scalars.get(type);
  if (!scalar) throw new FolderError(`Expected a known type for '${key}' in ${cursor.file} but received number ${type}`);
  const value = scalar.read(cursor.next(scalar.bytes), 0);
  return type === 6 && nesting === 0 ? shortest(value as number) : value;
}

/** The types of fixed size, by their numbers. */
const scalars = new Map<number, Scalar>([
  [0, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [1, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [2, { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  [3, { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [4, { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  [5, { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [6, { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  [7, { bytes: 1, read: (view, at) => view.getUint8(at) !== 0 }],
  [10, { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
  [11, { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [12, { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
]);

interface Scalar {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | boolean;
}

/** The shortest decimal number with the same float32: 1e-5, where the float32 itself is 9.999999747378752e-6. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/** Reads on in a file; the part read so far is in memory. */
class Cursor {
  position = 0;
  private bytes = Buffer.alloc(0);
  private valuesLeft = MAX_VALUES;

  constructor(
    private readonly fd: number,
    readonly file: string,
    readonly size: number,
  ) {}

  /** A view of the next bytes. */
  next(length: number): DataView {
    const start = this.position;
    this.require(length);
    this.position += length;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, length);
  }

  uint32(): number {
    this.require(4);
    this.position += 4;
    return this.bytes.readUInt32LE(this.position - 4);
  }

  uint64(): number {
    this.require(8);
    this.position += 8;
    const low = this.bytes.readUInt32LE(this.position - 8);
    return this.bytes.readUInt32LE(this.position - 4) * 2 ** 32 + low;
  }

  /** How many things follow, of which each takes `least` bytes at least. */
  count(what: string, { least, most }: { least: number; most: number }): number {
    const count = this.uint64();
    if (count * least > this.size - this.position)
      throw new FolderError(
        `Expected ${count} ${what} in ${this.file} but only ${this.size - this.position} bytes follow; ` +
          "it is cut short or damaged",
      );
    if (count > most) throw new FolderError(`Expected at most ${most} ${what} in ${this.file} but received ${count}`);
    return count;
  }

  /** How many values an array has. */
  values(key: string, least: number): number {
    const count = this.count(`values of '${key}'`, { least, most: this.valuesLeft });
    this.valuesLeft -= count;
    return count;
  }

  string(): string {
    const length = this.uint64();
    if (length > MAX_STRING && this.position + length <= this.size)
      throw new FolderError(`Expected texts of at most ${MAX_STRING} bytes in ${this.file} but received ${length}`);
    this.require(length);
    this.position += length;
    return this.bytes.toString("utf8", this.position - length, this.position);
  }

  private require(length: number): void {
    const end = this.position + length;
    if (end <= this.bytes.length) return;
    if (end > this.size)
      throw new FolderError(
        `Expected ${length} bytes at byte ${this.position} of ${this.file} but it has ${this.size} bytes; ` +
          "its head is cut short or damaged",
      );
    if (end > MAX_HEAD)
      throw new FolderError(
        `Expected at most ${MAX_HEAD} bytes of metadata in ${this.file} but received ${length} at byte ${this.position}`,
      );
    const wanted = Math.min(this.size, MAX_HEAD, Math.max(end, FIRST_READ, 2 * this.bytes.length));
    const grown = Buffer.alloc(wanted);
    this.bytes.copy(grown);
    for (let at = this.bytes.length, got = -1; at < wanted; at += got) {
      got = readSync(this.fd, grown, at, wanted - at, at);
      if (got === 0) throw new FolderError(`Expected ${this.size} bytes in ${this.file} but it ends at ${at}`);
    }
    this.bytes = grown;
  }
}

/** Typed access to the metadata that names the key when a value does not fit. */
export class GgufMetadata extends KeyReader {
  readonly file: string;
  private readonly asked = new Set<string>();

  constructor(private readonly header: Pick<GgufHeader, "file" | "metadata">) {
    super();
    this.file = header.file;
  }

  get(key: string): GgufValue | undefined {
    this.asked.add(key);
    return this.header.metadata.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** A token's number, or undefined. */
  tokenId(key: string): number | undefined {
    const fits = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.has(key) ? this.read(key, "a token id", fits) : undefined;
  }

  number(key: string, fallback?: number): number {
    return this.read(key, "a number", Number.isFinite, fallback);
  }

  strings(key: string): readonly string[] {
    const isString = (value: unknown) => typeof value === "string";
    return this.read(key, "strings", (value) => Array.isArray(value) && value.every(isString));
  }

  numbers(key: string): readonly number[] {
    const isNumber = (value: unknown) => typeof value === "number";
    return this.read(key, "numbers", (value) => Array.isArray(value) && value.every(isNumber));
  }

  /** The keys with this prefix that nobody has asked for. */
  unread(prefix: string): string[] {
    return [...this.header.metadata.keys()].filter((key) => key.startsWith(prefix) && !this.asked.has(key));
  }

  protected read<T>(key: string, expected: string, fits: (value: unknown) => boolean, fallback?: T): T {
    const value = this.get(key) ?? fallback;
    if (fits(value)) return value as T;
    const found = show(value as GgufValue | undefined);
    throw new FolderError(`Expected ${expected} for '${key}' in ${this.file} but received ${found}`);
  }
}
