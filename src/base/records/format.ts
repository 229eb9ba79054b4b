/**
 * The layout of a file of records. Every part can be verified on its own, so that damage affects only the records it
 * touches.
 *
 * A file begins with {@link FILE_HEADER}. A record is, in little endian:
 *
 *     marker 8 · key 32 · length of the value 4 · kind 4 · zeros 4 · CRC-32 of all that 4 · value · digest 16
 *
 * The digest is the start of the SHA-256 of everything before it, so a value is never mistaken for that of another key.
 * A file that its writer has closed ends with a table of its records, itself a record, and a trailer that points to it,
 * so that opening the file does not require a scan.
 */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";

export const FILE_HEADER = Buffer.from("smaug records 1\n", "latin1");
const KEY_BYTES = 32;
/** A multiple of 8: in memory, values are aligned for typed arrays. */
export const HEADER_BYTES = 56;
const DIGEST_BYTES = 16;
/** Values are read into memory whole. */
const MAX_VALUE_BYTES = 2 ** 28;

/** Not text, and no byte repeats, so that a search for it never has to back up. */
export const MARKER = Buffer.from("d79a8c1bf3e46a05", "hex");
const END_MARKER = Buffer.from("d79a8c1bf3e46aff", "hex");
const TRAILER_BYTES = 16;

export type RecordKind = "value" | "table";
const KINDS: readonly RecordKind[] = ["value", "table"];

export interface RecordHeader {
  readonly kind: RecordKind;
  /** Bytes of the value. */
  readonly length: number;
}

/** Bytes of a record with a value of `length` bytes. */
export function recordBytes(length: number): number {
  return HEADER_BYTES + length + DIGEST_BYTES;
}

/** Writes a record into `target` at `at` and returns where it ends. */
export function writeRecord(target: Buffer, at: number, key: Uint8Array, value: Uint8Array, kind: RecordKind = "value"): number {
  if (key.length !== KEY_BYTES) throw new RangeError(`Expected a key of ${KEY_BYTES} bytes but received ${key.length}`);
  if (value.length > MAX_VALUE_BYTES)
    throw new RangeError(`Expected a value of at most ${MAX_VALUE_BYTES} bytes but received ${value.length}`);
  MARKER.copy(target, at);
  target.set(key, at + 8);
  target.writeUInt32LE(value.length, at + 40);
  target.writeUInt32LE(KINDS.indexOf(kind), at + 44);
  target.writeUInt32LE(0, at + 48);
  target.writeUInt32LE(crc32(target.subarray(at, at + 52)), at + 52);
  target.set(value, at + HEADER_BYTES);
  const end = at + HEADER_BYTES + value.length;
  digest(target.subarray(at, end)).copy(target, end);
  return end + DIGEST_BYTES;
}

/** The header at `at`; undefined if it is incomplete or damaged. */
export function headerAt(bytes: Buffer, at: number): RecordHeader | undefined {
  if (at + HEADER_BYTES > bytes.length || MARKER.compare(bytes, at, at + 8) !== 0) return undefined;
  if (crc32(bytes.subarray(at, at + 52)) !== bytes.readUInt32LE(at + 52)) return undefined;
  const kind = KINDS[bytes.readUInt32LE(at + 44)];
  const length = bytes.readUInt32LE(at + 40);
  return kind === undefined || length > MAX_VALUE_BYTES ? undefined : { kind, length };
}

/** Whether bytes are a record of that kind with a value of `length` bytes, undamaged. */
function isIntact(bytes: Buffer, kind: RecordKind, length: number): boolean {
  if (bytes.length !== recordBytes(length)) return false;
  const header = headerAt(bytes, 0);
  if (header?.kind !== kind || header.length !== length) return false;
  return digest(bytes.subarray(0, -DIGEST_BYTES)).equals(bytes.subarray(-DIGEST_BYTES));
}

function digest(bytes: Buffer): Buffer {
  return hash("sha256", bytes, "buffer").subarray(0, DIGEST_BYTES);
}

/** A table's entry for a record: the first 8 bytes of its key, its place (8), the length of its value (4). */
const ENTRY_BYTES = 20;
const TABLE_KEY = Buffer.alloc(KEY_BYTES);

/** Receives a record that was found; the key's first 8 bytes are at `at` in `bytes`. */
export type Found = (bytes: Buffer, at: number, position: number, length: number) => void;

/** Collects the table of a file as it is written. */
export class TableBuilder {
  private entries = Buffer.alloc(1024 * ENTRY_BYTES);
  private size = 0;

  add(key: Uint8Array, position: number, length: number): void {
    if (this.size === this.entries.length) this.entries = Buffer.concat([this.entries], 2 * this.size);
    this.entries.set(key.subarray(0, 8), this.size);
    this.entries.writeDoubleLE(position, this.size + 8);
    this.entries.writeUInt32LE(length, this.size + 16);
    this.size += ENTRY_BYTES;
  }

  /** The end of a file whose records end at `position`; empty when there are too many of them for a table. */
  end(position: number): Buffer {
    if (this.size > MAX_VALUE_BYTES) return Buffer.alloc(0);
    const bytes = Buffer.alloc(recordBytes(this.size) + TRAILER_BYTES);
    const at = writeRecord(bytes, 0, TABLE_KEY, this.entries.subarray(0, this.size), "table");
    bytes.writeDoubleLE(position, at);
    END_MARKER.copy(bytes, at + 8);
    return bytes;
  }
}

/** Reads bytes of a file; fewer than requested at its end. */
export type Read = (position: number, length: number) => Buffer;

/** Whether the trailer of a file of `size` bytes is at `position`. */
export function isTrailer(read: Read, position: number, size: number): boolean {
  return size - position === TRAILER_BYTES && END_MARKER.equals(read(position + 8, 8));
}

/** Reads the table at the end of a file. Returns false, without calling `found`, if there is no intact table. */
export function readTable(read: Read, size: number, found: Found): boolean {
  const trailer = size - TRAILER_BYTES;
  if (trailer < 0 || !isTrailer(read, trailer, size)) return false;
  const start = read(trailer, 8).readDoubleLE(0);
  if (!(Number.isSafeInteger(start) && start >= FILE_HEADER.length && start < trailer)) return false;
  const header = headerAt(read(start, HEADER_BYTES), 0);
  if (header?.kind !== "table" || start + recordBytes(header.length) !== trailer) return false;
  const table = read(start, recordBytes(header.length));
  if (!isIntact(table, "table", header.length)) return false;
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= HEADER_BYTES + header.length; at += ENTRY_BYTES)
    found(table, at, table.readDoubleLE(at + 8), table.readUInt32LE(at + 16));
  return true;
}

/** Reads the record at a known position; undefined if it is damaged. */
export function readRecord(read: Read, position: number, length: number): Buffer | undefined {
  const bytes = read(position, recordBytes(length));
  return isIntact(bytes, "value", length) ? bytes : undefined;
}

/** The key and the value of a record, without copying. */
export const keyOf = (record: Buffer): Buffer => record.subarray(8, 8 + KEY_BYTES);
export const valueOf = (record: Buffer): Buffer => record.subarray(HEADER_BYTES, -DIGEST_BYTES);
