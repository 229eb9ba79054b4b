/**
 * The limits of one tokenizer: time for its patterns, and the size of what they make of a text.
 *
 * Every pattern of tokenizer.json runs in the library's steps, so the limit is around encode(): see base/timeLimit.ts.
 * It is left out for short texts where all patterns are known to be linear (knownPatterns.ts), since it costs as much as
 * encoding a few words, and bulk tokenizers put one around a batch of rows (data/pairTokenizer.ts).
 */
import { explained, shownPattern } from "../base/patterns";
import { secondsFor, withinTime } from "../base/timeLimit";
import { TokenizerError } from "./errors";
import { expectRoom, roomFor } from "./growth";
import type { Origin, Step } from "./pipeline";

/** Characters up to which what is linear in theory needs no watch: tokens to look for, pieces to merge. */
const SHORT = 16_384;

/** A step of the library: a normalizer or a pre-tokenizer. */
interface LibraryStep {
  readonly config?: Step & { readonly origin?: Origin; readonly length?: number };
  readonly pattern?: RegExp | null;
  readonly normalizers?: readonly (LibraryStep | null)[];
  readonly tokenizers?: readonly (LibraryStep | null)[];
  normalize?(text: string): string;
  pre_tokenize_text?(text: string, options?: unknown): string[];
}

export class TokenizerLimits {
  /** The pattern that is running, to be named when time runs out. */
  private current: Origin | undefined;
  /** Characters that normalizers may make of the text at hand. */
  private room = 0;

  /** @param areKnown whether all patterns are known to be linear */
  constructor(
    private readonly file: string,
    private readonly areKnown: boolean,
  ) {}

  /** Encodes a text within limits. */
  encode<T>(text: string, work: () => T): T {
    this.room = roomFor(text.length);
    if (this.areKnown && text.length <= SHORT) return work();
    return this.run(text.length, secondsFor(text.length), work);
  }

  /** Runs work on more than a single text, such as on the added tokens, within limits. */
  run<T>(characters: number, seconds: number, work: () => T): T {
    this.current = undefined;
    this.room = roomFor(characters);
    const { file } = this;
    return withinTime(
      seconds,
      () => explained(work, this.current?.source ?? "", `'${this.current?.key ?? "pre_tokenizer"}' in ${file}`, characters),
      (limit) => {
        const { current } = this;
        const what = current
          ? `the regular expression ${shownPattern(current.source)} for '${current.key}' in ${file} to split`
          : `the tokenizer in ${file} to encode`;
        return (
          `Expected ${what} a text of ${characters} characters within ${limit} s but it does not end; ` +
          (current ? "write it without nested repetitions, or use another tokenizer" : "shorten the text")
        );
      },
    );
  }

  /**
   * Makes a step of the library, and its inner steps, record which pattern they run and check the size of what they
   * make.
   */
  watch(step: LibraryStep | null): void {
    if (step === null) return;
    for (const inner of step.normalizers ?? step.tokenizers ?? []) this.watch(inner);
    const { config, pattern } = step;
    const { origin } = config ?? {};
    if (origin === undefined) return;
    if (step.normalize) {
      const normalize = step.normalize.bind(step);
      const place = `'${origin.key.replace(/\.pattern$/, "")}' in ${this.file}`;
      step.normalize = (text) => {
        this.current = origin;
        if (pattern) expectRoom(text, pattern, config!.length!, this.room, place);
        return normalize(text);
      };
    } else if (step.pre_tokenize_text) {
      const split = step.pre_tokenize_text.bind(step);
      step.pre_tokenize_text = (text, options) => {
        this.current = origin;
        const pieces = split(text, options);
        this.current = undefined;
        return pieces;
      };
    }
  }
}

/** Finds the pattern that does not compile, for a message that names its key. */
export function expectPattern(origin: Origin, file: string, compile: () => unknown): void {
  try {
    compile();
  } catch (error) {
    throw new TokenizerError(
      `Expected a regular expression for '${origin.key}' in ${file} but received ${shownPattern(origin.source)}, with ` +
        `which the tokenizer cannot be built: ${(error as Error).message.split("\n")[0]!.slice(-100)}`,
    );
  }
}
