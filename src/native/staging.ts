/**
 * Folders that appear whole or not at all: filled under a dot-name beside the target, renamed into place last. What a
 * killed process left behind is swept by the next one.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Makes an empty folder beside `target`, named `.<target>-<pid>-<random>`. */
export function stagingFolder(target: string): string {
  const [parent, name] = [dirname(target), basename(target)];
  mkdirSync(parent, { recursive: true });
  for (const entry of readdirSync(parent)) {
    const owner = entry.startsWith(`.${name}-`) ? /^(\d+)-/.exec(entry.slice(name.length + 2))?.[1] : undefined;
    if (owner && !isRunning(Number(owner))) rmSync(join(parent, entry), { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, `.${name}-${process.pid}-`));
}

/** Renames `folder` to `target`. When another process was first, its folder stays and ours goes. */
export function publish(folder: string, target: string): void {
  try {
    renameSync(folder, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a process of that id is there, of any user. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
