/**
 * A training step's gradient and an evaluation, as functions of the pairs: no files, no events, no optimizer. Both go
 * through the model in packed micro-batches; how pairs are packed changes nothing.
 */
import { setImmediate } from "node:timers/promises";
import { hasRejected, type TokenizedPair } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import {
  forwardBackward,
  ldWeights,
  lossNeeds,
  type MicroBatchOptions,
  type PackedBatch,
  type Packing,
  type PairLogProbs,
  type PolicyLogProbs,
  type PreferenceLoss,
  policyLogProbs,
  scorePairs,
  type TokenScores,
  type TokenStatistic,
  upload,
} from "../preference";
import { fromTypedArray, noGrad, ops, type Tensor, tidy } from "../torch";
import { inBatchesThatFit } from "./memory";
import { addByDifference } from "./metrics/differenceMetrics";
import { LOGGED_STATISTICS, means, StepMetrics } from "./metrics/stepMetrics";
import { type ReferenceValues, referenceSums } from "./reference";

/** What the loss of any pairs is computed with. */
export interface LossContext {
  readonly model: CausalLM;
  readonly loss: PreferenceLoss;
  /** Empty for a loss that needs no reference. */
  readonly reference: ReferenceValues;
  readonly ldAlpha: number | null;
}

/** What the micro-batches of a step, or of an evaluation, have in common. */
interface PassContext extends LossContext {
  /** All pairs of the step: their number divides the loss, their tokens make a mean over tokens. */
  readonly pairs: readonly TokenizedPair[];
  readonly metrics: StepMetrics;
  /** Whether to measure what costs passes over the vocabulary. */
  readonly logged: boolean;
}

/** How the gradient of a step is computed, which changes neither it nor the metrics. */
export interface GradientOptions {
  /** The pairs in micro-batches. */
  readonly batches: readonly Packing[];
  /** Whether to recompute activations in the backward pass. */
  readonly checkpoint: boolean;
  /** Whether to measure what costs passes over the vocabulary. */
  readonly logged: boolean;
}

/**
 * Adds the gradient of the mean loss over `pairs` to the gradients of the parameters.
 *
 * Gradients and metrics are sums over pairs, divided by the number of all pairs of the step, so that micro-batches can be
 * computed in any order and place and then added up.
 *
 * @returns the metrics, on the device; the host reads nothing
 */
export function addGradient(pairs: readonly TokenizedPair[], context: LossContext, options: GradientOptions): StepMetrics {
  const { batches, logged, checkpoint } = options;
  const metrics = new StepMetrics();
  const pass = { ...context, pairs, metrics, logged };
  try {
    for (const packing of batches) trainBatch(packing, pass, checkpoint);
    return metrics;
  } catch (error) {
    metrics.dispose();
    throw error;
  }
}

/** Adds the gradient of this micro-batch's part of the step's mean loss. */
function trainBatch(packing: Packing, context: PassContext, checkpoint: boolean): void {
  tidy(() => {
    const batch = upload(packing, context.model.device);
    const weights = tokenWeights(packing, context);
    const { tokens } = forwardBackward(
      context.model,
      batch,
      (policy) => pairLosses(policy, packing, context).sum().div(context.pairs.length),
      { checkpoint, weights, statistics: statistics(context) },
    );
    measureTokens(batch, tokens, context);
  });
}

/** An evaluation: means over its pairs and tokens, and what it took. */
export interface Evaluation {
  readonly means: Record<string, number>;
  readonly batches: number;
  readonly seconds: number;
}

/** Computes the metrics of some pairs in evaluation mode, without a gradient. Yields to the event loop between batches. */
export async function evaluatePairs(
  pairs: readonly TokenizedPair[],
  context: LossContext,
  limits: MicroBatchOptions,
): Promise<Evaluation> {
  const start = performance.now();
  const { model } = context;
  const { training } = model;
  const metrics = new StepMetrics();
  const pass = { ...context, pairs, metrics, logged: true };
  let batches = 0;
  model.eval();
  try {
    await inBatchesThatFit(pairs, limits, async (packing) => {
      noGrad(() => evaluateBatch(packing, pass));
      batches++;
      await setImmediate();
    });
    return { means: means(metrics.read()), batches, seconds: (performance.now() - start) / 1000 };
  } finally {
    metrics.dispose();
    model.train(training);
  }
}

/** Measures this micro-batch, without a gradient. */
function evaluateBatch(packing: Packing, context: PassContext): void {
  tidy(() => {
    const batch = upload(packing, context.model.device);
    const tokens = scorePairs(context.model, batch, { statistics: statistics(context) });
    pairLosses(policyLogProbs(batch, tokens, tokenWeights(packing, context)), packing, context);
    measureTokens(batch, tokens, context);
  });
}

/** Measures what is a mean over tokens, on logged steps only. */
function measureTokens(batch: PackedBatch, tokens: TokenScores, { metrics, loss, reference, logged }: PassContext): void {
  if (!logged) return;
  metrics.addTokens(batch, tokens);
  addByDifference(metrics, batch.packing, tokens.logProbs, lossNeeds(loss, "reference") ? reference : undefined);
}

/** Computes and measures the loss of each pair, `[pairs]`. */
function pairLosses(policy: PolicyLogProbs, packing: Packing, context: PassContext): Tensor {
  const { model, loss, reference, ldAlpha, pairs, metrics } = context;
  const zero = () => ops.zerosLike(policy.policyChosen).detach();
  const sums = lossNeeds(loss, "reference")
    ? referenceSums(packing.pairs, reference, model.device, ldAlpha)
    : { referenceChosen: zero(), referenceRejected: zero() };
  const logProbs: PairLogProbs = { ...policy, ...sums, meanChosenTokens: meanChosenTokens(pairs) };
  const losses = loss(logProbs);
  if (losses.dim() !== 1 || losses.size(0) !== packing.pairs.length)
    throw new TypeError(
      `Expected one number a pair, [${packing.pairs.length}], from 'loss' but received [${losses.shape.join(", ")}]`,
    );
  metrics.addPairs(loss, losses, logProbs, comparedPlaces(packing));
  return losses;
}

/** The places of the rows that have both answers; undefined when all have. */
function comparedPlaces({ pairs }: Packing): number[] | undefined {
  const places = pairs.flatMap((pair, place) => (hasRejected(pair) ? [place] : []));
  return places.length < pairs.length ? places : undefined;
}

function meanChosenTokens(pairs: readonly TokenizedPair[]): number {
  return pairs.reduce((sum, { chosen }) => sum + chosen.ids.length - chosen.start, 0) / pairs.length;
}

function statistics({ loss, logged }: PassContext): TokenStatistic[] {
  return [...(logged ? LOGGED_STATISTICS : []), ...(lossNeeds(loss, "wpo") ? (["sumSquares"] as const) : [])];
}

/** `ld_alpha`'s weight of each completion token, answer after answer, `[completionTokens]`. */
function tokenWeights(packing: Packing, { ldAlpha, model }: PassContext): Tensor | undefined {
  if (ldAlpha === null) return undefined;
  const weights = packing.completions.flatMap(({ chosen, rejected }) => {
    const { chosen: first, rejected: second } = ldWeights(chosen.length, rejected.length, ldAlpha);
    return [...first, ...second];
  });
  return fromTypedArray(Float64Array.from(weights), undefined, { device: model.device });
}
