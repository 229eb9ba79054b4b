/**
 * The tokens of an answer before, at and after its first difference from the pair's other answer, and means of their
 * log-probs. This is how the paper explains why DPO lowers the chosen answer (its figure 4).
 */
import { firstDifference } from "../data/rows/editDistance";
import type { AnswerPair, TokenizedAnswer } from "../data/tokenize/tokenizedPair";

/** The tokens of an answer without its prompt. */
export function completionOf({ ids, start }: TokenizedAnswer): Int32Array {
  return ids.subarray(start);
}

/** The index of the first token in which the two answers of a pair differ, counted from the start of the answers. */
export function differenceOf({ chosen, rejected }: AnswerPair): number {
  return firstDifference(completionOf(chosen), completionOf(rejected));
}

/** The parts of an answer, in order. */
export const STAGES = ["before", "at", "after"] as const;
export type Stage = (typeof STAGES)[number];

/** Where each stage of an answer of `length` tokens begins and ends. A stage without tokens has `from >= to`. */
export function stageBounds(difference: number, length: number): Record<Stage, readonly [from: number, to: number]> {
  return {
    before: [0, Math.min(difference, length)],
    at: [difference, Math.min(difference + 1, length)],
    after: [difference + 1, length],
  };
}

/** Mean log-prob of a token, in nats. */
export interface TokenMean {
  /** Over all tokens; null when there are none. */
  readonly micro: number | null;
  /** Over the pairs that have such tokens, of each pair's mean. */
  readonly macro: number | null;
  readonly tokens: number;
}

/**
 * Mean log-probs of the tokens before, at and after each answer's first difference.
 *
 * @param answers the token log-probs of each answer
 * @param differences the place of the first difference in each answer
 */
export function stageMeans(
  answers: readonly ArrayLike<number>[],
  differences: readonly number[],
): Readonly<Record<Stage, TokenMean>> {
  const mean = (stage: Stage): TokenMean => {
    let [total, ofMeans, tokens, pairs] = [0, 0, 0, 0];
    answers.forEach((answer, i) => {
      const [from, to] = stageBounds(differences[i]!, answer.length)[stage];
      if (from >= to) return;
      let sum = 0;
      for (let at = from; at < to; at++) sum += answer[at]!;
      total += sum;
      ofMeans += sum / (to - from);
      tokens += to - from;
      pairs++;
    });
    return { micro: tokens > 0 ? total / tokens : null, macro: pairs > 0 ? ofMeans / pairs : null, tokens };
  };
  return { before: mean("before"), at: mean("at"), after: mean("after") };
}

/** Mean log-prob of the tokens at one distance from the first difference. */
export interface PositionMean {
  /** 0 is the first difference. */
  readonly position: number;
  readonly logp: number;
  /** The number of answers that have a token there. */
  readonly pairs: number;
}

/**
 * Mean log-probs by distance from the first difference, in order.
 *
 * @param leastShare positions that a smaller share of the answers reaches are left out
 */
export function positionMeans(
  answers: readonly ArrayLike<number>[],
  differences: readonly number[],
  leastShare: number,
): PositionMean[] {
  const byPosition = new Map<number, { total: number; pairs: number }>();
  answers.forEach((answer, i) => {
    for (let token = 0; token < answer.length; token++) {
      const position = token - differences[i]!;
      const entry = byPosition.get(position) ?? { total: 0, pairs: 0 };
      entry.total += answer[token]!;
      entry.pairs++;
      byPosition.set(position, entry);
    }
  });
  return [...byPosition]
    .filter(([, { pairs }]) => pairs >= leastShare * answers.length)
    .sort(([a], [b]) => a - b)
    .map(([position, { total, pairs }]) => ({ position, logp: total / pairs, pairs }));
}
