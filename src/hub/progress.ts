/**
 * How far a download is: on a terminal one line with a bar that is rewritten in place, elsewhere a plain line every few
 * seconds. Goes to stderr, so that stdout holds results.
 */
import { duration, type ProgressStream, StatusLine } from "../base/terminal/progress";

const PLAIN_MS = 10_000;
const BAR = 20;

export class DownloadProgress {
  private readonly line: StatusLine;
  /** What was there at the first report: not fetched by this run, so not part of the rate. */
  private first: number | undefined;

  /** `now` is a clock in milliseconds. */
  constructor(
    private readonly name: string,
    stream: ProgressStream = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.line = new StatusLine(stream, now, PLAIN_MS);
  }

  /** Reports that `done` of `total` bytes are there; most calls show nothing. */
  update(done: number, total: number): void {
    const first = (this.first ??= done);
    this.line.update(() => {
      const rate = (done - first) / Math.max(this.line.elapsed, 1e-3);
      const left = rate > 0 ? `${duration((total - done) / rate)} left` : "";
      const parts = [`${bytes(done)} of ${bytes(total)}`, `${bytes(rate)}/s`, left];
      if (!this.line.isTerminal) return this.text(parts);
      const filled = total > 0 ? Math.floor((BAR * done) / total) : BAR;
      return this.text([`[${"#".repeat(filled)}${"-".repeat(BAR - filled)}]`, ...parts]);
    });
  }

  /** Ends with a line that stays. */
  finish(done: number): void {
    this.line.keep(this.text([`fetched ${bytes(done - (this.first ?? 0))} in ${duration(this.line.elapsed)}`]));
  }

  /** Leaves the terminal's line to an error's message. */
  stop(): void {
    this.line.clear();
  }

  private text(parts: readonly string[]): string {
    return `${this.name}  ${parts.filter((part) => part !== "").join("  ")}`;
  }
}

/** A number of bytes for people, in powers of 1000 as disks are sold. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]!}`;
}
