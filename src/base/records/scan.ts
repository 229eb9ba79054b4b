/**
 * Finds the records of a file by their headers, without reading large values. After damage it searches for the next
 * intact header.
 */
import { readSync } from "node:fs";
import { FILE_HEADER, type Found, HEADER_BYTES, headerAt, isTrailer, MARKER, type RecordHeader, recordBytes } from "./format";

/** Bytes read at a time. */
const WINDOW = 2 ** 18;
/** A file of zeros or of markers, however large, takes a second at most; the rest of it then counts as damaged. */
const MAX_SEARCHED = 2 ** 28;
const MAX_FALSE_MARKERS = 10 ** 5;

export interface Scan {
  /** The end of the last record that was found; what follows may be a record that is being written. */
  readonly end: number;
  /** Bytes before `end` that belong to no record. */
  readonly damaged: number;
  /** Whether the file ends with the trailer of one that its writer has closed. */
  readonly closed: boolean;
}

/** Scans the first `size` bytes of a file, from the beginning or from the `end` of an earlier scan. */
export function scanRecords(descriptor: number, from: number, size: number, found: Found): Scan {
  const window = new Window(descriptor, size);
  const hasHeader = from > 0 || window.read(0, FILE_HEADER.length).equals(FILE_HEADER);
  let end = from === 0 && hasHeader ? FILE_HEADER.length : from;
  let damaged = 0;
  let place = window.at(end) ?? window.find(end);
  while (place) {
    const { position, header }: Place = place;
    damaged += position - end;
    end = position;
    const next = position + recordBytes(header.length);
    if (next <= size) {
      if (header.kind === "value") window.report(position, header.length, found);
      end = next;
    }
    place = window.at(next);
    if (place || next === size) continue;
    if (isTrailer(window.read, next, size)) return { end: size, damaged, closed: true };
    // This record is truncated, or the header after it is damaged. Another may begin before this one ends.
    place = window.find(position + HEADER_BYTES);
    if (place && place.position < next) end = position;
  }
  return { end, damaged, closed: false };
}

/** Where a record begins, and its header. */
interface Place {
  readonly position: number;
  readonly header: RecordHeader;
}

/** A part of the file in memory. */
class Window {
  private readonly bytes: Buffer;
  private start = 0;
  private filled = 0;
  private searched = 0;
  private falseMarkers = 0;

  constructor(
    private readonly descriptor: number,
    private readonly size: number,
  ) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(HEADER_BYTES, Math.min(WINDOW, size)));
  }

  /** Up to `length` bytes, which the next call may replace. */
  readonly read = (position: number, length: number): Buffer => {
    const from = this.load(position, length);
    return this.bytes.subarray(from, Math.min(from + length, this.filled));
  };

  /** The record that begins at `position`, if its header is intact. */
  at(position: number): Place | undefined {
    if (position + HEADER_BYTES > this.size) return undefined;
    const at = this.load(position, HEADER_BYTES);
    const header = at + HEADER_BYTES <= this.filled ? headerAt(this.bytes, at) : undefined;
    return header && { position, header };
  }

  report(position: number, length: number, found: Found): void {
    found(this.bytes, this.load(position, HEADER_BYTES) + 8, position, length);
  }

  /** The first intact header at or after `position`. */
  find(position: number): Place | undefined {
    while (position + HEADER_BYTES <= this.size && this.searched < MAX_SEARCHED && this.falseMarkers < MAX_FALSE_MARKERS) {
      const from = this.load(position, HEADER_BYTES);
      const part = this.bytes.subarray(0, this.filled);
      if (this.filled - from < HEADER_BYTES) return undefined; // the file has become shorter
      const at = part.indexOf(MARKER, from);
      // The last bytes may be the beginning of a marker.
      const next = this.start + (at < 0 ? this.filled - MARKER.length + 1 : at);
      this.searched += next - position;
      position = next;
      if (at < 0) continue;
      const place = this.at(position);
      if (place) return place;
      this.falseMarkers++;
      position++;
    }
    return undefined;
  }

  /** Makes sure that `length` bytes at `position` are in memory, if the file has them, and returns where. */
  private load(position: number, length: number): number {
    const end = Math.min(position + length, this.size);
    if (position >= this.start && end <= this.start + this.filled) return position - this.start;
    this.start = position;
    this.filled = 0;
    const wanted = Math.min(this.bytes.length, this.size - position);
    while (this.filled < wanted) {
      const read = readSync(this.descriptor, this.bytes, this.filled, wanted - this.filled, position + this.filled);
      if (read === 0) break;
      this.filled += read;
    }
    return 0;
  }
}
