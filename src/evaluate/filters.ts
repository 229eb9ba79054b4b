/**
 * What is read out of a generated answer, and when it counts as the right one: the filters and the `exact_match` of
 * lm-evaluation-harness 0.4.
 */
import { Pattern } from "../base/patterns";
import { shown } from "../base/values";
import { InputError } from "../base/errors";
import { strip } from "../jinja";

export interface AnswerFilter {
  readonly name: string;
  apply(answer: string): string;
}

/** What is taken out of answer and target before they are compared. */
export interface MatchRules {
  readonly ignoreCase?: boolean;
  readonly ignorePunctuation?: boolean;
  /** Scoring throws an InputError when one takes too long on a text. */
  readonly regexesToIgnore?: readonly RegExp[];
}

const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;

/**
 * Python's `findall`, and the match at `select` (negative from the end): the whole match, the one group, or the first
 * group that is not empty; `fallback` where nothing matches. `apply` throws an InputError when the pattern takes too
 * long, as one with nested repetitions can.
 */
export function regexFilter(name: string, pattern: RegExp, select = 0, fallback = "[invalid]"): AnswerFilter {
  return placedFilter(name, pattern, { select, fallback, place: `the filter '${name}'` });
}

/** {@link regexFilter} for a pattern from a file; errors name `place`. */
export function placedFilter(
  name: string,
  pattern: RegExp,
  { select, fallback, place }: { select: number; fallback: string; place: string },
): AnswerFilter {
  if (!(pattern instanceof RegExp))
    throw new InputError(`Expected a regular expression for ${place} but received ${shown(pattern)}`);
  const everywhere = new Pattern(globalRegex(pattern), place);
  return {
    name,
    apply: (answer) => {
      const match = everywhere.matchAll(answer).at(select);
      if (!match) return fallback;
      const found = match.length <= 2 ? (match[1] ?? (match.length === 1 ? match[0] : "")) : match.slice(1).find(Boolean);
      return strip(found ?? fallback, "strip");
    },
  };
}

/** `true` where an answer is the target once both are stripped of what does not count. */
export function exactMatch(answer: string, target: string, rules: MatchRules): boolean {
  const { ignoreCase = false, ignorePunctuation = false, regexesToIgnore = [] } = rules;
  const plain = (text: string): string => {
    let rest = text;
    for (const regex of regexesToIgnore) rest = ignored(regex).remove(rest);
    if (ignoreCase) rest = rest.toLowerCase();
    return ignorePunctuation ? rest.replace(PUNCTUATION, "") : rest;
  };
  return plain(answer) === plain(target);
}

/** The patterns to remove, each with its limits, created once. */
const ignoredPatterns = new WeakMap<RegExp, Pattern>();

function ignored(regex: RegExp): Pattern {
  let pattern = ignoredPatterns.get(regex);
  if (!pattern) ignoredPatterns.set(regex, (pattern = new Pattern(globalRegex(regex), "'regexesToIgnore'")));
  return pattern;
}

function globalRegex(regex: RegExp): RegExp {
  return regex.global ? regex : new RegExp(regex.source, `${regex.flags}g`);
}
