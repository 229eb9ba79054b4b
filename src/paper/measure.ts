/**
 * What the paper looks at: log-probs of whole answers, and of the chosen answer's tokens before, at and after the first
 * token in which the two answers differ. Pure arithmetic on token log-probs; scoring.ts gets them from a model.
 *
 * Token means are over tokens, all pairs together. All in nats.
 */

import type { Pair } from "./task";

/** Where the answers of a pair part. */
type Parting = Pick<Pair, "difference">;

/** Log-probs of the tokens of one pair's answers, end tokens included. */
export interface PairScores {
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
}

/** Means over pairs; null where no pair has such a token. The names are those of summary.json. */
export interface LogProbs {
  chosen_logp: number;
  rejected_logp: number;
  token_logp_before: number | null;
  token_logp_at: number | null;
  token_logp_after: number | null;
}

/** Mean log-probs of whole answers after some steps of training. */
export interface CurvePoint {
  readonly step: number;
  readonly chosen: number;
  readonly rejected: number;
}

/** Mean token log-prob of the chosen answers at one distance from the first difference. */
export interface PositionMean {
  readonly position: number;
  readonly logp: number;
  readonly tokens: number;
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** NaN for no values. */
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** Reduces the scores of pairs to the means of the summary. `scores` and `pairs` run in parallel. */
export function summarise(scores: readonly PairScores[], pairs: readonly Parting[]): LogProbs {
  const tokens = (part: (logps: readonly number[], difference: number) => readonly number[]) => {
    const logps = scores.flatMap(({ chosen }, i) => part(chosen, pairs[i]!.difference));
    return logps.length === 0 ? null : mean(logps);
  };
  return {
    chosen_logp: mean(scores.map(({ chosen }) => sum(chosen))),
    rejected_logp: mean(scores.map(({ rejected }) => sum(rejected))),
    token_logp_before: tokens((logps, difference) => logps.slice(0, difference)),
    token_logp_at: tokens((logps, difference) => logps.slice(difference, difference + 1)),
    token_logp_after: tokens((logps, difference) => logps.slice(difference + 1)),
  };
}

/** Means of whole answers' log-probs, as a point of a curve over the steps. */
export function curvePoint(step: number, scores: readonly PairScores[]): CurvePoint {
  const meanSum = (side: keyof PairScores) => mean(scores.map((row) => sum(row[side])));
  return { step, chosen: meanSum("chosen"), rejected: meanSum("rejected") };
}

/** Means by distance from the first difference, in order, without those that fewer than a tenth of the pairs have. */
export function byPosition(scores: readonly PairScores[], pairs: readonly Parting[]): PositionMean[] {
  const columns = new Map<number, number[]>();
  scores.forEach(({ chosen }, i) => {
    chosen.forEach((logp, token) => {
      const position = token - pairs[i]!.difference;
      const column = columns.get(position);
      if (column) column.push(logp);
      else columns.set(position, [logp]);
    });
  });
  return [...columns]
    .filter(([, column]) => column.length >= pairs.length / 10)
    .sort(([a], [b]) => a - b)
    .map(([position, column]) => ({ position, logp: mean(column), tokens: column.length }));
}
