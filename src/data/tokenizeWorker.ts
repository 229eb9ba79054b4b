/** A thread of tokenizePairs.ts: loads the tokenizer for itself, then answers each chunk of rows with packed pairs. */
import { parentPort, workerData } from "node:worker_threads";
import { loadTokenizer } from "../text";
import { packPairs } from "./packedPairs";
import { type Limits, PairTokenizer, type TokenizedRows } from "./pairTokenizer";
import type { PreferenceRow } from "./preferenceRow";

/** What the thread is started with. */
export interface WorkerStart {
  /** The tokenizer's. */
  readonly path: string;
  readonly limits: Limits;
}

/** Its answer to a chunk. */
export interface WorkerAnswer extends Omit<TokenizedRows, "pairs"> {
  readonly packed: Int32Array;
}

if (parentPort) {
  const port = parentPort;
  const { path, limits } = workerData as WorkerStart;
  const ready = loadTokenizer(path).then((tokenizer) => new PairTokenizer(tokenizer, limits));
  port.on("message", (rows: readonly PreferenceRow[]) => {
    // A failure is nobody's to catch here: it ends the thread, and its "error" event carries it.
    void ready.then((tokenizer) => {
      const { pairs, ...rest } = tokenizer.addAll(rows);
      const packed = packPairs(pairs);
      port.postMessage({ packed, ...rest } satisfies WorkerAnswer, [packed.buffer as ArrayBuffer]);
    });
  });
}
