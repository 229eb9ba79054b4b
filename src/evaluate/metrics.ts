/**
 * What is read out of a generated answer, what a question scores, and what scores come to over a task or a group:
 * lm-evaluation-harness 0.4's rules.
 */
import { InputError } from "../base/errors";
import { Pattern } from "../base/patterns";
import { sum } from "../base/samples";
import { shown } from "../base/values";
import { strip } from "../jinja";
import type { Likelihood } from "./scoring";
import type { AnswerFilter, AnswerTask, Blank, ChoiceTask, MatchRules, Problem, Question } from "./tasks/task";

/** Metrics of one question under one filter. */
export type Scores = Record<string, number>;

/** Scores of a question whose choices have these log-likelihoods. */
export function choiceScores({ metrics }: ChoiceTask, item: Question | Blank, likelihoods: readonly Likelihood[]): Scores {
  const values = likelihoods.map(({ logLikelihood }) => logLikelihood);
  const choices = "texts" in item ? item.texts : item.choices;
  const right = [item.gold].flat();
  const rate = (lengthOf: (choice: string) => number): number =>
    right.includes(largest(values.map((value, i) => value / lengthOf(choices[i]!)))) ? 1 : 0;
  const scores: Scores = {};
  for (const metric of metrics) {
    if (metric === "acc") scores["acc"] = rate(() => 1);
    else if (metric === "acc_norm") scores["acc_norm"] = rate((choice) => Array.from(choice).length);
    else if (metric === "acc_bytes") scores["acc_bytes"] = rate((choice) => Buffer.byteLength(choice));
    else scores["acc"] = trueMass(values, "labels" in item ? (item.labels ?? []) : []);
  }
  return scores;
}

/** The first of the largest, as NumPy's argmax. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

/** Share of the probability of all choices that the true ones have. */
function trueMass(logLikelihoods: readonly number[], labels: readonly number[]): number {
  const most = Math.max(...logLikelihoods); // so that not all of them vanish
  const mass = logLikelihoods.map((value) => Math.exp(value - most));
  return sum(mass.filter((_, i) => labels[i] === 1)) / sum(mass);
}

/** The answer each filter reads, and what it scores. */
export function answerScores(
  task: AnswerTask,
  { target }: Problem,
  answer: string,
): Map<string, { read: string; scores: Scores }> {
  return new Map(
    task.filters.map((filter) => {
      const read = filter.apply(answer);
      return [filter.name, { read, scores: { exact_match: exactMatch(read, target, task.match) ? 1 : 0 } }];
    }),
  );
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

/** A metric of a task: its mean, that mean's standard error, and over how many questions. */
export interface Summary {
  readonly value: number;
  readonly error: number | "N/A";
  readonly size: number;
}

/** The mean over all questions of several tasks, with the pooled standard error. */
export function pooledSummary(parts: readonly Summary[]): Summary {
  const size = sum(parts.map((part) => part.size));
  const value = sum(parts.map((part) => part.value * part.size)) / size;
  if (parts.some(({ error }) => error === "N/A")) return { value, error: "N/A", size };
  const squares = sum(parts.map((part) => (part.size - 1) * (part.error as number) ** 2 * part.size));
  return { value, error: Math.sqrt(squares / (size - parts.length) / size), size };
}
