/**
 * What setup and doctor tell the user: the found/expected table (also the body of a load error), lines of progress, and
 * the error that ends a setup.
 */
import { printable } from "../../base/terminal/printable";

export interface Check {
  /** What was looked at: `libtorch`, `compiler`. */
  name: string;
  found: string;
  expected: string;
  /** A `note` is worth knowing and stops nothing. */
  status: "ok" | "problem" | "note";
  /** The way out of a problem, where possible a line to paste. */
  fix?: string;
}

const marks = { ok: "ok", note: "--", problem: "!!" };

export function hasProblem(checks: readonly Check[]): boolean {
  return checks.some((check) => check.status === "problem");
}

/** One line per check in columns, and under each problem the line to paste. */
export function formatChecks(checks: readonly Check[]): string {
  // A long path pushes its own line out, not the whole column.
  const width = (texts: string[]) => Math.max(...texts.map((text) => (text.length > 56 ? 0 : text.length)));
  const heading = { name: "what", found: "found", expected: "expected" };
  const nameWidth = width([heading, ...checks].map((check) => check.name));
  const foundWidth = width([heading, ...checks].map((check) => check.found));
  const line = (mark: string, { name, found, expected }: typeof heading) =>
    `${mark.padEnd(2)}  ${name.padEnd(nameWidth)}  ${found.padEnd(foundWidth)}  ${expected}`.trimEnd();
  return [
    line("", heading),
    ...checks.flatMap((check) => [line(marks[check.status], check), ...(check.fix ? [`      -> ${check.fix}`] : [])]),
  ].join("\n");
}

/** What stopped a setup: one sentence, what was found, and the ways out. */
export class SetupError extends Error {
  override name = "SetupError";

  /** `found` may have several lines; each way out is one line, where possible one to paste. */
  constructor(summary: string, found: string, waysOut: readonly string[] = []) {
    const indented = found.replace(/^(?=.)/gm, "  ");
    super([summary, indented, ...waysOut.map((line) => `  -> ${line}`)].join("\n"));
  }
}

/** Tells what setup is doing: lines, and on a terminal one line that counts up. */
export interface SetupProgress {
  line(text: string): void;
  /** How far a long step is; `total` 0 when nobody knows. */
  share(text: string, done: number, total: number): void;
}

/** Writes to standard error. Where that is not a terminal, every 10 % is a line. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): SetupProgress {
  let open = false;
  let last = -1;
  return {
    line(text) {
      stream.write(`${open ? "\n" : ""}smaug: ${printable(text)}\n`);
      open = false;
      last = -1;
    },
    share(text, done, total) {
      if (total === 0) return;
      const percent = Math.floor((100 * done) / total);
      if (percent === last || (!stream.isTTY && Math.floor(percent / 10) === Math.floor(last / 10))) return;
      last = percent;
      open = stream.isTTY;
      stream.write(stream.isTTY ? `\rsmaug: ${text}: ${percent} %` : `smaug: ${text}: ${percent} %\n`);
    },
  };
}
