/**
 * Choosing the next token of each row by chance. A token is where a uniform number falls among the cumulated
 * probabilities, and each row has numbers of its own: what a row gets depends on the seed, its place in the batch and
 * its own prompt, not on the other rows or on how many there are.
 */
import { type Device, Generator, type Tensor, ops, rand, randint, stack, tidy } from "../torch";

/** Below 1 by enough that `u * total` stays below `total` in float64. */
const BELOW_ONE = 1 - 2 ** -52;

/**
 * Uniform numbers in [0, 1) for every row and step, `[rows, steps]` float64. Without a seed libtorch's default
 * generator rules.
 */
export function drawUniforms(rows: number, steps: number, seed: number | undefined, device: Device): Tensor {
  const generator = seed === undefined ? undefined : new Generator().manualSeed(seed);
  const own = new Generator();
  try {
    return tidy(() => {
      const seeds = randint(0, Number.MAX_SAFE_INTEGER, [rows], { generator }).toList() as number[];
      const numbers = seeds.map((each) => rand([steps], { dtype: "float64", generator: own.manualSeed(each) }));
      return stack(numbers).mul(BELOW_ONE).to({ device });
    });
  } finally {
    generator?.dispose();
    own.dispose();
  }
}

/** One token a row from softmax(scores), `[rows, vocab]`, at uniform numbers `[rows, 1]`: `[rows, 1]`. */
export function sample(scores: Tensor, uniforms: Tensor): Tensor {
  const cumulated = scores.softmax(-1, { dtype: "float64" }).cumsum(-1);
  const total = cumulated.narrow(-1, cumulated.size(-1) - 1, 1); // 1 but for rounding
  // The first token whose cumulated probability is above the number: never one of probability 0.
  return ops.searchsorted(cumulated, uniforms.mul(total), { right: true });
}
