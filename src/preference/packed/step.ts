/**
 * One micro-batch through the model and back, in the order that holds least: the body forward, the head in chunks
 * (tokenScores.ts), the loss on `[pairs]` sums, and the loss's gradient back through the body. Sums are in float64: a sum
 * of a thousand float32 log-probs would be rounded by 1e-4 nats, and DPOP multiplies what the chosen one loses.
 */
import { isObject, received } from "../../base/values";
import type { CausalLM } from "../../models";
import { expectModel } from "../../models/causalLm";
import { autograd, enableGrad, noGrad, type Tensor, tidy, zeros } from "../../torch";
import type { PairLogProbs } from "../losses";
import type { PackedBatch } from "./batch";
import { bodyPass, predictingRows } from "./body";
import { type ScoreOptions, scoreTokens, scoreTokensWithGradient, type TokenScores } from "./tokenScores";

/**
 * The policy's part of `PairLogProbs`; the rest is the reference's. Sums and token counts of a missing rejected answer
 * are 0.
 */
export type PolicyLogProbs = Omit<PairLogProbs, "referenceChosen" | "referenceRejected" | "meanChosenTokens"> &
  Required<Pick<PairLogProbs, "chosenTokens" | "rejectedTokens">>;

export interface StepOptions extends ScoreOptions {
  /** Keep only each layer's input, and run it again on the way back: less memory, a third more work. */
  checkpoint?: boolean;
  /** Weights of the completion tokens in the sums (`ld_alpha`), in the order of `batch.scoredOf`, `[completionTokens]`. */
  weights?: Tensor;
}

export interface StepResult {
  /** The scalar that `lossOf` gave, without gradient. */
  loss: Tensor;
  /** Sums of each answer, as `lossOf` had them, without gradient. */
  policy: PolicyLogProbs;
  /** Every scored token, without gradient. */
  tokens: TokenScores;
}

/**
 * Runs a micro-batch and adds the gradient of what `lossOf` returns to the parameters' `grad`. `lossOf` gets the sums of
 * log-probs and gives a scalar; over the micro-batches of a step these are to add up to the step's loss, so a mean over
 * pairs is divided by the pairs of the whole step.
 *
 * ```ts
 * const loss = dpop({ beta: 0.3, lambda: 50 });
 * for (const packing of microBatches(pairs, { maxTokens: 4096 }))
 *   tidy(() => {
 *     const reference = referenceOf(packing.pairs); // { referenceChosen, referenceRejected }, [pairs] float64 each
 *     forwardBackward(model, upload(packing), (policy) => loss({ ...policy, ...reference }).sum().div(pairs.length));
 *   });
 * ```
 */
export function forwardBackward(
  model: CausalLM,
  batch: PackedBatch,
  lossOf: (policy: PolicyLogProbs) => Tensor,
  { checkpoint, weights, ...scoring }: StepOptions = {},
): StepResult {
  checkIds(model, batch);
  return tidy(() => {
    const body = bodyPass(model, batch, { checkpoint });
    const { pullBack, ...tokens } = scoreTokensWithGradient(model, body.rows, batch.targets, scoring);
    const logProbs = tokens.logProbs.detach().requiresGrad_();
    const { loss, policy } = enableGrad(() => {
      const policy = policyLogProbs(batch, { ...tokens, logProbs }, weights);
      return { policy, loss: lossOf(policy) };
    });
    expectScalar(loss);
    // A loss that does not depend on the model (all margins met, by a constant) has no gradient.
    const [upstream] = loss.requiresGrad ? autograd.grad(loss, logProbs, { allowUnused: true }) : [null];
    if (upstream) body.backward(pullBack(upstream));
    return { loss: loss.detach(), policy: detached(policy), tokens };
  });
}

/**
 * The log-probs of a batch's scored tokens, without gradient: for the reference, evaluation and scoring, by the same
 * packed pass as training. `answerLogProbs` reads them answer by answer.
 *
 * ```ts
 * const batch = upload(pack(pairs));
 * const [first] = tidy(() => answerLogProbs(batch, scorePairs(model, batch).logProbs));
 * first.chosen; // Float32Array: one log-prob for each completion token
 * ```
 */
export function scorePairs(model: CausalLM, batch: PackedBatch, options: ScoreOptions = {}): TokenScores {
  checkIds(model, batch);
  return tidy(() => scoreTokens(model, predictingRows(model, batch), batch.targets, options));
}

/** Sums over each answer's tokens, in float64. Differentiable towards `tokens.logProbs`. */
export function policyLogProbs(batch: PackedBatch, tokens: TokenScores, weights?: Tensor): PolicyLogProbs {
  const plain = answerSums(batch, tokens.logProbs);
  const sums = weights ? answerSums(batch, tokens.logProbs, weights) : plain;
  const [chosenTokens, rejectedTokens] = sides(batch.lengths.to("float64"));
  const [policyChosen, policyRejected] = sides(sums);
  const policy: PolicyLogProbs = { policyChosen, policyRejected, chosenTokens, rejectedTokens };
  if (weights) policy.policyChosenPlain = sides(plain)[0];
  if (tokens.sumSquares) {
    const { logProbs, sumSquares } = tokens;
    [policy.wpoChosen, policy.wpoRejected] = sides(
      noGrad(() => answerSums(batch, logProbs.detach().sub(sumSquares.log())).div(batch.lengths)),
    );
  }
  return policy;
}

/** `[pairs, 2]` float64: the sum over each answer's completion tokens of a value per scored token, `[scored]`. */
export function answerSums(batch: PackedBatch, values: Tensor, weights?: Tensor): Tensor {
  const byToken = values.to("float64").indexSelect(0, batch.scoredOf); // [completionTokens]
  const weighted = weights ? byToken.mul(weights) : byToken;
  const { length: pairs } = batch.packing.pairs;
  return zeros([2 * pairs], { dtype: "float64", device: values.device })
    .indexAdd(0, batch.answerOf, weighted)
    .view([pairs, 2]);
}

/** One log-prob a token; in float64 for a model in float64. */
export type LogProbs = Float32Array | Float64Array;

export interface AnswerLogProbs {
  /** Log-prob of each completion token. */
  chosen: LogProbs;
  /** Empty for a row without a rejected answer. */
  rejected: LogProbs;
}

/** Reads the scored tokens' log-probs answer by answer, pairs in the order of the packing. */
export function answerLogProbs({ packing }: PackedBatch, logProbs: Tensor): AnswerLogProbs[] {
  const values = logProbs.toArray() as LogProbs;
  const Values = logProbs.dtype === "float64" ? Float64Array : Float32Array;
  const read = (scored: Int32Array): LogProbs => {
    const ofAnswer = new Values(scored.length);
    scored.forEach((at, i) => (ofAnswer[i] = values[at]!));
    return ofAnswer;
  };
  return packing.completions.map(({ chosen, rejected }) => ({ chosen: read(chosen), rejected: read(rejected) }));
}

/**
 * The sum of an answer's log-probs, weighted by `ld_alpha` if weights are given. In double precision: a sum of a thousand
 * float32 would be rounded by 1e-4.
 */
export function sumOf(logProbs: LogProbs, weights?: Float32Array): number {
  let sum = 0;
  for (const [at, value] of logProbs.entries()) sum += value * (weights?.[at] ?? 1);
  return sum;
}

function sides(byPair: Tensor): [chosen: Tensor, rejected: Tensor] {
  return [byPair.select(1, 0), byPair.select(1, 1)];
}

function detached(policy: PolicyLogProbs): PolicyLogProbs {
  return Object.fromEntries(Object.entries(policy).map(([name, tensor]) => [name, tensor.detach()])) as unknown as PolicyLogProbs;
}

function checkIds(model: CausalLM, batch: PackedBatch): void {
  expectModel(model);
  if (!isObject(batch) || !("answerOf" in batch))
    throw new TypeError(`Expected a batch from upload, on its device, for 'batch' but received ${received(batch)}`);
  const { packing } = batch;
  const { vocabSize } = model.config;
  if (packing.largestId >= vocabSize)
    // on CUDA it would end in an assertion of the device
    throw new RangeError(`Expected token ids below the model's ${vocabSize} for 'batch' but received ${packing.largestId}`);
}

function expectScalar(loss: Tensor): void {
  if (loss.numel() !== 1)
    throw new RangeError(`Expected a scalar from 'lossOf' but received shape [${loss.shape.join(", ")}]; sum or mean it`);
}
