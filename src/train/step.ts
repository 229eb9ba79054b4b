/** One micro-batch under a loss: forward and backward for training, forward alone for evaluation, both measured. */
import { type TokenizedPair, hasRejected } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import {
  type PackedBatch,
  type Packing,
  type PairLogProbs,
  type PolicyLogProbs,
  type PreferenceLoss,
  type TokenScores,
  type TokenStatistic,
  forwardBackward,
  ldWeights,
  lossNeeds,
  policyLogProbs,
  scorePairs,
  upload,
} from "../preference";
import { type Device, type Tensor, fromTypedArray, ops, tidy } from "../torch";
import { addByDifference } from "./metrics/differenceMetrics";
import { type ReferenceValues, referenceSums } from "./reference";
import { LOGGED_STATISTICS, type StepMetrics } from "./metrics/stepMetrics";

/** What the passes of a step (or of an evaluation) have in common. */
export interface PassContext {
  readonly model: CausalLM;
  readonly device: Device;
  readonly loss: PreferenceLoss;
  /** Empty for a loss that needs no reference. */
  readonly reference: ReferenceValues;
  readonly ldAlpha: number | null;
  /** All pairs of the step: their number divides the loss, their tokens make a mean over tokens. */
  readonly pairs: readonly TokenizedPair[];
  readonly metrics: StepMetrics;
  /** Whether to measure what costs passes over the vocabulary. */
  readonly logged: boolean;
  readonly checkpoint: boolean;
}

/** Adds the gradient of this micro-batch's part of the step's mean loss. */
export function trainBatch(packing: Packing, context: PassContext): void {
  tidy(() => {
    const batch = upload(packing, context.device);
    const weights = tokenWeights(packing, context);
    const options = { checkpoint: context.checkpoint, weights, statistics: statistics(context) };
    const { tokens } = forwardBackward(
      context.model,
      batch,
      (policy) => pairLosses(policy, packing, context).sum().div(context.pairs.length),
      options,
    );
    measureTokens(batch, tokens, context);
  });
}

/** Measures this micro-batch; no gradient. */
export function evaluateBatch(packing: Packing, context: PassContext): void {
  tidy(() => {
    const batch = upload(packing, context.device);
    const tokens = scorePairs(context.model, batch, { statistics: statistics(context) });
    pairLosses(policyLogProbs(batch, tokens, tokenWeights(packing, context)), packing, context);
    measureTokens(batch, tokens, context);
  });
}

/** What is measured by token, on logged steps only. */
function measureTokens(batch: PackedBatch, tokens: TokenScores, { metrics, loss, reference, logged }: PassContext): void {
  if (!logged) return;
  metrics.addTokens(batch, tokens);
  addByDifference(metrics, batch.packing, tokens.logProbs, lossNeeds(loss, "reference") ? reference : undefined);
}

/** The loss of each pair, `[pairs]`, measured. */
function pairLosses(policy: PolicyLogProbs, packing: Packing, context: PassContext): Tensor {
  const { loss, reference, device, ldAlpha, pairs, metrics } = context;
  const zero = () => ops.zerosLike(policy.policyChosen).detach();
  const sums = lossNeeds(loss, "reference")
    ? referenceSums(packing.pairs, reference, device, ldAlpha)
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
function tokenWeights(packing: Packing, { ldAlpha, device }: PassContext): Tensor | undefined {
  if (ldAlpha === null) return undefined;
  const weights = packing.completions.flatMap(({ chosen, rejected }) => {
    // Without a rejected answer there is no shorter one.
    const { chosen: first, rejected: second } = ldWeights(chosen.length, rejected.length, rejected.length > 0 ? ldAlpha : 1);
    return [...first, ...second];
  });
  return fromTypedArray(Float64Array.from(weights), undefined, { device });
}
