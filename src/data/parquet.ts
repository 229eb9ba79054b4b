/**
 * Records from Parquet, one row group at a time, of the columns that are asked for.
 *
 * The file is decoded in a thread. A damaged one can make the decoder loop without end or ask for all memory there is,
 * and a promise of its own may fail where nobody waits for it; all of that ends the thread, and here it is an error.
 */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { InputError } from "../native/errors";
import { type ParquetFile, ParquetReader } from "./parquetReader";
import type { ParquetAnswer, ParquetRequest } from "./parquetWorker";
import { KEYS } from "./preferenceRow";
import { type Source, type SourceRecord, excerpt } from "./source";
import { canStartWorkers } from "./workerPool";

/** The columns that are read where they are there, and those that have to be. */
export interface Columns {
  /** Left out: all of them. */
  readonly wanted?: readonly string[];
  readonly required: readonly string[];
  /** Whether a null is kept. Left out: it is as if it were not there (but for `content`). */
  readonly keepNulls?: boolean;
}

const PREFERENCE: Columns = { wanted: KEYS, required: ["chosen", "rejected"] };

export async function* readParquet(file: string, { wanted, required, keepNulls = false }: Columns = PREFERENCE): Source {
  const reader = await (canStartWorkers ? ParquetThread : ParquetReader).open(file);
  try {
    const found = reader.columns;
    const columns = (wanted ?? found).filter((key) => found.includes(key));
    const missing = required.filter((key) => !found.includes(key));
    if (missing.length > 0) throw new InputError(missingColumns(file, missing, found));
    let start = 0;
    for (const [group, { rows }] of reader.groups.entries()) {
      const values = await reader.read(group, columns, keepNulls);
      yield recordsOf({ columns, values, rows, keepNulls }, file, start);
      start += rows;
    }
  } finally {
    await reader.close();
  }
}

function missingColumns(file: string, missing: readonly string[], found: readonly string[]): string {
  const [wanted, there] = [missing, found].map((names) => names.slice(0, 20).map((name) => `'${excerpt(name)}'`).join(", "));
  return `Expected the column ${wanted} in '${file}', but found only ${there}.`;
}

interface Group {
  readonly columns: readonly string[];
  readonly values: readonly unknown[][];
  readonly rows: number;
  readonly keepNulls: boolean;
}

function* recordsOf({ columns, values, rows, keepNulls }: Group, file: string, start: number): Generator<SourceRecord> {
  for (let i = 0; i < rows; i++) {
    const entries = columns.map((name, c) => [name, values[c]![i]] as const);
    const present = keepNulls ? entries : entries.filter(([name, value]) => value !== null || name === "content");
    yield { value: Object.fromEntries(present), place: `'${file}', row ${start + i} (counted from 0)` };
  }
}

const TICK = 100; // ms
/** What a decoder gets in any case, and for each MiB of the file that it decodes: honest ones take a tenth of it. */
const TICKS = 150;
const TICKS_PER_MIB = 10;

/** A {@link ParquetReader} in a thread. */
class ParquetThread implements ParquetFile {
  columns: readonly string[] = [];
  groups: ParquetFile["groups"] = [];
  private readonly worker: Worker;
  /** Set once the thread is gone: what to say of the file, and the error. */
  private ended: { readonly why: string; readonly cause?: unknown } | undefined;
  private onEnd: () => void = () => undefined;

  private constructor(private readonly file: string) {
    this.worker = new Worker(join(__dirname, "parquetWorker.js"), { workerData: file });
    const end = (why: string, cause?: unknown): void => {
      this.ended ??= { why, cause };
      this.onEnd();
    };
    const isFull = ({ code }: NodeJS.ErrnoException) => code === "ERR_WORKER_OUT_OF_MEMORY";
    this.worker.on("error", (error) => end(isFull(error) ? "a row group does not fit in memory" : error.message, error));
    this.worker.on("messageerror", (error) => end(error.message, error));
    this.worker.on("exit", () => end("the thread that reads it has ended"));
  }

  static async open(file: string): Promise<ParquetThread> {
    const thread = new ParquetThread(file);
    try {
      const answer = await thread.answer(0);
      if ("opened" in answer) Object.assign(thread, answer.opened);
      return thread;
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  async read(group: number, columns: readonly string[], keepNulls: boolean): Promise<unknown[][]> {
    const answered = this.answer(this.groups[group]!.bytes);
    this.worker.postMessage({ group, columns, keepNulls } satisfies ParquetRequest);
    const answer = await answered;
    return "values" in answer ? answer.values : [];
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  /** The thread's next answer, which it owes within a time that follows from what it reads. */
  private answer(bytes: number): Promise<Exclude<ParquetAnswer, { failure: string }>> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearInterval(timer);
        this.worker.off("message", onMessage);
        this.onEnd = () => undefined;
      };
      const fail = (why: string, cause?: unknown): void => {
        done();
        const message = `Expected a Parquet file that can be read at '${this.file}', but ${why}.`;
        reject(new InputError(message, { cause }));
      };
      const onMessage = (answer: ParquetAnswer): void => {
        done();
        if ("failure" in answer) reject(new InputError(answer.failure));
        else resolve(answer);
      };
      // Ticks that this thread has seen, not time that has passed: a suspended or busy process is no broken file.
      let ticks = TICKS + Math.ceil((bytes / 2 ** 20) * TICKS_PER_MIB);
      const timer = setInterval(() => {
        if (--ticks < 0) fail("it takes far longer than a file of its size should; it is damaged");
      }, TICK);
      this.worker.on("message", onMessage);
      this.onEnd = () => fail(this.ended!.why, this.ended!.cause);
      if (this.ended) this.onEnd();
    });
  }
}
