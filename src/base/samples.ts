/** Sums, means, and pooling samples known only by mean and spread. */

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** NaN for no values. */
export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** Standard error of the mean, s / √n; null for a single value. */
export function standardError(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  const variance = sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1);
  return Math.sqrt(variance) / Math.sqrt(values.length);
}

/** A mean over `count` values, and their standard deviation (n − 1), which is 0 for a single value. */
export interface Sample {
  readonly mean: number;
  readonly std: number;
  readonly count: number;
}

/**
 * The pooled sample: with n_i values of mean x_i and deviation s_i, and N and x for all of them together,
 *
 *   x = Σ n_i x_i / N,   s² = (Σ (n_i − 1) s_i² + Σ n_i (x_i − x)²) / (N − 1)
 *
 * Expects at least one sample.
 */
export function pooled(samples: readonly Sample[]): Sample {
  const count = sum(samples.map((sample) => sample.count));
  const middle = sum(samples.map((sample) => sample.count * sample.mean)) / count;
  const squares = sum(samples.map((sample) => (sample.count - 1) * sample.std ** 2 + sample.count * (sample.mean - middle) ** 2));
  return { mean: middle, std: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, count };
}

/** A mean over fewer pairs than this says too little about the rest. */
export const LEAST_PAIRS = 30;

/** How many standard errors a mean must be from 0; chance alone gets there one time in twenty. */
export const ERRORS = 2;
