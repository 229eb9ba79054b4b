/** The found/expected table that `smaug doctor` prints and that is the body of a load error. */

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
