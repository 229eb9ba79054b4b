/**
 * One status line for a phase of work: on a terminal it is rewritten in place, elsewhere a plain line appears every few
 * seconds. Either way a last line stays and says what the phase came to. Goes to stderr, so that stdout holds results.
 * Control characters in labels and details, which may name files and tasks, are escaped.
 */
import { printable } from "./terminal";

/** The part of a write stream that is used. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const REWRITE_MS = 100;
const PLAIN_MS = 5000;

/**
 * ```ts
 * const progress = new Progress("training", 60);
 * for (let step = 1; step <= 60; step++) progress.update(step, `loss ${loss.toFixed(3)}`);
 * progress.finish(`60 steps, loss ${loss.toFixed(3)}`);
 * ```
 */
export class Progress {
  private readonly start: number;
  private shown: number;

  /**
   * @param total steps in all, for the share and the time left; leave it out when it is not known
   * @param now a clock in milliseconds
   */
  constructor(
    private readonly label: string,
    private readonly total?: number,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.start = now();
    this.shown = stream.isTTY ? -Infinity : this.start;
  }

  /** Reports that `done` steps are done; most calls show nothing. */
  update(done: number, details = ""): void {
    const time = this.now();
    if (time - this.shown < (this.stream.isTTY ? REWRITE_MS : PLAIN_MS)) return;
    this.shown = time;
    const rate = done / Math.max((time - this.start) / 1000, 1e-3);
    const count = this.total === undefined ? `${done}` : `${done}/${this.total}`;
    const left = this.total === undefined || done === 0 ? "" : `${seconds((this.total - done) / rate)} left`;
    this.line([count, `${rate.toFixed(1)}/s`, left, details], !this.stream.isTTY);
  }

  /** Ends the phase with a line that stays. */
  finish(details: string): void {
    this.line([seconds((this.now() - this.start) / 1000), details], true);
  }

  /** A line that stays, above the status line. */
  note(text: string): void {
    this.stream.write(`${this.stream.isTTY ? "\r\x1b[2K" : ""}${printable(text)}\n`);
    this.shown = this.stream.isTTY ? -Infinity : this.shown;
  }

  private line(parts: readonly string[], stays: boolean): void {
    const text = printable(`${this.label.padEnd(20)} ${parts.filter((part) => part !== "").join("  ")}`);
    if (!this.stream.isTTY) this.stream.write(`${text}\n`);
    else this.stream.write(`\r\x1b[2K${stays ? `${text}\n` : text.slice(0, (this.stream.columns ?? 80) - 1)}`);
  }
}

function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
}
