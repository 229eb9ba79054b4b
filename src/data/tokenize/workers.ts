/**
 * Rows tokenised by several threads, chunk by chunk; the result is that of one thread. This file runs on both sides: a
 * worker that it starts loads the tokenizer for itself, then answers each chunk of rows with stored pairs.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { InputError } from "../../base/errors";
import { isObject } from "../../base/values";
import { loadTokenizer, type Tokenizer } from "../../text";
import { type ExactEntry, exactEntries, rememberEntries } from "../../text/exactNumbers";
import type { TrainingRow } from "../rows/preferenceRow";
import { joinRows, type Limits, PairTokenizer, rowBatches, type StoredRows } from "./pairTokenizer";

const CHUNK = 256; // rows: some hundred milliseconds of work

/** What a worker is started with. */
interface Start {
  readonly tokenizeRows: {
    /** The tokenizer's model, and the adapter it was loaded with. */
    readonly path: string;
    readonly adapter: string | undefined;
    readonly limits: Limits;
  };
}

/** What it is sent: rows, and the exact numbers that are lost when rows are copied between threads. */
interface Chunk {
  readonly rows: readonly TrainingRow[];
  readonly numbers: readonly ExactEntry[];
}

/** Its answer to a chunk with a row that takes too long: an error loses its class between threads. */
interface Failure {
  readonly inputError: string;
}

/** Tokenises with `count` threads, each of which loads its own tokenizer. */
export async function tokenizeInWorkers(
  rows: readonly TrainingRow[],
  { path, adapterPath: adapter }: Tokenizer,
  limits: Limits,
  count: number,
  onProgress: (done: number) => void,
): Promise<StoredRows> {
  const chunks: (readonly TrainingRow[])[] = [];
  for (let i = 0; i < rows.length; i += CHUNK) chunks.push(rows.slice(i, i + CHUNK));
  const answers: StoredRows[] = [];
  let next = 0;
  let done = 0;
  const start: Start = { tokenizeRows: { path, adapter, limits } };
  const workers = Array.from({ length: Math.min(count, chunks.length) }, () => new Worker(__filename, { workerData: start }));
  const serve = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let mine = -1;
      const take = (): void => {
        mine = next++;
        const rows = chunks[mine];
        if (rows) worker.postMessage({ rows, numbers: exactEntries(rows) } satisfies Chunk);
        else resolve();
      };
      worker.on("message", (answer: StoredRows | Failure) => {
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
  return joinRows(answers);
}

/** The error that ended a thread. Its class is lost on the way, but its name is not. */
function failure(error: Error): Error {
  const { name, message } = error;
  if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY")
    return new Error("A tokenizing thread ran out of memory; let fewer threads tokenize ('workers')", { cause: error });
  return name === "InputError" ? new InputError(message, { cause: error }) : error;
}

/** The worker's side. */
function answerChunks({ path, adapter, limits }: Start["tokenizeRows"]): void {
  const ready = loadTokenizer(path, { adapter }).then((tokenizer) => new PairTokenizer(tokenizer, limits));
  parentPort!.on("message", ({ rows, numbers }: Chunk) => {
    rememberEntries(rows, numbers);
    // A failure is nobody's to catch here: it ends the thread, and its "error" event carries it.
    void ready.then((tokenizer) => {
      let answer: StoredRows;
      try {
        answer = joinRows([...rowBatches(rows)].map((batch) => tokenizer.tokenizeBatch(batch)));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        return parentPort!.postMessage({ inputError: error.message } satisfies Failure);
      }
      parentPort!.postMessage(answer, [answer.stored.buffer as ArrayBuffer]);
    });
  });
}

if (parentPort && isObject(workerData) && "tokenizeRows" in workerData)
  answerChunks((workerData as unknown as Start).tokenizeRows);
