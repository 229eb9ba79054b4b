/**
 * Lets one process at a time write to an output folder: it holds `.smaug.lock` there from before its work until it
 * ends. A missing folder is created for the lock, and removed with it if nothing else was written.
 */
import { join } from "node:path";
import { makeFolder } from "./makeFolder";
import { InputError } from "../errors";
import { LockFile } from "./lockFile";
import { shellQuoted } from "./paths";
import { removeEmptyFolders } from "./wholeFiles";

export const LOCK_NAME = ".smaug.lock";

/** Locks that this process holds; they are released on exit at the latest. */
const held = new Set<OutputLock>();
const releaseAll = (): void => [...held].reverse().forEach((lock) => lock.release());

export class OutputLock {
  /** Called once before the lock is released, also on process exit; must be synchronous. */
  beforeRelease: (() => void) | undefined;

  private constructor(
    private readonly folder: string,
    private readonly lock: LockFile,
    /** The outermost folder that was created. */
    private readonly firstMade: string | undefined,
  ) {}

  /**
   * @param option what the user calls the folder, such as "output_dir"
   * @throws InputError when another process, or another run in this process, holds the lock
   */
  static acquire(folder: string, option: string): OutputLock {
    const [firstMade, acquired] = attempt(folder, option);
    if (!(acquired instanceof LockFile)) throw new InputError(describe(folder, option, acquired));
    const lock = new OutputLock(folder, acquired, firstMade);
    if (held.size === 0) process.on("exit", releaseAll);
    held.add(lock);
    return lock;
  }

  /** Releases the lock. Safe to call twice. */
  release(): void {
    if (!held.delete(this)) return;
    if (held.size === 0) process.off("exit", releaseAll);
    try {
      this.beforeRelease?.();
    } finally {
      this.lock.release();
      if (this.firstMade !== undefined) removeEmptyFolders(this.folder, this.firstMade);
    }
  }
}

type Acquired = ReturnType<typeof LockFile.acquire>;

function attempt(folder: string, option: string): [string | undefined, Acquired] {
  let firstMade: string | undefined;
  for (let tries = 1; ; tries++) {
    try {
      firstMade = makeFolder(folder) ?? firstMade;
      return [firstMade, LockFile.acquire(join(folder, LOCK_NAME))];
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && tries < 5) continue; // another process has just removed the folder it had created
      if (firstMade !== undefined) removeEmptyFolders(folder, firstMade);
      if (error instanceof InputError) throw error; // something else is in the lock's place
      throw new InputError(`Expected a folder that can be written to for '${option}' but received: ${message}`, {
        cause: error,
      });
    }
  }
}

function describe(folder: string, option: string, { holder, state }: Exclude<Acquired, LockFile>): string {
  const since = new Date(holder.since).toISOString().replace("T", " ").slice(0, 19);
  const expected = `Expected a folder that no other run writes to for '${option}' but ${folder} is in use`;
  if (state === "unknown")
    return (
      `${expected} by process ${holder.pid} of the host ${holder.host} since ${since} UTC, which cannot be checked ` +
      `from here. Once it has ended, remove its lock with\n  rm ${shellQuoted(join(folder, LOCK_NAME))}`
    );
  if (holder.pid === process.pid) return `${expected} by another run of this process since ${since} UTC; choose another folder`;
  return (
    `${expected} by process ${holder.pid} since ${since} UTC; wait until it has ended, stop it ` +
    `(kill -INT ${holder.pid}), or choose another folder`
  );
}
