/**
 * Keeps the number of a store's files small. Several are copied into a new one, which appears atomically; only then are
 * they removed. A process killed at any point leaves either the old files, or the old files and the new one. Readers
 * keep using the files that they have open. Two processes that merge the same files would lose nothing but time; the
 * lock avoids that.
 */
import { lstatSync, rmSync, statfsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { LockFile } from "../files/lockFile";
import { flushFolder, StagedFiles } from "../files/wholeFiles";
import { FILE_HEADER, keyOf, readRecord, readTable, TableBuilder } from "./format";
import { RecordIndex } from "./recordIndex";
import { scanRecords } from "./scan";
import { claim, listSegments, newSegmentName, OpenFile, type SegmentName } from "./segments";

/**
 * Number of small files up to which nothing is merged. Files of `LARGE` bytes are never merged, as copying them
 * repeatedly would take too long.
 */
const MAX_SMALL_FILES = 12;
const LARGE = 128 * 2 ** 20; // bytes
/** How many of the small files, the largest ones, a merge leaves alone. */
const KEPT = 4;
const HOUR = 3600 * 1000; // ms
const CHUNK = 2 ** 20; // bytes
const SPARE = 2 ** 20; // bytes

/** Merges the smallest files if there are too many. Does nothing if that is not possible. */
export async function mergeSmallFiles(folder: string, name: string): Promise<void> {
  const small: { segment: SegmentName; size: number }[] = [];
  for (const segment of listSegments(folder, name)) {
    const path = join(folder, segment.file);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() && stats.size < LARGE && !segment.isLive(path)) small.push({ segment, size: stats.size });
  }
  if (small.length <= MAX_SMALL_FILES) return;
  small.sort((a, b) => a.size - b.size);
  await mergeFiles(
    folder,
    name,
    small.slice(0, -KEPT).map(({ segment }) => segment),
  );
}

/**
 * Copies the intact records of some files into a new one, then removes the files. Does nothing if that is not possible.
 */
export async function mergeFiles(folder: string, name: string, segments: readonly SegmentName[]): Promise<void> {
  try {
    const lock = lockOf(folder, name);
    if (lock === "taken") return;
    try {
      await merge(folder, name, segments);
    } finally {
      lock?.release();
    }
  } catch (error) {
    // For example a full disk or another user's folder: the store is usable as it is.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Undefined to merge without the lock, which is harmless: a killed process on another host left it behind. */
function lockOf(folder: string, name: string): LockFile | "taken" | undefined {
  const path = join(folder, `${name}.lock`);
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) return undefined;
  const lock = LockFile.acquire(path);
  if (lock instanceof LockFile) return lock;
  return Date.now() - lock.holder.since < HOUR ? "taken" : undefined;
}

async function merge(folder: string, name: string, segments: readonly SegmentName[]): Promise<void> {
  const staged = await StagedFiles.in(folder, { create: false }); // removes what a killed merge left
  const sources: { path: string; file: OpenFile }[] = [];
  try {
    for (const segment of segments) {
      const path = claim(folder, segment); // before it is read: its writer may not be gone after all
      if (path !== undefined) sources.push(...openIfThere(path));
    }
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < sources.reduce((sum, { file }) => sum + file.stats.size, SPARE)) return;
    const removable: string[] = [];
    let copied = 0;
    await staged.add(newSegmentName(name).closed, async (target) => {
      const output = new Output(target);
      for (const { path, file } of sources) {
        const records = await copyRecords(file, output);
        copied += records;
        // A file that does not look like one of ours is kept.
        if (records > 0 || file.stats.size === 0 || file.read(0, FILE_HEADER.length).equals(FILE_HEADER)) removable.push(path);
      }
      await output.end();
    });
    if (copied > 0) await staged.commit();
    for (const path of removable) rmSync(path, { force: true });
    await flushFolder(folder);
  } finally {
    for (const { file } of sources) file.close();
    await staged.discard();
  }
}

/** Empty if the file is gone, because another process has merged it, or cannot be opened. */
function openIfThere(path: string): { path: string; file: OpenFile }[] {
  try {
    return [{ path, file: OpenFile.open(path) }];
  } catch {
    return [];
  }
}

/** Copies the intact records of a file that the output does not have yet, and returns how many intact ones there are. */
async function copyRecords({ descriptor, stats, read }: OpenFile, output: Output): Promise<number> {
  const places: { position: number; length: number }[] = [];
  const found = (_bytes: Buffer, _at: number, position: number, length: number) => void places.push({ position, length });
  if (!readTable(read, stats.size, found)) scanRecords(descriptor, 0, stats.size, found);
  let intact = 0;
  for (const { position, length } of places) {
    const record = readRecord(read, position, length);
    if (record === undefined) continue;
    intact++;
    await output.add(record, length);
  }
  return intact;
}

/** The new file. */
class Output {
  private readonly table = new TableBuilder();
  private readonly index = new RecordIndex();
  private chunks: Buffer[] = [FILE_HEADER];
  private waiting = 0;
  private position = FILE_HEADER.length;

  constructor(private readonly file: FileHandle) {}

  async add(record: Buffer, length: number): Promise<void> {
    const key = keyOf(record);
    if (!this.index.slots(key).next().done) return;
    this.index.add(key, 0, 0, this.position, length);
    this.table.add(key, this.position, length);
    this.position += record.length;
    this.chunks.push(record);
    if ((this.waiting += record.length) >= CHUNK) await this.flush();
  }

  async end(): Promise<void> {
    this.chunks.push(this.table.end(this.position));
    await this.flush();
  }

  private async flush(): Promise<void> {
    await this.file.appendFile(Buffer.concat(this.chunks));
    this.chunks = [];
    this.waiting = 0;
  }
}
