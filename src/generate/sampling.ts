/**
 * From the scores of the next token to a token. What is done to them is a pure function each of `[rows, vocab]` float32
 * scores, with the semantics and the order of the processors and warpers in transformers' `generation/logits_process`;
 * removed tokens get -Infinity. Beam search's variants, biases, n-gram rules and typical sampling are left out.
 *
 * A sampled token is where a uniform number falls among the cumulated probabilities, and each row has its own numbers:
 * what a row gets depends on the seed, its place in the batch and its own prompt, not on the other rows or on how many
 * there are.
 */
import { type Device, Generator, ops, rand, randint, stack, type Tensor, tidy } from "../torch";

/** The settings under which scores are processed; an absent one is a step that is left out. */
export interface ProcessorSettings {
  repetitionPenalty?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
}

/**
 * Makes tokens that have occurred less likely (penalty > 1) or more: positive scores are divided by the penalty,
 * negative ones multiplied (Keskar et al., 2019). `ids`, `[rows, any]` int64, are the tokens of prompt and answer;
 * repeats count once.
 */
function repetitionPenalty(scores: Tensor, ids: Tensor, penalty: number): Tensor {
  const seen = scores.gather(1, ids);
  return scores.scatter(1, ids, ops.where(seen.lt(0), seen.mul(penalty), seen.div(penalty)));
}

/** Removes tokens, `[n]` int64: those that end a text, while it is shorter than it has to be. */
function withoutTokens(scores: Tensor, tokens: Tensor): Tensor {
  return scores.indexFill(1, tokens, -Infinity);
}

/** Above 1 evens the probabilities out, below 1 it sharpens them. */
function temperature(scores: Tensor, value: number): Tensor {
  return scores.div(value);
}

/** Keeps the `k` highest scores, and what ties with the last of them. */
function topK(scores: Tensor, k: number): Tensor {
  const [highest] = scores.topk(Math.min(k, scores.size(-1)));
  return scores.maskedFill(scores.lt(highest.narrow(-1, highest.size(-1) - 1, 1)), -Infinity);
}

/** Keeps the fewest most likely tokens whose probabilities add up to `p`, at least one (Holtzman et al., 2019). */
function topP(scores: Tensor, p: number): Tensor {
  const [ascending, order] = scores.sort(-1, false);
  const removed = ascending
    .softmax(-1)
    .cumsum(-1)
    .le(1 - p);
  removed.narrow(-1, removed.size(-1) - 1, 1).fill_(false); // the most likely one stays
  return scores.maskedFill(removed.scatter(1, order, removed), -Infinity);
}

/** Keeps the tokens at least `p` times as likely as the most likely one (Nguyen et al., 2024). */
function minP(scores: Tensor, p: number): Tensor {
  const probabilities = scores.softmax(-1);
  const [highest, at] = probabilities.max(-1, true);
  const removed = probabilities.lt(highest.mul(p)).scatter(-1, at, false);
  return scores.maskedFill(removed, -Infinity);
}

/** All of them in transformers' order. `ids` are for the repetition penalty; `barred` tokens may not come now. */
export function processScores(
  scores: Tensor,
  ids: Tensor | undefined,
  barred: Tensor | undefined,
  settings: ProcessorSettings,
): Tensor {
  let processed = scores;
  if (settings.repetitionPenalty !== undefined && ids) processed = repetitionPenalty(processed, ids, settings.repetitionPenalty);
  if (barred) processed = withoutTokens(processed, barred);
  if (settings.temperature !== undefined) processed = temperature(processed, settings.temperature);
  if (settings.topK !== undefined) processed = topK(processed, settings.topK);
  if (settings.topP !== undefined) processed = topP(processed, settings.topP);
  if (settings.minP !== undefined) processed = minP(processed, settings.minP);
  return processed;
}

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
