/**
 * One repository in the cache that huggingface_hub (Python) keeps and smaug shares:
 *
 *     models--owner--name/blobs/<digest>                     the bytes of a file, named by what the hub calls its ETag
 *                         snapshots/<commit>/config.json     a relative link to ../../blobs/<digest>
 *                         refs/main                          the commit that a branch or tag was when it was last asked
 *
 * Its listing of trees (`trees/`) is left out: it would say that a snapshot with only the needed files is incomplete.
 */
import { existsSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { readInputText } from "../base/files/inputFiles";
import { flushFolder, makeFolder, temporaryName, writeWhole } from "../base/files/wholeFiles";
import type { RepoKind } from "./request";

export const COMMIT = /^[0-9a-f]{40}$/;

export interface Snapshot {
  readonly folder: string;
  /** Paths of its files below the folder. */
  readonly files: readonly string[];
}

export class RepoCache {
  readonly folder: string;

  constructor(cache: string, kind: RepoKind, id: string) {
    this.folder = join(cache, [`${kind}s`, ...id.split("/")].join("--"));
  }

  get blobs(): string {
    return join(this.folder, "blobs");
  }

  blob(digest: string): string {
    return join(this.blobs, digest);
  }

  /** What is there of a revision, as far as the cache knows which commit it was. */
  snapshot(revision: string): Snapshot | undefined {
    const commit = COMMIT.test(revision) ? revision : this.ref(revision);
    if (commit === undefined || !COMMIT.test(commit)) return undefined;
    const folder = this.snapshotFolder(commit);
    if (!existsSync(folder)) return undefined;
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith(".smaug-"));
    return { folder, files: files.map((entry) => relative(folder, join(entry.parentPath, entry.name))) };
  }

  snapshotFolder(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  private ref(revision: string): string | undefined {
    const file = join(this.folder, "refs", revision);
    return statSync(file, { throwIfNoEntry: false })?.isFile()
      ? readInputText(file, "a commit", { maxBytes: 1 << 16 }).trim()
      : undefined;
  }

  async setRef(revision: string, commit: string): Promise<void> {
    if (revision === commit || this.ref(revision) === commit) return;
    const file = join(this.folder, "refs", revision);
    makeFolder(dirname(file));
    await writeWhole(file, commit);
  }

  /** Whether a snapshot has a file, whole. Some systems have no links; there it is the file itself. */
  async has(commit: string, path: string, size: number): Promise<boolean> {
    return (await sizeOf(join(this.snapshotFolder(commit), path))) === size;
  }

  /** Puts a blob into a snapshot under a name. */
  async link(commit: string, path: string, digest: string): Promise<void> {
    const file = join(this.snapshotFolder(commit), path);
    const target = relative(dirname(file), this.blob(digest));
    if ((await readlink(file).catch(() => undefined)) === target) return;
    makeFolder(dirname(file));
    await replaceBySymlink(file, target);
  }
}

/** The link's target when it leads to nothing, else undefined. */
export function danglingTarget(file: string): string | undefined {
  return existsSync(file) ? undefined : join(dirname(file), readlinkSync(file));
}

/** The size of a file in bytes, or undefined when there is none. */
export async function sizeOf(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/** Makes a link under a temporary name, then renames it into place: readers see the old file or the new one. */
async function replaceBySymlink(file: string, target: string): Promise<void> {
  const temporary = join(dirname(file), temporaryName());
  try {
    await symlink(target, temporary);
    await rename(temporary, file);
    await flushFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
