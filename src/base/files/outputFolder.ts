/**
 * The folder a command writes into: checked before the work, and locked until the work ends, so that one process at a
 * time writes there.
 */
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { InputError } from "../errors";
import { LockFile } from "./lockFile";
import { isLink, pathInside, realPath, shellQuoted } from "./paths";
import { makeFolder, removeEmptyFolders } from "./wholeFiles";

/** Fails now rather than after the work when nothing could be written there; creates nothing. `name` is the option's. */
export function expectUsableFolder(folder: string, name: string): void {
  for (let path = resolve(folder); ; path = dirname(path)) {
    if (!existsSync(path)) {
      if (isLink(path)) throw new InputError(`Expected a folder for '${name}' but '${path}' is a link that leads nowhere`);
      continue;
    }
    if (!statSync(path).isDirectory()) throw new InputError(`Expected a folder for '${name}' but '${path}' is a file`);
    try {
      return accessSync(path, constants.W_OK);
    } catch {
      throw new InputError(`Expected a folder that may be written to for '${name}' but '${path}' may not`);
    }
  }
}

/** An input: a file, a folder, or a name on the hub, which never conflicts with an output. */
export interface Input {
  readonly path: string;
  /** The option that names it. */
  readonly option: string;
  /** As in "the model's". */
  readonly owner: string;
}

export interface Conflict {
  readonly input: Input;
  readonly how: "same" | "contains" | "replaced";
  /** The input, or the file that it is a link to, inside the output. */
  readonly inside: string | undefined;
}

/**
 * The input that writing into `output` would change: it is the output, contains it, or is in the output under a name
 * that is written (`isWritten` is given paths inside the output). Links are followed; the output need not exist.
 */
export function findConflict(
  output: string,
  inputs: readonly Input[],
  isWritten: (inside: string) => boolean,
): Conflict | undefined {
  const folder = realPath(output);
  for (const input of inputs) {
    if (!existsSync(input.path)) continue;
    const path = realPath(input.path);
    const isFolder = statSync(path).isDirectory();
    if (path === folder) return { input, how: "same", inside: undefined };
    // A GGUF file is read with what lies next to it.
    if (path.endsWith(".gguf") && dirname(path) === folder) return { input, how: "same", inside: undefined };
    if (isFolder && pathInside(path, folder) !== undefined) return { input, how: "contains", inside: undefined };
    for (const each of [path, ...(isFolder ? linksIn(path) : [])]) {
      const inside = pathInside(folder, each);
      if (inside !== undefined && isWritten(inside)) return { input, how: "replaced", inside };
    }
  }
  return undefined;
}

/** @throws InputError when writing into `output` would change an input */
export function expectApart(
  output: string,
  option: string,
  inputs: readonly Input[],
  isWritten: (inside: string) => boolean,
): void {
  const conflict = findConflict(output, inputs, isWritten);
  if (!conflict) return;
  const { input, how, inside } = conflict;
  const expected = `Expected another folder than the ${input.owner} for '${option}' but received ${output}`;
  if (how === "same") throw new InputError(`${expected}, which '${input.option}' names too`);
  if (how === "contains") throw new InputError(`${expected}, which is inside ${input.path} ('${input.option}')`);
  throw new InputError(`${expected}: '${input.option}' reads ${inside} in it, which would be replaced`);
}

/** The targets of the links in a folder, which may lie outside it. */
export function linksIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isSymbolicLink())
      .map((entry) => realPath(join(entry.parentPath, entry.name)));
  } catch {
    return []; // an unreadable subfolder, which reading the input reports
  }
}

export const LOCK_NAME = ".smaug.lock";

/** Locks that this process holds; they are released on exit at the latest. */
const held = new Set<OutputLock>();
const releaseAll = (): void => [...held].reverse().forEach((lock) => lock.release());

/**
 * A process's claim on an output folder: it holds `.smaug.lock` there from before its work until it ends. A missing
 * folder is created for the lock, and removed with it if nothing else was written.
 */
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
