/** Writing a file so that it is seen whole or not at all. */

import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

let writes = 0;

/** Writes under a temporary name that starts with a dot, in the same folder, then renames the file into place. */
export async function writeFileAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}-${++writes}.tmp`);
  try {
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
