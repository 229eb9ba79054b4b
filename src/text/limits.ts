/**
 * The limits of one tokenizer: time for its patterns, and the size of what they make of a text, since a few replacements
 * that each double it would exhaust the memory.
 *
 * Every pattern of tokenizer.json runs in the library's steps, so the limit is around encode(): see base/timeLimit.ts.
 * It is left out for short texts where all patterns are known to be linear, since it costs as much as encoding a few
 * words, and bulk tokenizers put one around a batch of rows (data/tokenize/pairTokenizer.ts).
 */
import { explained, shownPattern } from "../base/patterns";
import { secondsFor, withinTime } from "../base/timeLimit";
import { TokenizerError } from "./errors";
import { gpt2, type Origin, runUpTo, type Step } from "./pipeline";

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

/** Characters that normalizers may make of a text. Unicode's normalization forms make at most 18 of one. */
function roomFor(characters: number): number {
  return 2 ** 20 + 32 * characters;
}

/**
 * Refuses a replacement whose result has more characters than `room`, before it is made.
 *
 * @param length characters that replace each match
 */
function expectRoom(text: string, pattern: RegExp, length: number, room: number, place: string): void {
  if (text.length + (text.length + 1) * length <= room) return;
  let characters = text.length;
  for (const [match] of text.matchAll(pattern)) characters += length - match.length;
  if (characters > room)
    throw new TokenizerError(`Expected ${place} to make a text of at most ${room} characters but it makes one of ${characters}`);
}

/** Characters that a decoder may make of the tokens of a text. */
const MOST_DECODED = 2 ** 22;

/** Refuses replacements in tokens that make a text of more than {@link MOST_DECODED} characters. */
export function expectRoomInTokens(tokens: readonly string[], from: string, length: number, place: string): void {
  if (length <= from.length) return;
  let characters = 0;
  for (const token of tokens) {
    characters += token.length;
    if (from === "") characters += (token.length + 1) * length;
    else
      for (let at = token.indexOf(from); at >= 0; at = token.indexOf(from, at + from.length)) characters += length - from.length;
    if (characters > MOST_DECODED)
      throw new TokenizerError(`Expected ${place} to make a text of at most ${MOST_DECODED} characters but it makes more`);
  }
}

/*
 * Patterns that need no time limit on short texts, so that limits do not slow down a single encode().
 *
 * In each, an alternative is a run of characters of one class, or of two that follow each other, after at most one other
 * character. A match scans the run it is in at most a few times, once for each alternative that begins there, and then
 * consumes it, or for `\s+(?!\S)` all of it but one character. So a text of n characters takes a small multiple of n
 * steps whatever it is; test/text/limits.test.ts tries long runs and mixtures of all their classes.
 */
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const lower = "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}";
const upper = "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}";
const ending = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

const known = new Set([
  gpt2,
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${rest}`, // Llama 3, SmolLM 3
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${rest}`, // Qwen 2 and 3
  // GPT-4o
  `[^\\r\\n\\p{L}\\p{N}]?[${upper}]*[${lower}]+${ending}|[^\\r\\n\\p{L}\\p{N}]?[${upper}]+[${lower}]*${ending}|` +
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "\\p{N}",
  "\\p{N}+",
  "\\p{N}{1,3}",
  "\\s+",
]);

/**
 * Whether every pattern among these steps is a known one. A plain string, which is only searched for, counts as known.
 */
export function areKnown(...list: (Step | null)[]): boolean {
  return list.every((step) => {
    if (step === null) return true;
    const inner = (step.pretokenizers ?? step.normalizers) as Step[] | undefined;
    if (inner) return areKnown(...inner);
    const { Regex: regex } = (step.pattern ?? {}) as { Regex?: string };
    return regex === undefined || known.has(regex) || own.has(regex);
  });
}

/** Patterns that pipeline.ts makes: one class, or a character and the run after it. */
const own = new Set(["\\A[^ ]", "(?:▁)[^▁]*", runUpTo(" "), "\\A\\s+"]);
