/**
 * An answer's tokens before, at and after its first difference from the other answer of its pair: the paper's stages
 * (its figure 4), and the means of log-probs over them. Training measures the same on the device (train/differenceMetrics.ts).
 */
import type { LogProbs } from "./packed/step";

/** Where the tokens before, at and after the first difference begin and end, of so many tokens. */
export function stageRanges(difference: number, tokens: number): readonly (readonly [from: number, to: number])[] {
  const at = Math.min(difference, tokens);
  const after = Math.min(difference + 1, tokens);
  return [
    [0, at],
    [at, after],
    [after, tokens],
  ];
}

/** Mean log-prob of a token, in nats. */
export interface TokenMean {
  /** Over all tokens; null when there are none. */
  readonly micro: number | null;
  /** Over the pairs that have such tokens, of each one's mean. */
  readonly macro: number | null;
  readonly tokens: number;
}

/** Mean log-probs of the tokens before, at and after each answer's first difference. */
export function stages(
  answers: readonly LogProbs[],
  differences: readonly number[],
): { before: TokenMean; at: TokenMean; after: TokenMean } {
  const [before, at, after] = [0, 1, 2].map((stage): TokenMean => {
    const sums = answers.flatMap((answer, i) => {
      const [from, to] = stageRanges(differences[i]!, answer.length)[stage]!;
      return to > from ? [{ sum: sum(answer.subarray(from, to)), tokens: to - from }] : [];
    });
    const tokens = sum(sums.map((each) => each.tokens));
    const total = sum(sums.map((each) => each.sum));
    const means = sum(sums.map((each) => each.sum / each.tokens));
    return { micro: tokens > 0 ? total / tokens : null, macro: tokens > 0 ? means / sums.length : null, tokens };
  }) as [TokenMean, TokenMean, TokenMean];
  return { before, at, after };
}

/** Mean log-prob of the tokens at one distance from the first difference, and the number of answers that have one there. */
export interface PositionMean {
  readonly position: number;
  readonly logp: number;
  readonly pairs: number;
}

/** Means by distance from the first difference, in order, over the places that at least this share of the answers have. */
export function positions(answers: readonly LogProbs[], differences: readonly number[], leastShare: number): PositionMean[] {
  const byPosition = new Map<number, { total: number; pairs: number }>();
  answers.forEach((answer, i) =>
    answer.forEach((logp, token) => {
      const position = token - differences[i]!;
      const { total, pairs } = byPosition.get(position) ?? { total: 0, pairs: 0 };
      byPosition.set(position, { total: total + logp, pairs: pairs + 1 });
    }),
  );
  return [...byPosition]
    .filter(([, { pairs }]) => pairs >= leastShare * answers.length)
    .sort(([a], [b]) => a - b)
    .map(([position, { total, pairs }]) => ({ position, logp: total / pairs, pairs }));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
