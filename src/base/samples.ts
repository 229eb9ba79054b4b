/** Samples that are known by their mean and spread alone, taken together. */

/** A mean over `count` values with their standard deviation (n − 1), which is 0 for one value. */
export interface Sample {
  readonly mean: number;
  readonly std: number;
  readonly count: number;
}

/**
 * The sample of all their values: with n_i values of mean x_i and deviation s_i, and N and x those of all,
 *
 *   x = Σ n_i x_i / N,   s² = (Σ (n_i − 1) s_i² + Σ n_i (x_i − x)²) / (N − 1)
 *
 * There is at least one sample.
 */
export function pooled(samples: readonly Sample[]): Sample {
  const sum = (of: (sample: Sample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const count = sum((sample) => sample.count);
  const mean = sum((sample) => sample.count * sample.mean) / count;
  const squares = sum((sample) => (sample.count - 1) * sample.std ** 2 + sample.count * (sample.mean - mean) ** 2);
  return { mean, std: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, count };
}

/** A mean over fewer pairs of answers than this says nothing of the others. */
export const LEAST_PAIRS = 30;

/** Standard errors that a mean has to be away from 0: by chance alone it is so in one case of twenty. */
export const ERRORS = 2;
