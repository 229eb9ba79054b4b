/**
 * Files and folders that appear whole or not at all, and that a power cut cannot take back. New content is written under
 * a temporary name in the same folder and flushed; it is then renamed into place, and the folder is flushed too. Only
 * after that is anything older removed.
 *
 * Temporary names start with a dot and identify the process that made them, so that the next writer can remove what a
 * killed process left behind without touching the files of a live one.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import { hostDigest, stateOf, thisProcess } from "../processes";

/** Replaces `file`, or creates it, with all of `content`. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const staged = await StagedFiles.in(dirname(file), { create: false });
  try {
    await staged.add(basename(file), (handle) => handle.writeFile(content));
    await staged.commit();
  } finally {
    await staged.discard();
  }
}

/** Files that appear in a folder together. When writing any of them fails, the folder stays as it was. */
export class StagedFiles {
  /** Temporary paths by final name. */
  private readonly files = new Map<string, string>();

  private constructor(
    readonly folder: string,
    private readonly firstMade: string | undefined,
  ) {}

  /** Creates the folder if it is missing, unless `create` is false, and removes what killed writers left in it. */
  static async in(folder: string, { create = true } = {}): Promise<StagedFiles> {
    const made = create ? makeFolder(folder) : undefined;
    removeAbandoned(folder);
    return new StagedFiles(folder, made);
  }

  /** Writes one file under a temporary name and flushes it. `name` may include a folder: `templates/rag.jinja`. */
  async add(name: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
    const temporary = temporaryPath(this.folder);
    this.files.set(name, temporary);
    const file = await open(temporary, "wx");
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /**
   * Renames the files into place in the order they were added. Renaming several files is not one step: `first` are
   * removed before it, so that no reader finds old and new files mixed, and `last` after it.
   */
  async commit({ first = [], last = [] }: { first?: readonly string[]; last?: readonly string[] } = {}): Promise<void> {
    const remove = (names: readonly string[]) => Promise.all(names.map((name) => rm(join(this.folder, name), { force: true })));
    if (first.length > 0) {
      await flushFolder(this.folder); // the new files survive a power cut from here on
      await remove(first);
    }
    const folders = new Set<string>([this.folder]);
    for (const [name, temporary] of this.files) {
      const target = join(this.folder, name);
      if (dirname(name) !== ".") makeFolder(dirname(target));
      await rename(temporary, target);
      folders.add(dirname(target));
    }
    this.files.clear();
    for (const folder of folders) await flushFolder(folder);
    if (last.length === 0) return;
    await remove(last);
    await flushFolder(this.folder);
  }

  /** Removes what has not been renamed into place, and the folders that were created for it. */
  async discard(): Promise<void> {
    await Promise.all([...this.files.values()].map((temporary) => rm(temporary, { force: true })));
    this.files.clear();
    if (this.firstMade !== undefined) removeEmptyFolders(this.folder, this.firstMade);
  }
}

/** Creates an empty folder next to `target`, to be filled and handed to {@link publishFolder}. */
export function stagingFolder(target: string): string {
  const parent = dirname(target);
  makeFolder(parent);
  removeAbandoned(parent);
  const folder = temporaryPath(parent);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/**
 * Flushes everything in a staging folder and renames it to `target`. An existing folder is kept, and the staging folder
 * removed, unless `replace` is set: it is then moved aside first and removed once the new one is in place. A caller
 * that has flushed the staging folder itself, because it holds thousands of files, sets `flushed`.
 */
export function publishFolder(staging: string, target: string, { replace = false, flushed = false } = {}): void {
  if (!flushed) flushTree(staging);
  chmodSync(staging, 0o777 & ~process.umask());
  const parent = dirname(target);
  const aside = asidePath(target);
  if (replace && existsSync(target)) {
    rmSync(aside, { recursive: true, force: true });
    renameSync(target, aside);
  }
  try {
    renameSync(staging, target);
  } catch (error) {
    if (replace && existsSync(aside)) renameSync(aside, target);
    if (replace || !existsSync(target)) throw error;
    rmSync(staging, { recursive: true, force: true });
    return;
  }
  flush(parent);
  if (replace) rmSync(aside, { recursive: true, force: true });
}

/**
 * Removes the temporary files and folders of processes that are gone, and puts back a folder that was moved aside by a
 * process killed before its replacement was in place.
 */
export function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const [, aside] = ASIDE.exec(name) ?? [];
    if (aside !== undefined) {
      if (existsSync(join(folder, aside))) rmSync(path, { recursive: true, force: true });
      else renameSync(path, join(folder, aside));
      continue;
    }
    const [, pid, started, host] = TEMPORARY.exec(name) ?? [];
    if (pid === undefined || host !== hostDigest(thisProcess().host)) continue;
    const writer = { ...thisProcess(), pid: Number(pid), started: Number(started) };
    if (stateOf(writer) === "gone") rmSync(path, { recursive: true, force: true });
  }
}

/** Removes a folder and those above it up to `outermost`, as long as they are empty. */
export function removeEmptyFolders(folder: string, outermost: string): void {
  const end = resolve(outermost);
  for (let each = resolve(folder); each.length >= end.length; each = dirname(each))
    try {
      rmdirSync(each);
    } catch {
      return;
    }
}

/** Flushes a folder's entries: a rename or removal in it then survives a power cut. */
export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

/** Flushes one file or folder. */
export function flush(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Flushes every file in a folder, then the folder. */
function flushTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) flushTree(path);
    else if (entry.isFile()) flush(path);
  }
  flush(folder);
}

const TEMPORARY = /^\.smaug-(\d+)-(\d+)-([0-9a-f]{8})-\d+-\d+\.tmp$/;
const ASIDE = /^\.smaug-replaced-(.+)$/;

let count = 0; // in this thread

function temporaryPath(folder: string): string {
  return join(folder, temporaryName());
}

/** A new temporary name. It leaves out the final name, which may be as long as a name can be. */
export function temporaryName({ pid, started, host } = thisProcess()): string {
  return `.smaug-${pid}-${started}-${hostDigest(host)}-${threadId}-${++count}.tmp`;
}

function asidePath(target: string): string {
  return join(dirname(target), `.smaug-replaced-${basename(target)}`);
}

/**
 * Creates a folder and the missing ones above it, and returns the outermost that it created; undefined when there was
 * nothing to create. Node's own `mkdir` with `recursive` never returns where a file system answers ENOENT although the
 * parent exists, as `/proc` does.
 */
export function makeFolder(path: string): string | undefined {
  const missing: string[] = [];
  for (let each = resolve(path); !leadsToFolder(each) && each !== dirname(each); each = dirname(each)) missing.push(each);
  let outermost: string | undefined;
  for (const each of missing.reverse())
    try {
      mkdirSync(each);
      outermost ??= each;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !leadsToFolder(each)) throw error; // else another process was first
    }
  return outermost;
}

/** Like `isFolder`, but throws where it cannot look, so that the error says why, such as EACCES or ENOTDIR. */
const leadsToFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/**
 * Writes all of `bytes`. A single write may be short, as on a nearly full disk; the next one then reports the error.
 *
 * @param position byte offset; the current position by default
 */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position === undefined ? null : position + at);
    at += bytesWritten;
  }
}

/**
 * Appends `bytes` to a file. If that fails, for example on a full disk, the file is truncated to its previous length.
 */
export function appendWhole(file: string, bytes: Uint8Array): void {
  const descriptor = openSync(file, "a");
  try {
    const { size } = fstatSync(descriptor);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    } catch (error) {
      ftruncateSync(descriptor, size);
      throw error;
    }
  } finally {
    closeSync(descriptor);
  }
}
