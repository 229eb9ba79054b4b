/**
 * Standard output and standard error of a command, guarded so that a log that cannot be written never ends or blocks the
 * work. Node throws when the reader is gone or the disk is full, drops the rest of a short write to a file, and blocks on
 * a terminal that is stopped; here
 *
 *  - standard error is a log: what cannot be written is counted and reported once writing works again, and at most
 *    {@link MOST_WAITING} bytes wait for a slow reader;
 *  - standard output is the result, unless {@link resultIsInFiles} was called: a reader that has gone (`| head`) ends the
 *    command quietly, any other failure ends it with exit code 1. When the result is in files, a failure is a warning.
 *
 * Installed once, by the command line's entry point; a program that uses the library keeps Node's streams as they are.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { isatty } from "node:tty";

/** Bytes of log lines that wait for a slow reader; lines beyond them are dropped and counted. */
const MOST_WAITING = 1 << 20;
/** Milliseconds without progress after which a finished command no longer waits for a reader. */
const PATIENCE = 2000;

type Callback = (error?: Error | null) => void;

let guards: { readonly stdout: Guard; readonly stderr: Guard } | undefined;
let inFiles: { readonly mayNote: boolean } | undefined;

/** Guards both streams of this process. Calling it twice is harmless. */
export function guardStandardStreams(): void {
  if (guards) return;
  guards = { stdout: new Guard("stdout", 1), stderr: new Guard("stderr", 2) };
  guards.stdout.onFailure = (error) => {
    if (inFiles)
      return void process.stderr.write(
        `warning: standard output cannot be written (${error.message}); the results are in the files\n`,
      );
    if (isReaderGone(error)) process.exit();
    process.stderr.write(`error: Expected to write the result to standard output but received: ${error.message}\n`);
    process.exit(1);
  };
  replaceLostTerminals();
}

/**
 * Declares that the results of the command are in files, so that a failure to print them is only a warning.
 *
 * @param mayNote whether standard output may carry a note, that is, is not read by a program
 */
export function resultIsInFiles({ mayNote }: { mayNote: boolean }): void {
  inFiles = { mayNote };
}

/**
 * Waits until what was written has reached its reader, and ends the process if a reader has stopped reading: Node would
 * wait forever. A result on standard output is awaited without limit, as in every Unix filter.
 */
export async function settleStandardStreams(): Promise<void> {
  if (!guards) return;
  const { stdout, stderr } = guards;
  if (inFiles?.mayNote && !stdout.isFailing && stderr.loss !== undefined) process.stdout.write(`note: ${stderr.loss}\n`);
  if (inFiles) await stdout.drained(PATIENCE);
  else await stdout.drained(Infinity);
  await stderr.drained(PATIENCE);
  if (stdout.waiting > 0 || stderr.waiting > 0) process.exit();
}

/** One stream: what waits in it, and what was lost. */
class Guard {
  /** Bytes handed to the stream that have not left it. */
  waiting = 0;
  onFailure: ((error: NodeJS.ErrnoException) => void) | undefined;
  private readonly isLog: boolean;
  private readonly original: (chunk: Uint8Array | string, callback: Callback) => boolean;
  private failure: NodeJS.ErrnoException | undefined;
  /** Why the last write to a file failed; `failure` has it only once the stream has reported it. */
  private writeError: Error | undefined;
  /** Log lines that could not be written since the last that could. */
  private lost = 0;
  /** Whether the last write to a file ended in the middle of a line. */
  private isTorn = false;

  constructor(
    private readonly name: "stdout" | "stderr",
    private readonly descriptor: number,
  ) {
    const stream = process[name];
    this.isLog = name === "stderr";
    this.original = stream.write.bind(stream) as Guard["original"];
    stream.on("error", (error: NodeJS.ErrnoException) => this.fail(error));
    const write = isFile(descriptor) ? this.toFile.bind(this) : this.toReader.bind(this);
    stream.write = (chunk: Uint8Array | string, encoding?: BufferEncoding | Callback, callback?: Callback): boolean => {
      const done = typeof encoding === "function" ? encoding : callback;
      const bytes = typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : chunk;
      return write(bytes, done);
    };
    // Node makes terminals block: a terminal stopped with Ctrl-S would stop the work.
    if (stream.isTTY) (stream as unknown as { _handle?: { setBlocking?(blocks: boolean): void } })._handle?.setBlocking?.(false);
  }

  get isFailing(): boolean {
    return this.failure !== undefined;
  }

  /** Describes lost lines of the log to the user; undefined if there are none. */
  get loss(): string | undefined {
    if (this.lost === 0) return undefined;
    const lines = this.lost === 1 ? "1 line of the log was lost" : `${this.lost} lines of the log were lost`;
    const reason = this.failure ?? this.writeError;
    return `${lines}: standard error ${reason ? `could not be written (${reason.message})` : "was not read in time"}`;
  }

  /** Waits until everything is written, as long as the reader makes progress every `patience` milliseconds. */
  async drained(patience: number): Promise<void> {
    for (let before = this.waiting, since = performance.now(); this.waiting > 0; ) {
      await setTimeout(10);
      if (this.waiting < before) [before, since] = [this.waiting, performance.now()];
      else if (performance.now() - since > patience) return;
    }
  }

  /** Files and devices are written synchronously and completely: Node's own stream drops the rest of a short write. */
  private toFile(bytes: Uint8Array, done?: Callback): boolean {
    const text =
      this.loss === undefined ? bytes : Buffer.concat([Buffer.from(`${this.isTorn ? "\n" : ""}note: ${this.loss}\n`), bytes]);
    let at = 0;
    try {
      while (at < text.length) at += writeSync(this.descriptor, text, at);
      [this.lost, this.isTorn, this.failure, this.writeError] = [0, false, undefined, undefined];
      if (done) process.nextTick(done);
    } catch (error) {
      this.writeError = error as Error;
      if (at > 0) this.isTorn = text[at - 1] !== NEWLINE;
      this.lose(bytes);
      // As Node reports it: to the callback, and to a pipeline that listens.
      process.nextTick(() => {
        done?.(error as Error);
        process[this.name].emit("error", error);
      });
    }
    return true;
  }

  /** Pipes, sockets and terminals take what they can, and Node keeps the rest. */
  private toReader(bytes: Uint8Array, done?: Callback): boolean {
    if (this.isLog && this.waiting + bytes.length > MOST_WAITING) {
      this.lose(bytes);
      if (done) process.nextTick(done);
      return true;
    }
    this.waiting += bytes.length;
    const more = this.original(bytes, (error) => {
      this.waiting -= bytes.length;
      if (error) this.lose(bytes);
      else this.recover();
      done?.(error);
    });
    return this.isLog || more;
  }

  private recover(): void {
    const { loss } = this;
    if (loss !== undefined && this.waiting > 0) return; // once the reader has caught up
    this.lost = 0;
    this.failure = undefined;
    if (loss !== undefined) this.toReader(Buffer.from(`note: ${loss}\n`));
  }

  private lose(bytes: Uint8Array): void {
    if (this.isLog) for (const byte of bytes) if (byte === NEWLINE) this.lost++;
  }

  private fail(error: NodeJS.ErrnoException): void {
    const isFirst = this.failure === undefined;
    this.failure = error;
    if (isFirst) this.onFailure?.(error);
  }
}

const NEWLINE = 10;

const isReaderGone = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE" || code === "ECONNRESET";

function isFile(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() || (stats.isCharacterDevice() && !isatty(descriptor));
  } catch {
    return false;
  }
}

/**
 * Node resets the terminal's modes as it exits and aborts (SIGABRT) when that fails, as it does for a terminal that has
 * been closed: such descriptors become /dev/null first.
 */
function replaceLostTerminals(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  if (terminals.length === 0) return;
  process.on("exit", () => {
    for (const descriptor of terminals.filter((each) => !isatty(each))) {
      closeSync(descriptor);
      openSync("/dev/null", constants.O_RDWR); // takes the lowest free number, that one
    }
  });
}
