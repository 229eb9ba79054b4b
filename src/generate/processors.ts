/**
 * What is done to the scores of the next token before one is chosen: each a pure function of `[rows, vocab]` float32
 * scores, with the semantics and the order of the processors and warpers in transformers' `generation/logits_process`.
 * Removed tokens get -Infinity. Beam search's variants, biases, n-gram rules and typical sampling are left out.
 */
import { type Tensor, ops } from "../torch";

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
export function repetitionPenalty(scores: Tensor, ids: Tensor, penalty: number): Tensor {
  const seen = scores.gather(1, ids);
  return scores.scatter(1, ids, ops.where(seen.lt(0), seen.mul(penalty), seen.div(penalty)));
}

/** Removes tokens, `[n]` int64: those that end a text, while it is shorter than it has to be. */
export function withoutTokens(scores: Tensor, tokens: Tensor): Tensor {
  return scores.indexFill(1, tokens, -Infinity);
}

/** Above 1 evens the probabilities out, below 1 it sharpens them. */
export function temperature(scores: Tensor, value: number): Tensor {
  return scores.div(value);
}

/** Keeps the `k` highest scores, and what ties with the last of them. */
export function topK(scores: Tensor, k: number): Tensor {
  const [highest] = scores.topk(Math.min(k, scores.size(-1)));
  return scores.maskedFill(scores.lt(highest.narrow(-1, highest.size(-1) - 1, 1)), -Infinity);
}

/** Keeps the fewest most likely tokens whose probabilities add up to `p`, at least one (Holtzman et al., 2019). */
export function topP(scores: Tensor, p: number): Tensor {
  const [ascending, order] = scores.sort(-1, false);
  const removed = ascending
    .softmax(-1)
    .cumsum(-1)
    .le(1 - p);
  removed.narrow(-1, removed.size(-1) - 1, 1).fill_(false); // the most likely one stays
  return scores.maskedFill(removed.scatter(1, order, removed), -Infinity);
}

/** Keeps the tokens at least `p` times as likely as the most likely one (Nguyen et al., 2024). */
export function minP(scores: Tensor, p: number): Tensor {
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
