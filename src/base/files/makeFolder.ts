/** Folders that are created with all those above them. */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Creates a folder and the missing ones above it, and returns the outermost that it created; undefined when there was
 * nothing to create. Node's own `mkdir` with `recursive` never returns where a file system answers ENOENT although the
 * parent exists, as `/proc` does.
 */
export function makeFolder(path: string): string | undefined {
  const missing: string[] = [];
  for (let each = resolve(path); !isFolder(each) && each !== dirname(each); each = dirname(each)) missing.push(each);
  let outermost: string | undefined;
  for (const each of missing.reverse())
    try {
      mkdirSync(each);
      outermost ??= each;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !isFolder(each)) throw error; // else another process was first
    }
  return outermost;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
