/**
 * What is read out of a generated answer, and when it counts as the right one: the filters and the `exact_match` of
 * lm-evaluation-harness 0.4.
 */
import { strip } from "../text/python";

export interface AnswerFilter {
  readonly name: string;
  apply(answer: string): string;
}

/** What is taken out of answer and target before they are compared. */
export interface MatchRules {
  readonly ignoreCase?: boolean;
  readonly ignorePunctuation?: boolean;
  readonly regexesToIgnore?: readonly RegExp[];
}

const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;

/**
 * Python's `findall`, and the match at `select` (negative from the end): the whole match, the one group, or the first
 * group that is not empty; `fallback` where nothing matches.
 */
export function regexFilter(name: string, pattern: RegExp, select = 0, fallback = "[invalid]"): AnswerFilter {
  const everywhere = globalRegex(pattern);
  return {
    name,
    apply: (answer) => {
      const match = [...answer.matchAll(everywhere)].at(select);
      if (!match) return fallback;
      const found =
        match.length <= 2 ? (match[1] ?? (match.length === 1 ? match[0] : "")) : match.slice(1).find(Boolean);
      return strip(found ?? fallback, "strip");
    },
  };
}

/** `true` where an answer is the target once both are stripped of what does not count. */
export function exactMatch(answer: string, target: string, rules: MatchRules): boolean {
  const { ignoreCase = false, ignorePunctuation = false, regexesToIgnore = [] } = rules;
  const plain = (text: string): string => {
    let rest = text;
    for (const regex of regexesToIgnore) rest = rest.replace(globalRegex(regex), "");
    if (ignoreCase) rest = rest.toLowerCase();
    return ignorePunctuation ? rest.replace(PUNCTUATION, "") : rest;
  };
  return plain(answer) === plain(target);
}

function globalRegex(regex: RegExp): RegExp {
  return regex.global ? regex : new RegExp(regex.source, `${regex.flags}g`);
}
