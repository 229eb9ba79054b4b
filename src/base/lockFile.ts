/**
 * Mutual exclusion between processes, by a lock file that names its holder. The file appears atomically (it is linked
 * into place), so a reader never sees a partial lock. A lock whose process has ended is taken over; one held on another
 * host cannot be checked and is left for the user to remove. Node has no `flock`, and not every network file system
 * honours it.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ProcessIdentity, stateOf, thisProcess } from "./processes";
import { temporaryName } from "./wholeFiles";

/** Who holds a lock, and since when (milliseconds since 1970). */
export interface LockHolder extends ProcessIdentity {
  readonly since: number;
}

export class LockFile {
  private held = true;

  private constructor(readonly path: string, private readonly content: string) {}

  /** Returns the lock, or its holder if another process has it. `state` is `unknown` for a holder on another host. */
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
  if (readFileSync(aside, "utf8") !== stale) succeeds("EEXIST", () => linkSync(aside, path));
  rmSync(aside);
}

/** `holder` is undefined when the content is not a lock's. */
function read(path: string): { text: string; holder: LockHolder | undefined } | undefined {
  let text = "";
  if (!succeeds("ENOENT", () => (text = readFileSync(path, "utf8")))) return undefined;
  try {
    const { pid, started, host, since } = JSON.parse(text) as LockHolder;
    const isHolder = [pid, started, since].every(Number.isFinite) && typeof host === "string";
    return { text, holder: isHolder ? { pid, started, host, since } : undefined };
  } catch {
    return { text, holder: undefined };
  }
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
