/**
 * The files of a store. A writer appends to its own file only, `NAME-CREATED-RANDOM-PID-STARTED-HOST.records`, and renames
 * it to `NAME-CREATED-RANDOM.records` when it closes it. A process that merges files renames those of killed writers to
 * `NAME-CREATED-RANDOM-unclosed.records` first: a writer that is alive after all notices, and continues in another file.
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, renameSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { hostDigest, stateOf, thisProcess } from "../processes";

const DAY = 24 * 3600 * 1000; // ms

/** A file of the store by its name. */
export interface SegmentName {
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Whether its writer has closed it; otherwise half a record may be at its end. */
  readonly isClosed: boolean;
  /** The name under which its writer no longer finds it. */
  readonly claimedName: string;
  /** Whether the writer may still append: it runs, or it ran on another host within the last day. */
  isLive(path: string): boolean;
}

/** The files of a store, the newest first. */
export function listSegments(folder: string, name: string): SegmentName[] {
  const pattern = new RegExp(`^(${name}-(\\d{13,15})-[0-9a-f]{8})(?:-(\\d+)-(\\d+)-([0-9a-f]{8})|(-unclosed))?\\.records$`);
  const found = readdirSync(folder).flatMap((file): SegmentName[] => {
    const [, stem, created, pid, started, host, unclosed] = pattern.exec(file) ?? [];
    if (stem === undefined) return [];
    const isLive = (path: string) => {
      if (pid === undefined) return false;
      if (host === hostDigest(thisProcess().host))
        return stateOf({ pid: Number(pid), started: Number(started), host: thisProcess().host }) === "running";
      const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      return Math.abs(Date.now() - modified) < DAY;
    };
    const isClosed = pid === undefined && unclosed === undefined;
    const claimedName = pid === undefined ? file : `${stem}-unclosed.records`;
    return [{ file, created: Number(created), isClosed, claimedName, isLive }];
  });
  return found.sort((a, b) => b.created - a.created);
}

/** Names for a new file of this process: while it is written, and once it is closed. */
export function newSegmentName(name: string): { live: string; closed: string } {
  const { pid, started, host } = thisProcess();
  const stem = `${name}-${Date.now()}-${randomBytes(4).toString("hex")}`;
  return { live: `${stem}-${pid}-${started}-${hostDigest(host)}.records`, closed: `${stem}.records` };
}

/** Claims a file whose writer is gone, and returns its path; undefined if another process was faster. */
export function claim(folder: string, { file, claimedName }: SegmentName): string | undefined {
  const path = join(folder, claimedName);
  try {
    if (file !== claimedName) renameSync(join(folder, file), path);
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** An open regular file. A FIFO does not block, and is refused like a device or a folder. */
export class OpenFile {
  private constructor(
    readonly descriptor: number,
    readonly stats: Stats,
  ) {}

  /** @throws Error with a message for the user when the file cannot be opened; with code ENOENT when there is none */
  static open(path: string): OpenFile {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (stats.isFile()) return new OpenFile(descriptor, stats);
    closeSync(descriptor);
    throw new Error("not a regular file");
  }

  /** Reads up to `length` bytes into new memory. */
  readonly read = (position: number, length: number): Buffer => readAt(this.descriptor, position, length);

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Reads up to `length` bytes into new memory. */
export function readAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(descriptor, bytes, filled, length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** The same for all paths to one file. */
export function fileIdentity({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}
