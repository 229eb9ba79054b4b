/**
 * Regular expressions from files and callers, compiled within limits and run under {@link withinTime}.
 *
 * V8's own engine runs them. Linear-time engines (RE2, V8's experimental one) reject the lookahead in the patterns of
 * GPT-2, Llama 3 and Qwen, and match some patterns differently; a time limit covers every pattern and changes no
 * results.
 */
import { InputError } from "./errors";
import { secondsFor, withinTime } from "./timeLimit";
import { shortened } from "./values";

/** Characters of a pattern. Those of published tokenizers have at most a few thousand. */
const MAX_LENGTH = 32_768;
/** Oniguruma's limit for `{n,m}`, and therefore that of Rust's `tokenizers`. */
const MAX_REPETITIONS = 100_000;

/**
 * Checks the size of a pattern and the bounds of its repetitions.
 *
 * @param place of the pattern, for messages, such as `'decoder.pattern' in tokenizer.json`
 */
export function checkPatternSize(source: string, place: string): void {
  if (source.length > MAX_LENGTH)
    throw new InputError(
      `Expected a regular expression of at most ${MAX_LENGTH} characters for ${place} but received ${source.length}`,
    );
  for (const [repetition, least, most] of source.matchAll(/\{(\d+)(?:,(\d*))?\}|\{,(\d+)\}/g))
    if (Number(least ?? 0) > MAX_REPETITIONS || Number(most || 0) > MAX_REPETITIONS)
      throw new InputError(
        `Expected at most ${MAX_REPETITIONS} repetitions in the regular expression for ${place} but received ` +
          `${repetition} in ${shownPattern(source)}`,
      );
}

/** Compiles a pattern. @throws InputError when it is too large or invalid */
export function compilePattern(source: string, flags: string, place: string): RegExp {
  checkPatternSize(source, place);
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new InputError(
      `Expected a regular expression for ${place} but received ${shownPattern(source)}: ${(error as Error).message}`,
    );
  }
}

/** A regular expression that runs within limits; errors name the place that it comes from. */
export class Pattern {
  constructor(
    private readonly regex: RegExp,
    private readonly place: string,
  ) {}

  test(text: string): boolean {
    return this.run(text, (regex) => regex.test(text));
  }

  exec(text: string): RegExpExecArray | null {
    return this.run(text, (regex) => regex.exec(text));
  }

  /** All matches; the pattern must be global. */
  matchAll(text: string): RegExpExecArray[] {
    return this.run(text, (regex) => [...text.matchAll(regex)]);
  }

  remove(text: string): string {
    return this.run(text, (regex) => text.replace(regex, ""));
  }

  private run<T>(text: string, use: (regex: RegExp) => T): T {
    const { regex, place } = this;
    regex.lastIndex = 0;
    if (isPlain(regex.source)) return use(regex);
    return withinTime(
      secondsFor(text.length),
      () => explained(() => use(regex), regex.source, place, text.length),
      (limit) =>
        `Expected the regular expression ${shownPattern(regex.source)} for ${place} to match a text of ${text.length} ` +
        `characters within ${limit} s but it does not end; write it without nested repetitions`,
    );
  }
}

/** Turns what V8 throws when it runs out of stack, or finds a pattern too large on first use, into an InputError. */
export function explained<T>(match: () => T, source: string, place: string, length: number): T {
  try {
    return match();
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    throw new InputError(
      `Expected the regular expression ${shownPattern(source)} for ${place} to match a text of ${length} characters ` +
        `but it needs too much memory: ${error.message}`,
      { cause: error },
    );
  }
}

/** A pattern without special characters cannot backtrack. */
function isPlain(source: string): boolean {
  return /^[\w ,:#-]{0,256}$/.test(source);
}

/** A pattern between slashes, cut to fit into a message. */
export function shownPattern(source: string): string {
  return `/${shortened(source, 80)}/`;
}
