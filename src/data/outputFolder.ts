/** The folder a command writes into, checked before the work. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { InputError } from "../native/errors";

/** Fails now rather than after the work when nothing could be written there; creates nothing. `name` is the option's. */
export function expectUsableFolder(folder: string, name: string): void {
  for (let path = resolve(folder); ; path = dirname(path)) {
    if (!existsSync(path)) continue;
    if (!statSync(path).isDirectory()) throw new InputError(`Expected a folder for '${name}' but '${path}' is a file`);
    try {
      return accessSync(path, constants.W_OK);
    } catch {
      throw new InputError(`Expected a folder that may be written to for '${name}' but '${path}' may not`);
    }
  }
}
