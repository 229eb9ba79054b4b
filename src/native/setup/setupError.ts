/** What stopped a setup: one sentence, what was found, and the ways out. */
export class SetupError extends Error {
  override name = "SetupError";

  /** `found` may have several lines; each way out is one line, where possible one to paste. */
  constructor(summary: string, found: string, waysOut: readonly string[] = []) {
    const indented = found.replace(/^(?=.)/gm, "  ");
    super([summary, indented, ...waysOut.map((line) => `  -> ${line}`)].join("\n"));
  }
}
