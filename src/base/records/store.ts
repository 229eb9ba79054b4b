/**
 * A key-value store in a folder, with 32-byte keys, that processes share. Every read is verified: a damaged record
 * counts as missing. Each process appends to its own file, so that writes cannot interfere, not even on network file
 * systems, and a torn write is the last thing in its file. Files are merged when there are too many.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { flushFolder, makeFolder } from "../files/wholeFiles";
import { FILE_HEADER, keyOf, readRecord, readTable, recordBytes, TableBuilder, valueOf, writeRecord } from "./format";
import { mergeFiles, mergeSmallFiles } from "./merge";
import { RecordIndex } from "./recordIndex";
import { scanRecords } from "./scan";
import { fileIdentity, listSegments, newSegmentName, OpenFile, readAt, type SegmentName } from "./segments";

interface Segment {
  name: SegmentName | undefined; // undefined for a file that this store has written
  readonly number: number;
  readonly descriptor: number;
  /** Where the next scan begins, or the next record is written. */
  end: number;
  damagedBytes: number;
  damagedValues: number;
  records: number;
}

/** The file that this store appends to. */
interface Writer {
  readonly segment: Segment;
  readonly path: string;
  readonly closedPath: string;
  readonly table: TableBuilder;
}

/** Bytes of values that are written at a time. */
const PART = 2 ** 25;

export type RecordEntry = readonly [key: Uint8Array, value: Uint8Array];

export class RecordStore {
  private readonly index = new RecordIndex();
  private readonly segments: Segment[] = [];
  /** By name and by device and inode; undefined for what cannot be used. */
  private readonly known = new Map<string, Segment | undefined>();
  private readonly unusable: string[] = [];
  private writer: Writer | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private isFresh = false;
  private isClosed = false;

  private constructor(
    readonly folder: string,
    private readonly name: string,
  ) {}

  /**
   * Opens the store of that name in a folder that exists. Several stores can share a folder.
   *
   * ```ts
   * const store = await RecordStore.open(folder, "logprobs-2");
   * await store.put([[key, value]]);
   * store.get(key); // the value
   * await store.close();
   * ```
   */
  static async open(folder: string, name: string): Promise<RecordStore> {
    await mergeSmallFiles(folder, name);
    const store = new RecordStore(folder, name);
    store.refresh();
    await store.replaceDamagedFiles();
    return store;
  }

  /**
   * The value of a key, if there is one that is intact, in new memory and aligned to 8 bytes. Sees what other processes
   * have stored by then.
   */
  get(key: Uint8Array): Uint8Array | undefined {
    const wanted = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
    return this.find(wanted) ?? (this.refresh() ? this.find(wanted) : undefined);
  }

  /**
   * Stores entries. They survive a power cut when the promise is fulfilled; when it is rejected, with the error of the
   * file system, what was stored before is as it was.
   */
  put(entries: Iterable<RecordEntry>): Promise<void> {
    const parts = inParts([...entries]);
    const done = this.queue.then(async () => {
      for (const part of parts) await this.append(part);
    });
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Describes what could not be used since the last call, one line per file. */
  takeProblems(): string[] {
    const problems = this.unusable.splice(0);
    for (const segment of this.segments) {
      const { damagedBytes, damagedValues, name } = segment;
      const found = [
        ...(damagedBytes > 0 ? [`${damagedBytes} damaged bytes`] : []),
        ...(damagedValues > 0 ? [`${damagedValues} damaged ${damagedValues === 1 ? "value" : "values"}`] : []),
      ];
      if (found.length > 0) problems.push(`${join(this.folder, name?.file ?? this.name)} has ${found.join(" and ")}`);
      segment.damagedBytes = segment.damagedValues = 0;
    }
    return problems;
  }

  async close(): Promise<void> {
    await this.queue;
    if (this.isClosed) return;
    this.isClosed = true;
    await this.finishWriting();
    for (const { descriptor } of this.segments) closeSync(descriptor);
  }

  private find(key: Buffer): Uint8Array | undefined {
    for (const slot of this.index.slots(key)) {
      const { file, position, length } = this.index.at(slot);
      const segment = this.segments[file]!;
      const record = readIntact(segment.descriptor, position, length);
      if (record === undefined) {
        segment.damagedValues++;
        this.index.remove(slot);
      } else if (keyOf(record).equals(key)) {
        return valueOf(record);
      }
    }
    return undefined;
  }

  /**
   * Looks for what other processes have written, at most once until the caller awaits something. Returns whether there
   * was anything.
   */
  private refresh(): boolean {
    if (this.isFresh) return false;
    this.isFresh = true;
    queueMicrotask(() => (this.isFresh = false));
    let hasNew = false;
    // A file that is gone before it is opened was renamed or merged in the meantime.
    for (let tries = 0, isComplete = false; !isComplete && tries < 10; tries++) {
      isComplete = true;
      for (const name of this.list()) {
        const result = this.known.has(name.file) ? this.extend(this.known.get(name.file)) : this.include(name);
        if (result === "gone") isComplete = false;
        else if (result) hasNew = true;
      }
    }
    return hasNew;
  }

  private list(): SegmentName[] {
    try {
      return listSegments(this.folder, this.name);
    } catch (error) {
      // The user may remove the whole folder; what is open can still be read.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** Opens a file and adds its records to the index. Returns whether there were any. */
  private include(name: SegmentName): boolean | "gone" {
    const path = join(this.folder, name.file);
    let file: OpenFile;
    try {
      file = OpenFile.open(path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return "gone";
      this.known.set(name.file, undefined);
      this.unusable.push(`${path} cannot be used: ${message}`);
      return false;
    }
    const identity = fileIdentity(file.stats);
    const renamed = this.known.get(identity);
    this.known.set(name.file, renamed);
    if (renamed) {
      file.close();
      if (renamed.name) renamed.name = name;
      return this.extend(renamed);
    }
    const segment = this.addSegment(name, file.descriptor);
    this.known.set(name.file, segment).set(identity, segment);
    return this.scan(segment, path, file.stats.size);
  }

  /** Adds what was appended to a file since the last scan. */
  private extend(segment: Segment | undefined): boolean {
    if (!segment?.name || segment === this.writer?.segment) return false;
    const { size } = fstatSync(segment.descriptor);
    return size > segment.end && this.scan(segment, join(this.folder, segment.name.file), size);
  }

  private scan(segment: Segment, path: string, size: number): boolean {
    const before = segment.records;
    const found = (bytes: Buffer, at: number, position: number, length: number) => {
      this.index.add(bytes, at, segment.number, position, length);
      segment.records++;
    };
    const { descriptor, end } = segment;
    try {
      if (end === 0 && readTable((position, length) => readAt(descriptor, position, length), size, found)) {
        segment.end = size;
      } else {
        const scan = scanRecords(descriptor, end, size, found);
        segment.end = scan.end;
        segment.damagedBytes += scan.damaged;
        // A writer that was killed, or that is writing, leaves half a record at the end. One that has closed does not.
        if (segment.name!.isClosed) {
          segment.damagedBytes += size - scan.end;
          segment.end = size;
        }
      }
    } catch (error) {
      this.unusable.push(`${path} cannot be read: ${(error as Error).message}`);
      segment.end = size;
    }
    return segment.records > before;
  }

  private addSegment(name: SegmentName | undefined, descriptor: number): Segment {
    const number = this.segments.length;
    const segment = { name, number, descriptor, end: 0, damagedBytes: 0, damagedValues: 0, records: 0 };
    this.segments.push(segment);
    return segment;
  }

  /** Copies what is intact in damaged files into a new one, so that the damage is reported once. */
  private async replaceDamagedFiles(): Promise<void> {
    const damaged = this.segments.filter(
      ({ descriptor, damagedBytes, records }) =>
        damagedBytes > 0 && (records > 0 || readAt(descriptor, 0, FILE_HEADER.length).equals(FILE_HEADER)),
    );
    const names = damaged.map(({ name }) => name!).filter((name) => !name.isLive(join(this.folder, name.file)));
    if (names.length > 0) await mergeFiles(this.folder, this.name, names);
  }

  private async append(entries: readonly RecordEntry[]): Promise<void> {
    if (this.isClosed) throw new Error("Expected an open store but received one that is closed");
    const bytes = Buffer.allocUnsafe(entries.reduce((sum, [, value]) => sum + recordBytes(value.length), 0));
    const starts: number[] = [];
    let at = 0;
    for (const [key, value] of entries) {
      starts.push(at);
      at = writeRecord(bytes, at, key, value);
    }
    // A process that mistakes this one for dead may claim its file; it copies what is in it by then.
    for (let tries = 0; tries < 3; tries++) {
      const writer = (this.writer ??= this.createSegment());
      const { segment, path, table } = writer;
      const from = Math.max(segment.end, FILE_HEADER.length);
      await this.write(writer, segment.end === 0 ? Buffer.concat([FILE_HEADER, bytes]) : bytes);
      if (segment.records === 0) await flushFolder(this.folder);
      for (const [i, [key, value]] of entries.entries()) {
        const position = from + starts[i]!;
        this.index.add(bytes, starts[i]! + 8, segment.number, position, value.length);
        table.add(key, position, value.length);
      }
      segment.records += entries.length;
      if (isAt(path, segment.descriptor)) return;
      this.writer = undefined;
    }
    throw new Error(`Expected files in ${this.folder} to stay in place but something removes or renames them`);
  }

  private createSegment(): Writer {
    const { live, closed } = newSegmentName(this.name);
    const path = join(this.folder, live);
    makeFolder(this.folder);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o666);
    const segment = this.addSegment(undefined, descriptor);
    this.known.set(fileIdentity(fstatSync(descriptor)), segment);
    return { segment, path, closedPath: join(this.folder, closed), table: new TableBuilder() };
  }

  /** Appends bytes and flushes them, or leaves the file as it was. */
  private async write({ segment, path }: Writer, bytes: Buffer): Promise<void> {
    const { descriptor, end } = segment;
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, end + done);
      await promisify(fdatasync)(descriptor);
      segment.end += bytes.length;
    } catch (error) {
      // After a failed flush the state on the disk is unknown: the next records go into another file.
      this.writer = undefined;
      attempt(() => ftruncateSync(descriptor, end));
      if (end === 0 && isAt(path, descriptor)) attempt(() => rmSync(path));
      throw error;
    }
  }

  /**
   * Ends the file of this store with its table. Without one, for example on a full disk, it is complete but slower to
   * open.
   */
  private async finishWriting(): Promise<void> {
    const { writer } = this;
    if (!writer || !isAt(writer.path, writer.segment.descriptor)) return;
    await this.write(writer, writer.table.end(writer.segment.end)).catch(() => undefined);
    attempt(() => renameSync(writer.path, writer.closedPath));
  }
}

/** Entries in lists of about 32 MiB each: what is written at a time is in memory twice. */
function inParts(entries: readonly RecordEntry[]): RecordEntry[][] {
  const parts: RecordEntry[][] = [];
  let room = 0;
  for (const entry of entries) {
    if (room <= 0) {
      parts.push([]);
      room = PART;
    }
    parts.at(-1)!.push(entry);
    room -= entry[1].length;
  }
  return parts;
}

/** A record that cannot be read, because of a bad sector for instance, is as good as damaged. */
function readIntact(descriptor: number, position: number, length: number): Buffer | undefined {
  try {
    return readRecord((at, size) => readAt(descriptor, at, size), position, length);
  } catch {
    return undefined;
  }
}

/** Whether a path leads to an open file. */
function isAt(path: string, descriptor: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && fileIdentity(there) === fileIdentity(fstatSync(descriptor));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The file system has failed already.
  }
}
