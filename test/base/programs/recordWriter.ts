/**
 * Stores records until it has all of them or is killed: `recordWriter.ts FOLDER FROM TO BATCH`. Prints the number up to
 * which they are stored, and the code of an error. Opens the store again after every third batch, so that files are
 * closed and merged meanwhile.
 */
import { writeSync } from "node:fs";
import { RecordStore } from "../../../src/base/records/store";
import { entries } from "../records";

const [folder, ...numbers] = process.argv.slice(2) as [string, ...string[]];
const [from, to, batch] = numbers.map(Number) as [number, number, number];

async function main(): Promise<void> {
  let store = await RecordStore.open(folder, "test");
  for (let at = from, batches = 1; at < to; at += batch, batches++) {
    await store.put(entries(at, Math.min(to, at + batch)));
    writeSync(1, `${Math.min(to, at + batch)}\n`);
    if (batches % 3 !== 0) continue;
    await store.close();
    store = await RecordStore.open(folder, "test");
  }
  await store.close();
}

main().catch((error: NodeJS.ErrnoException) => writeSync(1, `${error.code ?? error.stack}\n`));
