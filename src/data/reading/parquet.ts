/**
 * Records from Parquet, one row group at a time, of the columns that are asked for.
 *
 * The file is decoded in a worker thread. A damaged file can make the decoder loop forever, exhaust the memory, or
 * reject a promise that nobody awaits; each of these ends the thread and becomes an error here.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { InputError } from "../../base/errors";
import { canStartWorkers } from "../../base/processes";
import { isObject } from "../../base/values";
import { rememberEntries, rememberedNumbers, rememberNumber } from "../../text/exactNumbers";
import { columnList } from "./columnMapping";
import { type ColumnValues, type ParquetFile, ParquetReader } from "./parquetReader";
import type { Source, SourceRecord } from "./source";

/** The columns that are read where they are there, and those that have to be. */
export interface Columns {
  /** Column names, or a function that chooses among a file's columns. Default: all of them. */
  readonly wanted?: readonly string[] | ((found: readonly string[]) => readonly string[]);
  readonly required: readonly string[];
  /**
   * Whether null fields of structs are kept, as `datasets` keeps them. By default they are dropped, except `content`: Arrow
   * gives every row a field that any row has. A null column is always kept.
   */
  readonly keepNulls?: boolean;
}

/** What the thread is asked: opens a file in place of the one before, reads some columns of a row group, or closes the file. */
type ParquetRequest =
  | { readonly open: string }
  | { readonly group: number; readonly columns: readonly string[]; readonly keepNulls: boolean }
  | "close";

/** Its answer. `failure` is what is wrong with the file. */
type ParquetAnswer = { readonly opened: ParquetFile } | ColumnValues | { readonly failure: string } | "closed";

/** `patience` is the least time allowed to the decoder for a request, in ticks of 100 ms. */
export async function* readParquet(file: string, columns: Columns, patience = TICKS): Source {
  const { wanted, required, keepNulls = false } = columns;
  const reader = await (canStartWorkers ? ParquetThread.open(file, patience) : ParquetReader.open(file));
  try {
    const found = reader.columns;
    const chosen = typeof wanted === "function" ? wanted(found) : (wanted ?? found);
    const names = chosen.filter((key) => found.includes(key));
    const missing = required.filter((key) => !found.includes(key));
    if (missing.length > 0)
      throw new InputError(`Expected the column ${columnList(missing)} in '${file}' but received only ${columnList(found)}`);
    let start = 0;
    for (const [group, { rows }] of reader.groups.entries()) {
      const { values } = await reader.read(group, names, keepNulls);
      yield recordsOf({ columns: names, values, rows }, file, start);
      start += rows;
    }
  } finally {
    await reader.close();
  }
}

interface Group {
  readonly columns: readonly string[];
  readonly values: readonly unknown[][];
  readonly rows: number;
}

function* recordsOf({ columns, values, rows }: Group, file: string, start: number): Generator<SourceRecord> {
  const numeric = columns.flatMap((name, c) => {
    const numbers = rememberedNumbers(values[c]!);
    return numbers ? [[name, numbers] as const] : [];
  });
  for (let i = 0; i < rows; i++) {
    const value = Object.fromEntries(columns.map((name, c) => [name, values[c]![i]]));
    for (const [name, numbers] of numeric) rememberNumber(value, name, numbers.get(i));
    yield { value, place: `'${file}', row ${start + i} (counted from 0)` };
  }
}

const TICK = 100; // ms
/** Ticks allowed for a request, and in addition for each MiB that it decodes: intact files take a tenth of that. */
const TICKS = 100;
const TICKS_PER_MIB = 10;

/** A {@link ParquetReader} in a thread. */
class ParquetThread implements ParquetFile {
  columns: readonly string[] = [];
  groups: ParquetFile["groups"] = [];

  private constructor(
    private readonly file: string,
    private readonly decoder: Decoder,
    private readonly patience: number,
  ) {}

  static async open(file: string, patience: number): Promise<ParquetThread> {
    const thread = new ParquetThread(file, idle.pop() ?? new Decoder(), patience);
    const answer = await thread.ask({ open: file }, 0);
    return Object.assign(thread, typeof answer === "object" && "opened" in answer ? answer.opened : {});
  }

  async read(group: number, columns: readonly string[], keepNulls: boolean): Promise<ColumnValues> {
    const answer = await this.ask({ group, columns, keepNulls }, this.groups[group]!.bytes);
    if (typeof answer !== "object" || !("values" in answer)) return { values: [], numbers: [] };
    rememberEntries(answer.values, answer.numbers);
    return answer;
  }

  /** Keeps the thread for the next file: starting one takes longer than reading a small file. */
  async close(): Promise<void> {
    if (this.decoder.ended) return;
    await this.ask("close", 0);
    if (idle.length === 0) idle.push(this.decoder);
    else await this.decoder.end();
  }

  /** After a failure the thread is not reused: the decoder may have left work behind that fails later. */
  private async ask(request: ParquetRequest, bytes: number): Promise<ParquetAnswer> {
    let fault: Error;
    try {
      const answer = await this.decoder.ask(request, this.patience + Math.ceil((bytes / 2 ** 20) * TICKS_PER_MIB));
      if (typeof answer === "string" || !("failure" in answer)) return answer;
      fault = new InputError(answer.failure);
    } catch (error) {
      const message = `Expected a Parquet file that can be read at '${this.file}', but ${(error as Error).message}`;
      fault = new InputError(message, { cause: error });
    }
    await this.decoder.end();
    throw fault;
  }
}

const idle: Decoder[] = [];

/** The thread itself. It keeps the process alive only while a request is pending. */
class Decoder {
  ended: Error | undefined;
  private readonly worker = new Worker(__filename, { workerData: { decodeParquet: true } });
  private onAnswer: (answer: ParquetAnswer) => void = () => undefined;
  private onEnd: () => void = () => undefined;

  constructor() {
    const end = (error: Error): void => {
      this.ended ??= error;
      const at = idle.indexOf(this);
      if (at >= 0) idle.splice(at, 1);
      this.onEnd();
    };
    this.worker
      .on("message", (answer: ParquetAnswer) => this.onAnswer(answer))
      .on("error", (error: NodeJS.ErrnoException) => {
        const isFull = error.code === "ERR_WORKER_OUT_OF_MEMORY";
        end(isFull ? new Error("a row group does not fit in memory", { cause: error }) : error);
      })
      .on("messageerror", end)
      .on("exit", () => end(new Error("the thread that reads it has ended")))
      .unref();
  }

  /** Sends a request and waits for the answer, for at most `ticks`. */
  async ask(request: ParquetRequest, ticks: number): Promise<ParquetAnswer> {
    // Counts the ticks of this thread, not elapsed time: a suspended or busy process does not mean a damaged file.
    let timer: NodeJS.Timeout | undefined;
    this.worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        if (this.ended) return reject(this.ended);
        this.onAnswer = resolve;
        this.onEnd = () => reject(this.ended!);
        const slow = new Error("it takes far longer than a file of its size should; it is damaged");
        timer = setInterval(() => --ticks < 0 && reject(slow), TICK);
        this.worker.postMessage(request);
      });
    } finally {
      clearInterval(timer);
      this.onAnswer = this.onEnd = () => undefined;
      this.worker.unref();
    }
  }

  async end(): Promise<void> {
    this.ended ??= new Error("the thread that reads it has ended");
    await this.worker.terminate();
  }
}

/** The thread's side: the file that is open, and the answers to requests, one after the other. */
let open: ParquetReader | undefined;

async function answer(request: ParquetRequest): Promise<ParquetAnswer> {
  if (request === "close" || "open" in request) {
    const before = open;
    open = undefined;
    await before?.close();
    if (request === "close") return "closed";
    const { columns, groups } = (open = await ParquetReader.open(request.open));
    return { opened: { columns, groups } };
  }
  const { group, columns, keepNulls } = request;
  return open!.read(group, columns, keepNulls);
}

if (parentPort && isObject(workerData) && "decodeParquet" in workerData) {
  const port = parentPort;
  const failed = (error: unknown): ParquetAnswer => ({ failure: (error as Error).message });
  port.on("message", (request: ParquetRequest) => {
    void answer(request)
      .catch(failed)
      .then((each) => port.postMessage(each));
  });
}
