/**
 * Mutual exclusion between processes, by a lock file that names its holder. The file appears atomically (it is linked
 * into place), so a reader never sees a partial lock. A lock whose process has ended is taken over; one held on another
 * host cannot be checked and is left for the user to remove. Node has no `flock`, and not every network file system
 * honours it.
 */
import { closeSync, linkSync, lstatSync, openSync, readSync, renameSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "../errors";
import { type ProcessIdentity, stateOf, thisProcess } from "../processes";
import { shellQuoted } from "./paths";
import { temporaryName } from "./wholeFiles";

/** Who holds a lock, and since when (milliseconds since 1970). */
export interface LockHolder extends ProcessIdentity {
  readonly since: number;
}

export class LockFile {
  private held = true;

  private constructor(
    readonly path: string,
    private readonly content: string,
  ) {}

  /**
   * Returns the lock, or its holder if another process has it. `state` is `unknown` for a holder on another host.
   *
   * @throws InputError when something other than a file is in its place, such as a named pipe or a link
   */
  static acquire(path: string): LockFile | { readonly holder: LockHolder; readonly state: "running" | "unknown" } {
    const content = JSON.stringify({ ...thisProcess(), since: Date.now() });
    const temporary = join(dirname(path), temporaryName());
    writeFileSync(temporary, content, { flag: "wx" });
    try {
      for (;;) {
        if (succeeds("EEXIST", () => create(temporary, path, content))) return new LockFile(path, content);
        const found = read(path);
        if (found === undefined) continue; // released in the meantime
        const state = found.holder === undefined ? "gone" : stateOf(found.holder);
        if (state !== "gone") return { holder: found.holder!, state };
        takeAway(path, found.text);
      }
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Releases the lock. Safe to call twice, and after the file has been removed. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    if (read(this.path)?.text === this.content) rmSync(this.path, { force: true });
  }
}

/** Some file systems, such as Google Drive's, have no hard links: the file is then created and written in two steps. */
function create(temporary: string, path: string, content: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code!)) throw error;
    writeFileSync(path, content, { flag: "wx" });
  }
}

const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** Removes a stale lock, unless another process has replaced it in the meantime. */
function takeAway(path: string, stale: string): void {
  const aside = join(dirname(path), temporaryName());
  if (!succeeds("ENOENT", () => renameSync(path, aside))) return;
  // What was moved away was another process's new lock: put it back.
  if (textOf(aside) !== stale) succeeds("EEXIST", () => linkSync(aside, path));
  rmSync(aside);
}

/** `holder` is undefined when the content is not a lock's. */
function read(path: string): { text: string; holder: LockHolder | undefined } | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  try {
    const { pid, started, host, since } = JSON.parse(text) as LockHolder;
    const isHolder = [pid, started, since].every(Number.isFinite) && typeof host === "string";
    return { text, holder: isHolder ? { pid, started, host, since } : undefined };
  } catch {
    return { text, holder: undefined };
  }
}

/**
 * The beginning of a file, as much as a lock can have; undefined when there is none. Anything but a file is refused: a
 * pipe or a device has no end, and a link that leads nowhere can be neither read nor replaced.
 */
function textOf(path: string): string | undefined {
  let stats: Stats | undefined;
  let descriptor: number;
  try {
    stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isFile())
      throw new InputError(
        `Expected a lock file at ${path} but received ${kindOf(stats)}. Remove it with\n  rm -r ${shellQuoted(path)}`,
      );
    descriptor = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // released since
    throw error;
  }
  try {
    const bytes = Buffer.alloc(MAX_BYTES);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes of a lock; the longest host name has 64. */
const MAX_BYTES = 4096;

function kindOf(stats: Stats): string {
  return stats.isSymbolicLink()
    ? "a link"
    : stats.isDirectory()
      ? "a folder"
      : stats.isFIFO()
        ? "a named pipe"
        : "a special file";
}

/** Whether `action` ran; false when it failed with `code`. */
function succeeds(code: string, action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}
