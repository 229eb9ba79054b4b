/**
 * A status line for a phase of work: on a terminal it is rewritten in place, elsewhere a plain line appears every few
 * seconds. Either way a last line stays and says what the phase came to. Goes to stderr, so that stdout holds results.
 * Control characters in it, which may come from the names of files and tasks, are escaped.
 */
import { printable } from "./printable";

/** The part of a write stream that is used. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const REWRITE_MS = 100;
const PLAIN_MS = 5000;

/** The line itself, and how often it changes. */
export class StatusLine {
  private readonly start: number;
  private shown: number;

  /**
   * @param interval milliseconds between two lines where the stream is not a terminal
   * @param now a clock in milliseconds
   */
  constructor(
    private readonly stream: ProgressStream,
    private readonly now: () => number,
    private readonly interval = PLAIN_MS,
  ) {
    this.start = now();
    this.shown = this.isTerminal ? -Infinity : this.start;
  }

  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  /** Seconds since the phase began. */
  get elapsed(): number {
    return (this.now() - this.start) / 1000;
  }

  /** Shows what `text` returns, unless the last line is too recent. */
  update(text: () => string): void {
    const time = this.now();
    if (time - this.shown < (this.isTerminal ? REWRITE_MS : this.interval)) return;
    this.shown = time;
    if (this.isTerminal) this.stream.write(`${REWRITE}${printable(text()).slice(0, (this.stream.columns ?? 80) - 1)}`);
    else this.stream.write(`${printable(text())}\n`);
  }

  /** Writes a line that stays, above the status line. */
  keep(text: string): void {
    this.stream.write(`${this.isTerminal ? REWRITE : ""}${printable(text)}\n`);
    if (this.isTerminal) this.shown = -Infinity;
  }

  /** Removes the status line from a terminal. */
  clear(): void {
    if (this.isTerminal) this.stream.write(REWRITE);
  }
}

/** To the beginning of the line, which is erased. */
const REWRITE = "\r\x1b[2K";

/**
 * ```ts
 * const progress = new Progress("training", 60);
 * for (let step = 1; step <= 60; step++) progress.update(step, `loss ${loss.toFixed(3)}`);
 * progress.finish(`60 steps, loss ${loss.toFixed(3)}`);
 * ```
 */
export class Progress {
  private readonly line: StatusLine;

  /**
   * @param total steps in all, for the share and the time left; leave it out when it is not known
   * @param now a clock in milliseconds
   */
  constructor(
    private readonly label: string,
    private readonly total?: number,
    stream: ProgressStream = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.line = new StatusLine(stream, now);
  }

  /** Reports that `done` steps are done; most calls show nothing. */
  update(done: number, details = ""): void {
    this.line.update(() => {
      const rate = done / Math.max(this.line.elapsed, 1e-3);
      const count = this.total === undefined ? `${done}` : `${done}/${this.total}`;
      const left = this.total === undefined || done === 0 ? "" : `${duration((this.total - done) / rate)} left`;
      return this.text([count, `${rate.toFixed(1)}/s`, left, details]);
    });
  }

  /** Ends the phase with a line that stays. */
  finish(details: string): void {
    this.line.keep(this.text([duration(this.line.elapsed), details]));
  }

  /** A line that stays, above the status line. */
  note(text: string): void {
    this.line.keep(text);
  }

  private text(parts: readonly string[]): string {
    return `${this.label.padEnd(20)} ${parts.filter((part) => part !== "").join("  ")}`;
  }
}

/** A duration for a status line: "3.2 s", "4 min 10 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
