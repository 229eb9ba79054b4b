/** Rows tokenised by several threads, chunk by chunk; the result is that of one thread. */
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { InputError } from "../../base/errors";
import { exactEntries } from "../../text/exactNumbers";
import type { Tokenizer } from "../../text";
import { mergeOddities } from "../rows/oddities";
import { unpackPairs } from "./packedPairs";
import type { Limits, TokenizedRows } from "./pairTokenizer";
import type { TrainingRow } from "../rows/preferenceRow";
import type { WorkerAnswer, WorkerChunk, WorkerFailure, WorkerStart } from "./tokenizeWorker";

const CHUNK = 256; // rows: some hundred milliseconds of work

/** Tokenises with `count` threads, each of which loads its own tokenizer. */
export async function tokenizeInWorkers(
  rows: readonly TrainingRow[],
  { path, adapterPath: adapter }: Tokenizer,
  limits: Limits,
  count: number,
  onProgress: (done: number) => void,
): Promise<TokenizedRows> {
  const chunks: (readonly TrainingRow[])[] = [];
  for (let i = 0; i < rows.length; i += CHUNK) chunks.push(rows.slice(i, i + CHUNK));
  const answers: WorkerAnswer[] = [];
  let next = 0;
  let done = 0;
  const workers = Array.from({ length: Math.min(count, chunks.length) }, () => startWorker({ path, adapter, limits }));
  const serve = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let mine = -1;
      const take = (): void => {
        mine = next++;
        const rows = chunks[mine];
        if (rows) worker.postMessage({ rows, numbers: exactEntries(rows) } satisfies WorkerChunk);
        else resolve();
      };
      worker.on("message", (answer: WorkerAnswer | WorkerFailure) => {
        if ("inputError" in answer) return reject(new InputError(answer.inputError));
        answers[mine] = answer;
        onProgress((done += chunks[mine]!.length));
        take();
      });
      const fail = (error: Error) => reject(failure(error));
      worker.on("error", fail);
      worker.on("messageerror", fail);
      worker.on("exit", (code) => reject(new Error(`A tokenizing thread ended with code ${code}`)));
      take();
    });
  try {
    await Promise.all(workers.map(serve));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  const result: TokenizedRows = { pairs: [], refused: [], cut: [], odd: {} };
  for (const { packed, refused, cut, odd } of answers) {
    for (const pair of unpackPairs(packed)) result.pairs.push(pair);
    result.refused.push(...refused);
    result.cut.push(...cut);
    result.odd = mergeOddities(result.odd, odd);
  }
  return result;
}

/** The error that ended a thread. Its class is lost on the way, but its name is not. */
function failure(error: Error): Error {
  const { name, message } = error;
  if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY")
    return new Error("A tokenizing thread ran out of memory; let fewer threads tokenize ('workers')", { cause: error });
  return name === "InputError" ? new InputError(message, { cause: error }) : error;
}

/** Whether threads can run this code: not where TypeScript is run by something that threads do not inherit. */
export const canStartWorkers = extname(__filename) === ".js";

function startWorker(workerData: WorkerStart): Worker {
  return new Worker(join(__dirname, `tokenizeWorker${extname(__filename)}`), { workerData });
}
