/** Numbers over seeds: their mean, how far they scatter, and what that says of a claim. */

import { mean, sum } from "../measure";

export interface Spread {
  readonly mean: number;
  /** Standard deviation of the sample, with n − 1; null for a single value. */
  readonly std: number | null;
}

/** Null when there are no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const middle = mean(values);
  if (values.length === 1) return { mean: middle, std: null };
  return { mean: middle, std: Math.sqrt(sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1)) };
}

export type Verdict = "agree" | "disagree" | "unclear";

/**
 * Whether values are on the claimed side of a limit: `agree` or `disagree` when their mean is more than two of its
 * standard errors on one side or the other, else `unclear`; so too for a single value, which has no spread.
 */
export function verdictOf(values: readonly number[], side: "above" | "below", limit: number): Verdict {
  const spread = spreadOf(values);
  if (spread === null || spread.std === null) return "unclear";
  const error = spread.std / Math.sqrt(values.length);
  const distance = (side === "above" ? 1 : -1) * (spread.mean - limit);
  if (Math.abs(distance) <= 2 * error) return "unclear";
  return distance > 0 ? "agree" : "disagree";
}
