/**
 * Files that appear in a folder together: each is written under a dot-named temporary name there and flushed to the
 * disk; only when all of them stand are they renamed into place. When anything fails before that, the folder is as it
 * was. Renaming several files is not one step: `commit` takes what must be gone before, so that a reader never finds
 * a mix of old and new.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isRunning } from "../native/staging";

export class StagedFiles {
  private readonly names: string[] = [];

  private constructor(
    readonly folder: string,
    private readonly firstMade: string | undefined,
  ) {}

  /** Makes the folder when it is not there, and clears what a writer that was killed has left in it. */
  static async in(folder: string): Promise<StagedFiles> {
    const made = await mkdir(folder, { recursive: true });
    for (const file of await readdir(folder)) {
      const pid = /^\.smaug-(\d+)-.*\.tmp$/.exec(file)?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, file), { force: true });
    }
    return new StagedFiles(folder, made);
  }

  /** Writes one file under its temporary name. `name` may be in a folder of this one: `templates/rag.jinja`. */
  async add(name: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
    this.names.push(name);
    const file = await open(this.temporary(name), "w");
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Puts the files in place, in the order they were added. `first` are removed before, `last` after. */
  async commit({ first = [], last = [] }: { first?: readonly string[]; last?: readonly string[] } = {}): Promise<void> {
    const remove = (names: readonly string[]) =>
      Promise.all(names.map((name) => rm(join(this.folder, name), { force: true })));
    await remove(first);
    for (const name of this.names) {
      if (dirname(name) !== ".") await mkdir(join(this.folder, dirname(name)), { recursive: true });
      await rename(this.temporary(name), join(this.folder, name));
    }
    await remove(last);
    const folder = await open(this.folder, "r");
    await folder.sync().finally(() => folder.close());
  }

  /** Removes what has not been put in place, and the folders that were made for nothing. */
  async discard(): Promise<void> {
    await Promise.all(this.names.map((name) => rm(this.temporary(name), { force: true })));
    if (this.firstMade === undefined) return;
    for (let folder = resolve(this.folder); folder.startsWith(resolve(this.firstMade)); folder = dirname(folder))
      await rmdir(folder).catch(() => undefined); // it refuses unless the folder is empty
  }

  private temporary(name: string): string {
    return join(this.folder, `.smaug-${process.pid}-${name.replaceAll("/", "-")}.tmp`);
  }
}
