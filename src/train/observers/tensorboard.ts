/**
 * Scalars as TensorBoard's event files: TFRecords (length, masked CRC-32C, data, masked CRC-32C) that hold `Event`
 * protocol buffers of a wall time, a step and summaries. Only scalars. No maintained npm package writes them.
 */
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { appendWhole, makeFolder } from "../../base/files/wholeFiles";

export class TensorBoardWriter {
  readonly file: string;
  /** Records that are not in the file yet. */
  private pending: Buffer[] = [];

  /** A new event file in `folder`, as TensorBoard's own writer begins at each start. The first `flush` creates it. */
  constructor(folder: string, now: () => number = Date.now) {
    const seconds = Math.floor(now() / 1000);
    this.file = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.0`);
    this.append(Buffer.concat([double(1, now() / 1000), bytes(3, Buffer.from("brain.Event:2"))]));
  }

  /** Adds scalars by tag, for the next `flush`. */
  add(step: number, scalars: Readonly<Record<string, number>>, now = Date.now()): void {
    const values = Object.entries(scalars).map(([tag, value]) =>
      bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
    );
    this.append(Buffer.concat([double(1, now / 1000), varint(2, step), bytes(5, Buffer.concat(values))]));
  }

  /** Writes what was added. When that fails the file holds whole records only, and the next call tries again. */
  flush(): void {
    if (this.pending.length === 0) return;
    makeFolder(dirname(this.file));
    appendWhole(this.file, Buffer.concat(this.pending));
    this.pending = [];
  }

  private append(event: Buffer): void {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(event.length));
    this.pending.push(Buffer.concat([length, checksum(length), event, checksum(event)]));
  }
}

// Protocol buffers: a field is its number and wire type, then the value.

function double(field: number, value: number): Buffer {
  const encoded = Buffer.alloc(8);
  encoded.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), encoded]);
}

function float(field: number, value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeFloatLE(value);
  return Buffer.concat([key(field, 5), encoded]);
}

function varint(field: number, value: number): Buffer {
  return Buffer.concat([key(field, 0), unsigned(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([key(field, 2), unsigned(value.length), value]);
}

function key(field: number, wireType: number): Buffer {
  return unsigned((field << 3) | wireType);
}

/** Seven bits a byte, low ones first; the high bit says that more follow. */
function unsigned(value: number): Buffer {
  const encoded: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...encoded, rest]);
    encoded.push((rest % 128) | 128);
  }
}

/** TFRecord's masked CRC-32C (Castagnoli). */
function checksum(data: Buffer): Buffer {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ castagnoli[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
