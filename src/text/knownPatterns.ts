/**
 * Patterns that need no time limit on short texts, so that limits do not slow down a single encode().
 *
 * In each, an alternative is a run of characters of one class, or of two that follow each other, after at most one other
 * character. A match scans the run it is in at most a few times, once for each alternative that begins there, and then
 * consumes it, or for `\s+(?!\S)` all of it but one character. So a text of n characters takes a small multiple of n
 * steps whatever it is; test/text/limits.test.ts tries long runs and mixtures of all their classes.
 */
import { type Step, runUpTo } from "./pipeline";

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const lower = "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}";
const upper = "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}";
const ending = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

const known = new Set([
  // GPT-2, GPT-NeoX, StarCoder, SmolLM; with \s as JavaScript has it
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
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
