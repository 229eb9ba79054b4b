/**
 * How far a download is: on a terminal one line with a bar that is rewritten in place, elsewhere a plain line every few
 * seconds. Goes to stderr, so that stdout holds results.
 */

/** The part of a write stream that is used. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const REWRITE_MS = 100;
const PLAIN_MS = 10_000;
const BAR = 20;

export class DownloadProgress {
  private readonly start: number;
  private shown: number;
  /** What was there at the first report: not fetched by this run, so not part of the rate. */
  private first: number | undefined;

  /** `now` is a clock in milliseconds. */
  constructor(
    private readonly name: string,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.start = now();
    this.shown = stream.isTTY ? -Infinity : this.start;
  }

  /** Reports that `done` of `total` bytes are there; most calls show nothing. */
  update(done: number, total: number): void {
    this.first ??= done;
    const time = this.now();
    if (time - this.shown < (this.stream.isTTY ? REWRITE_MS : PLAIN_MS)) return;
    this.shown = time;
    const rate = (done - this.first) / Math.max((time - this.start) / 1000, 1e-3);
    const left = rate > 0 ? `${duration((total - done) / rate)} left` : "";
    const parts = [`${bytes(done)} of ${bytes(total)}`, `${bytes(rate)}/s`, left];
    if (!this.stream.isTTY) return this.line(parts, true);
    const filled = total > 0 ? Math.floor((BAR * done) / total) : BAR;
    this.line([`[${"#".repeat(filled)}${"-".repeat(BAR - filled)}]`, ...parts], false);
  }

  /** Ends with a line that stays. */
  finish(done: number): void {
    const taken = (this.now() - this.start) / 1000;
    this.line([`fetched ${bytes(done - (this.first ?? 0))} in ${duration(taken)}`], true);
  }

  /** Leaves the terminal's line to an error's message. */
  stop(): void {
    if (this.stream.isTTY) this.stream.write("\r\x1b[2K");
  }

  private line(parts: readonly string[], stays: boolean): void {
    const text = `${this.name}  ${parts.filter((part) => part !== "").join("  ")}`;
    if (!this.stream.isTTY) this.stream.write(`${text}\n`);
    else this.stream.write(`\r\x1b[2K${stays ? `${text}\n` : text.slice(0, (this.stream.columns ?? 80) - 1)}`);
  }
}

/** A number of bytes for people, in powers of 1000 as disks are sold. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]!}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
