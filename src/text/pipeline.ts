/**
 * Makes `@huggingface/tokenizers` compute what Rust's `tokenizers` computes from the same tokenizer.json.
 *
 * The library approximates several steps without saying so. Those that other steps of it can express are rewritten
 * (Digits, ByteLevel's pattern, Metaspace's split, Split's behaviours, Punctuation, Whitespace, Strip); what it cannot
 * do at all is an error that names the key. Checked piece by piece against Python in test/parity/text.
 *
 * Left out: what no causal language model uses (WordPiece, WordLevel, BERT's steps, Precompiled normalizers).
 */
import { checkPatternSize } from "../base/patterns";
import { shown } from "../base/values";
import { TokenizerError } from "./errors";

/** A step of tokenizer.json: its type and its options. */
export type Step = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The pattern of GPT-2, GPT-NeoX, StarCoder and SmolLM, with `\s` as JavaScript has it: the white space of Unicode. */
export const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Rust's `char::is_ascii_punctuation` or a punctuation character of Unicode. */
const punctuation = "[\\p{P}$+<=>^`|~]";

/** Word characters of Rust's regex crate. */
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

/** Where a step's pattern comes from; attached to the step, for messages. */
export interface Origin {
  /** The key in tokenizer.json, such as `pre_tokenizer.pretokenizers[0].pattern`. */
  readonly key: string;
  /** The pattern as the file has it. */
  readonly source: string;
}

/** Refuses what the library would silently get wrong in the model. */
export function checkModel(model: Step, file: string): void {
  const only = (key: string, supported: readonly unknown[]) => {
    if (model[key] === undefined || supported.includes(model[key])) return;
    throw unsupported(file, `model.${key}`, model[key]);
  };
  if (model.type === "BPE") {
    only("dropout", [null, 0]);
    only("continuing_subword_prefix", [null, ""]);
    only("end_of_word_suffix", [null, ""]);
  } else if (model.type === "Unigram") only("byte_fallback", [false]);
  else throw unsupported(file, "model.type", model.type);
}

/** The normalizer, without anything that the library does differently. */
export function normalizer(step: Step | null, file: string, key = "normalizer"): Step | null {
  if (step === null) return null;
  switch (step.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return { type: step.type };
    case "Prepend":
      if (typeof step.prepend !== "string") throw unsupported(file, `${key}.prepend`, step.prepend);
      return { type: "Prepend", prepend: step.prepend };
    case "Replace": {
      const { content } = step;
      if (typeof content !== "string") throw unsupported(file, `${key}.content`, content);
      const { origin, pattern } = patternOf(step, file, key);
      // The library takes `content` for a JavaScript replacement, in which $ has a meaning.
      return { type: "Replace", pattern, content: content.replaceAll("$", "$$$$"), length: content.length, origin };
    }
    case "Strip": {
      const sides = [step.strip_left && "\\A\\s+", step.strip_right && "\\s+\\z"].filter(Boolean);
      return replace({ Regex: sides.length > 0 ? sides.join("|") : "(?!)" }, "");
    }
    case "Sequence":
      return {
        ...step,
        normalizers: steps(step, "normalizers", file, key).map(([each, name]) => normalizer(each, file, name)),
      };
    default:
      throw unsupported(file, `${key}.type`, step.type);
  }
}

/** The pre-tokenizer in terms of what the library does as Rust does. */
export function preTokenizer(step: Step | null, file: string, key = "pre_tokenizer"): Step | null {
  if (step === null) return null;
  switch (step.type) {
    case "Sequence":
      return sequence(...steps(step, "pretokenizers", file, key).map(([each, name]) => preTokenizer(each, file, name)!));
    case "ByteLevel":
      return byteLevel(step, key);
    case "Split":
      return split(step, file, key);
    case "Digits":
      return isolate(step.individual_digits ? "\\p{N}" : "\\p{N}+", undefined);
    case "Punctuation": {
      const behavior = step.behavior ?? "Isolated";
      return split({ type: "Split", pattern: { Regex: punctuation }, behavior, invert: false }, file, key);
    }
    case "Whitespace":
      return { type: "Split", pattern: { Regex: `[${word}]+|[^${word}\\s]+` }, behavior: "Removed", invert: true };
    case "WhitespaceSplit":
      return { type: "Split", pattern: { Regex: "\\s+" }, behavior: "Removed", invert: false };
    case "Metaspace":
      return metaspace(step, file, key);
    default:
      throw unsupported(file, `${key}.type`, step.type);
  }
}

function byteLevel(step: Step, key: string): Step {
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const prefix = step.add_prefix_space ? [replace({ Regex: "\\A[^ ]" }, " $&")] : [];
  const pieces = (step.use_regex ?? true) ? [isolate(gpt2, { key, source: gpt2 })] : [];
  return sequence(...prefix, ...pieces, bytes);
}

function metaspace(step: Step, file: string, key: string): Step {
  const { replacement = "▁", prepend_scheme: scheme = "always", split: splits = true } = step;
  if (!isCharacter(replacement)) throw unsupported(file, `${key}.replacement`, replacement);
  if (!["always", "never", "first"].includes(scheme as string)) throw unsupported(file, `${key}.prepend_scheme`, scheme);
  const prepend_scheme = step.add_prefix_space === false ? "never" : scheme;
  const spaces = { type: "Metaspace", replacement, prepend_scheme };
  const mark = { type: "Split", pattern: { String: replacement }, behavior: "MergedWithNext", invert: false };
  return splits ? sequence(spaces, split(mark, file, key)) : spaces;
}

/** Takes ByteLevel off the end of a pre-tokenizer: what is left of it, and whether it was there. */
export function splitByteLevel(step: Step | null): [Step | null, boolean] {
  const list = step?.type === "Sequence" ? (step.pretokenizers as Step[]) : [];
  return list.at(-1)?.type === "ByteLevel" ? [sequence(...list.slice(0, -1)), true] : [step, false];
}

/**
 * A Split whose pattern takes in what its behaviour merges. Rust cuts the text at every match, then merges each match
 * with the text before it, or after it, or with an adjacent match.
 */
function split(step: Step, file: string, key: string): Step {
  const { behavior } = step;
  const invert = step.invert === true;
  const { pattern, origin } = patternOf(step, file, key);
  const source = pattern.Regex ?? escape(pattern.String!);
  if (behavior === "Removed") return { type: "Split", pattern: { Regex: source }, behavior, invert, origin };
  if (behavior === "Isolated") return isolate(source, origin); // inverted it cuts at the same places
  if (!invert && behavior === "MergedWithPrevious" && isCharacter(pattern.String)) return isolate(runUpTo(source), origin);
  // Where one character ends a run, a class matches it without a backtracking point for each character.
  const other = isCharacter(pattern.String) ? `[^${source}]*` : `(?:(?!${source})[\\s\\S])*`;
  if (!invert && behavior === "MergedWithPrevious") return isolate(`${other}(?:${source})`, origin);
  if (!invert && behavior === "MergedWithNext") return isolate(`(?:${source})${other}`, origin);
  if (!invert && behavior === "Contiguous") return isolate(`(?:${source})+`, origin);
  throw unsupported(file, `${key}.behavior`, invert ? `${String(behavior)}, inverted` : behavior);
}

/** The entries of a Sequence, each with its name in messages. */
export function steps(step: Step, list: string, file: string, key: string): [Step, string][] {
  const entries = step[list];
  if (!Array.isArray(entries))
    throw new TokenizerError(`Expected a list for '${key}.${list}' in ${file} but received ${shown(entries)}`);
  return entries.map((each: Step | null | undefined, i) => {
    const name = `${key}.${list}[${i}]`;
    if (typeof each !== "object" || each === null || typeof each.type !== "string")
      throw new TokenizerError(`Expected an object with a 'type' for '${name}' in ${file} but received ${shown(each)}`);
    return [each, name];
  });
}

/** The pattern of a Split or a Replace, a string or a regular expression, checked as far as it is possible here. */
function patternOf(step: Step, file: string, key: string): { pattern: FilePattern; origin: Origin } {
  const { String: string, Regex: regex } = (step.pattern ?? {}) as { String?: unknown; Regex?: unknown };
  const source = regex ?? string;
  if (typeof source !== "string") throw unsupported(file, `${key}.pattern`, step.pattern);
  checkPatternSize(regex === undefined ? "" : source, `'${key}.pattern' in ${file}`);
  const pattern = regex === undefined ? { String: source } : { Regex: source };
  return { pattern, origin: { key: `${key}.pattern`, source } };
}

interface FilePattern {
  readonly String?: string;
  readonly Regex?: string;
}

/**
 * A run of characters with the one that ends it. The lookbehind changes no match, since each begins at the start of the
 * text or after the one before; without it, a text with no such character would be searched once from each position.
 */
export const runUpTo = (character: string): string => `(?<![^${character}])[^${character}]*${character}`;

/** Rust's `char`. */
const isCharacter = (value: unknown): boolean => typeof value === "string" && Array.from(value).length === 1;

function sequence(...list: Step[]): Step {
  const flat = list.flatMap((step) => (step.type === "Sequence" ? (step.pretokenizers as Step[]) : [step]));
  return { type: "Sequence", pretokenizers: flat };
}

const isolate = (source: string, origin: Origin | undefined): Step => ({
  type: "Split",
  pattern: { Regex: source },
  behavior: "Isolated",
  invert: false,
  origin,
});

const replace = (pattern: object, content: string): Step => ({ type: "Replace", pattern, content });

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/&-]/g, "\\$&");

export function unsupported(file: string, key: string, value: unknown): TokenizerError {
  return new TokenizerError(
    `Expected a supported value for '${key}' in ${file} but received ${shown(value)}; ` +
      "the ids would not be those of the Python library",
  );
}

/** Pieces of a template; published ones have a handful. */
const MOST_PIECES = 1_000;

/** @param isToken whether a token has an id */
export function checkPostProcessor(
  step: Step | null,
  file: string,
  isToken: (token: string) => boolean,
  key = "post_processor",
): void {
  if (step === null) return;
  const expectToken = (token: unknown, name: string): void => {
    if (typeof token !== "string" || !isToken(token))
      throw new TokenizerError(`Expected a token of the vocabulary for '${name}' in ${file} but received ${shown(token)}`);
  };
  switch (step.type) {
    case "ByteLevel":
      return;
    case "Sequence":
      for (const [each, name] of steps(step, "processors", file, key)) checkPostProcessor(each, file, isToken, name);
      return;
    case "BertProcessing":
    case "RobertaProcessing":
      for (const name of ["cls", "sep"]) expectToken((step[name] as unknown[] | undefined)?.[0], `${key}.${name}[0]`);
      return;
    case "TemplateProcessing": {
      const { single } = step;
      if (!Array.isArray(single) || single.length > MOST_PIECES)
        throw new TokenizerError(
          `Expected a list of at most ${MOST_PIECES} pieces for '${key}.single' in ${file} but received ${shown(single)}`,
        );
      let texts = 0;
      for (const [i, piece] of single.entries()) {
        const name = `${key}.single[${i}]`;
        const { SpecialToken: special, Sequence: sequence } = (piece ?? {}) as Record<string, { id?: unknown } | undefined>;
        if (special) expectToken(special.id, `${name}.SpecialToken.id`);
        else if (sequence?.id === "A") texts++;
        else
          throw new TokenizerError(
            `Expected a SpecialToken or the Sequence A for '${name}' in ${file} but received ${shown(piece)}`,
          );
      }
      if (texts !== 1)
        throw new TokenizerError(
          `Expected the Sequence A, which is the text, once in '${key}.single' in ${file} but received it ${texts} times`,
        );
      return;
    }
    default:
      throw unsupported(file, `${key}.type`, step.type);
  }
}
