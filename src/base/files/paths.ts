/** Comparing paths by the files they lead to, and writing them as a shell reads them. */
import { lstatSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/** Resolves links and relative parts. Parts of a path that do not exist yet are kept as written. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(realPath(parent), basename(absolute));
  }
}

/** Where `path` lies inside `folder`, such as `checkpoint-4/config.json`; undefined when it does not, or is the folder. */
export function pathInside(folder: string, path: string): string | undefined {
  const inside = relative(folder, path);
  return inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? undefined : inside;
}

/** Whether something has that name, be it a broken link or a file that may not be read. */
export function hasEntry(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== "ENOENT" && code !== "ENOTDIR";
  }
}

/** Whether a path leads to a folder, following links. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a path is a symbolic link, wherever that leads. */
export function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** A path whose leading `~` is the home folder: a shell expands it, but not in a file or after `--key=`. */
export function expandHome(path: string): string {
  return path.replace(/^~(?=\/|$)/, () => homedir());
}

/** An argument, quoted if necessary for pasting into a shell. */
export function shellQuoted(argument: string): string {
  return /^[\w./:=@,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
