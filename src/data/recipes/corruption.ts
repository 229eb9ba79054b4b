/**
 * The paper's recipe for its MetaMath pairs: the rejected answer is the chosen one with a single intermediate result
 * replaced by a wrong number; every later step and the final answer stay as they were.
 *
 * How the authors locate a result and draw the wrong number is not published. Here a result is a number or a fraction
 * after `=` with which an expression ends, before the closing part that states the answer (`#### 752`, `The answer is:
 * 752`), and not in a `\boxed{…}`, which is the answer too; one is picked uniformly, and replaced by another of the
 * same form: as many digits, the same commas, decimals, sign, currency and per cent. Numbers in words are not results.
 */

import type { Random } from "../../base/random";

/** Where a result is: `text.slice(start, end)` is the number or fraction, without its sign and currency. */
export interface IntermediateResult {
  readonly start: number;
  readonly end: number;
}

export interface Corruption {
  /** The whole text with the one number replaced. */
  readonly text: string;
  /** Where the number starts, in characters. */
  readonly start: number;
  readonly from: string;
  readonly to: string;
}

const NUMBER = /\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+/.source;

/** `3/4`, or in LaTeX `\frac{3}{4}`, `\dfrac{3}{4}`. */
const FRACTION = String.raw`\\[dt]?frac\{(?:${NUMBER})\}\{(?:${NUMBER})\}|(?:${NUMBER})/(?:${NUMBER})`;

/** A number after an equals sign; sign, currency and LaTeX's brackets may stand between. */
const RESULT = new RegExp(
  String.raw`(?<![<>!=])=&?[ \t]*[-−]?[ \t]*(?:\\?[$€£]|\{)?[ \t]*(${FRACTION}|${NUMBER})(?![\d\p{L}_])`,
  "gu",
);

/** What follows a number with which an expression only begins: `= 3 + 4`, `= 1/x`, `= 25 x 4`, `= 2\pi`, `= 3:45`. */
const GOES_ON = new RegExp(
  String.raw`^(?:\^\{?\\circ\}?|°|(?!\^\{?\\circ|°))` + // degrees belong to the number
    String.raw`(?:[.,:]\d|[ \t]*(?:(?:\*\*|[-−–+*/×÷·^])[ \t]*[\d\p{L}$€£(.\\{]|x[ \t]*\d|\([\d$]|` +
    String.raw`\\(?!(?:text\w*|mathrm|end|q?quad|implies|[Rr]ightarrow)\b)\p{L}))`,
  "u",
);

/** What follows a fraction that is only worked out: `= 400/4 = 100`. */
const IS_WORKED_OUT = /^[ \t]*[=≈]/;

/** Where the closing part starts, which states the answer; undefined when there is none. */
export function startOfFinalPart(text: string): number | undefined {
  const sentence = Math.max(text.lastIndexOf("The answer is"), text.lastIndexOf("the answer is"));
  const found = [text.lastIndexOf("####"), sentence].filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}

/** Every intermediate result of a worked solution, in order. */
export function intermediateResults(text: string): IntermediateResult[] {
  const work = text.slice(0, startOfFinalPart(text));
  const results: IntermediateResult[] = [];
  RESULT.lastIndex = 0;
  for (let match = RESULT.exec(work); match !== null; match = RESULT.exec(work)) {
    const end = match.index + match[0].length;
    const rest = work.slice(end);
    if (GOES_ON.test(rest) || (isFraction(match[1]!) && IS_WORKED_OUT.test(rest))) continue;
    results.push({ start: end - match[1]!.length, end });
  }
  return results;
}

/**
 * Replaces one intermediate result of a worked solution by a wrong number, the rest untouched.
 *
 * @returns null when the text holds no intermediate result: the caller reports and counts such rows
 *
 * ```ts
 * corruptIntermediateResult("28 + 10 = 38. 38 - 18 = 20. #### 20", new Random(0))?.text;
 * // "28 + 10 = 54. 38 - 18 = 20. #### 20", say
 * ```
 */
export function corruptIntermediateResult(text: string, random: Random): Corruption | null {
  const results = intermediateResults(text);
  if (results.length === 0) return null;
  const { start, end } = random.pick(results);
  const from = text.slice(start, end);
  const to = differentResult(from, random);
  return { text: [text.slice(0, start), to, text.slice(end)].join(""), start, from, to };
}

const isFraction = (result: string): boolean => /[/\\]/.test(result);

/** Another number or fraction of the same form and another value. */
function differentResult(result: string, random: Random): string {
  if (!isFraction(result)) return differentNumber(result, random);
  const value = (fraction: string): number => {
    const [over, under] = fraction.match(new RegExp(NUMBER, "g"))!.map((part) => Number(part.replaceAll(",", "")));
    return over! / under!;
  };
  for (;;) {
    const drawn = result.replace(new RegExp(NUMBER, "g"), (part) => differentNumber(part, random));
    if (value(drawn) !== value(result)) return drawn;
  }
}

/** Another number of the same form, never zero; a leading zero stays and no other is made. */
function differentNumber(number: string, random: Random): string {
  const alone = number.replace(/\D/g, "").length === 1;
  for (;;) {
    const drawn = number.replace(/\d/g, (digit, at: number) => {
      if (at > 0) return String(random.integer(0, 9));
      return digit === "0" && !alone ? "0" : String(random.integer(1, 9));
    });
    if (drawn !== number && /[1-9]/.test(drawn)) return drawn;
  }
}
