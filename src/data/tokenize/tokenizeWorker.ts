/** A thread of tokenizePairs.ts: loads the tokenizer for itself, then answers each chunk of rows with packed pairs. */
import { parentPort, workerData } from "node:worker_threads";
import { InputError } from "../../base/errors";
import { loadTokenizer } from "../../text";
import { type ExactEntry, rememberEntries } from "../../text/exactNumbers";
import { packPairs } from "./packedPairs";
import { type Limits, PairTokenizer, type TokenizedRows } from "./pairTokenizer";
import type { TrainingRow } from "../rows/preferenceRow";

/** What the thread is started with. */
export interface WorkerStart {
  /** The tokenizer's model, and the adapter it was loaded with. */
  readonly path: string;
  readonly adapter: string | undefined;
  readonly limits: Limits;
}

/** What a worker is sent: rows, and the exact numbers that are lost when rows are copied between threads. */
export interface WorkerChunk {
  readonly rows: readonly TrainingRow[];
  readonly numbers: readonly ExactEntry[];
}

/** Its answer to a chunk. */
export interface WorkerAnswer extends Omit<TokenizedRows, "pairs"> {
  readonly packed: Int32Array;
}

/** Its answer to a chunk with a row that takes too long: an error loses its class between threads. */
export interface WorkerFailure {
  readonly inputError: string;
}

if (parentPort) {
  const port = parentPort;
  const { path, adapter, limits } = workerData as WorkerStart;
  const ready = loadTokenizer(path, { adapter }).then((tokenizer) => new PairTokenizer(tokenizer, limits));
  port.on("message", ({ rows, numbers }: WorkerChunk) => {
    rememberEntries(rows, numbers);
    // A failure is nobody's to catch here: it ends the thread, and its "error" event carries it.
    void ready.then((tokenizer) => {
      let tokenized: TokenizedRows;
      try {
        tokenized = tokenizer.addAll(rows);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return port.postMessage({ inputError: error.message } satisfies WorkerFailure);
      }
      const { pairs, ...rest } = tokenized;
      const packed = packPairs(pairs);
      port.postMessage({ packed, ...rest } satisfies WorkerAnswer, [packed.buffer as ArrayBuffer]);
    });
  });
}
