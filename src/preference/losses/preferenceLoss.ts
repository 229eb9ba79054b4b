/**
 * What every preference loss takes and gives, and what a trainer has to know about one.
 *
 * A loss sees a pair only through sums over its answers' tokens, so one forward pass serves all of them. It gives one
 * number a pair; the objective is the mean over the pairs of the whole optimizer step, however they are split.
 */
import { received } from "../../base/received";
import { Tensor } from "../../torch";

/** Sums of token log-probs over each answer, log π(y|x) in nats, `[pairs]` each, and what some losses need besides. */
export interface PairLogProbs {
  policyChosen: Tensor;
  /** Zeros where a row has no rejected answer, which a loss of chosen answers alone allows (`PreferenceLoss.answers`). */
  policyRejected: Tensor;
  /** Zeros when the loss does not need the reference. */
  referenceChosen: Tensor;
  /** Zeros when the loss does not need the reference. */
  referenceRejected: Tensor;
  /** Completion tokens of each answer, EOS included, `[pairs]` in the dtype of the sums. */
  chosenTokens?: Tensor;
  rejectedTokens?: Tensor;
  /**
   * Mean number of chosen tokens a pair over the whole optimizer step. With it a mean over tokens (`sft`) is a mean over
   * pairs, so that it may be taken in parts: each pair's −log π(y_w|x) divided by this. Without it the pairs given are
   * the step.
   */
  meanChosenTokens?: number;
  /** The bare sum over the chosen answer where `policyChosen` is weighted by `ldWeights`; without it `policyChosen` is bare. */
  policyChosenPlain?: Tensor;
  /** Mean over the answer's tokens of log p_t − log Σ_v p_v², without gradient, `[pairs]`: what `wpo` weighs by. */
  wpoChosen?: Tensor;
  wpoRejected?: Tensor;
}

/**
 * What a loss needs beside the policy's sums. `reference`: reference log-probs; `tokens`: `chosenTokens` and
 * `rejectedTokens`; `wpo`: `wpoChosen` and `wpoRejected`.
 */
export type LossNeed = "reference" | "tokens" | "wpo";

/**
 * A loss per pair, `[pairs]`. Any function of `PairLogProbs` is one; what it leaves out of the rest is taken as said.
 *
 * ```ts
 * const squared: PreferenceLoss = ({ policyChosen, policyRejected }) => policyChosen.sub(policyRejected).sub(1).square();
 * ```
 */
export interface PreferenceLoss {
  (logProbs: PairLogProbs): Tensor;
  /** TRL's `loss_type` where it has one. */
  readonly name: string;
  /** Scale of the rewards in the metrics; 1 when absent. */
  readonly beta?: number;
  /** Absent: `reference` and `tokens`. */
  readonly needs?: readonly LossNeed[];
  /**
   * `batch`: a pair's loss depends on the other pairs of the call (`aot` sorts them), so splitting a step into
   * micro-batches changes the objective. Absent: pairs are independent.
   */
  readonly scope?: "batch";
  /** `chosen`: reads nothing of the rejected answers, so that rows need not have one. Absent: both are read. */
  readonly answers?: "chosen";
  /** Implicit rewards, `[pairs]` each, without gradient; absent: β times the log-ratios. `pairRewards` reads them. */
  readonly rewards?: (logProbs: PairLogProbs) => PairValues;
  /** The same loss with another tolerance; absent when none was left open. A trainer measures what rounding makes of 0. */
  readonly withTolerance?: (nats: number) => PreferenceLoss;
  /** Further values to log, `[pairs]` each, without gradient: the metric is the mean over pairs. */
  readonly metrics?: (logProbs: PairLogProbs) => Record<string, Tensor>;
}

/** One value for each answer of each pair, `[pairs]` each. */
export interface PairValues {
  chosen: Tensor;
  rejected: Tensor;
}

/** Everything of a loss but the function. */
export type LossTraits = Pick<PreferenceLoss, "beta" | "scope" | "answers" | "rewards" | "metrics" | "withTolerance"> & {
  needs: readonly LossNeed[];
};

/** A loss with its name and traits; undefined ones are left off. */
export function defineLoss(name: string, traits: LossTraits, loss: (logProbs: PairLogProbs) => Tensor): PreferenceLoss {
  const properties = Object.entries({ name, ...traits }).filter(([, value]) => value !== undefined);
  // A function's own `name` can be defined anew, not assigned.
  return Object.defineProperties(
    (logProbs: PairLogProbs) => {
      if (!(logProbs?.policyChosen instanceof Tensor && logProbs.policyRejected instanceof Tensor))
        throw new TypeError(
          `Expected log-probs, an object of Tensors { policyChosen, policyRejected, … }, for the loss '${name}' but received ${received(logProbs)}`,
        );
      return loss(logProbs);
    },
    Object.fromEntries(properties.map(([key, value]) => [key, { value, enumerable: true }])),
  ) as PreferenceLoss;
}

/** Whether the trainer has to supply `need` for this loss. */
export function lossNeeds(loss: Pick<PreferenceLoss, "needs">, need: LossNeed): boolean {
  return (loss.needs ?? ["reference", "tokens"]).includes(need);
}

/** ρ_w and ρ_l: how far the policy has moved from the reference on the chosen and on the rejected answer, `[pairs]`. */
export function logRatios(logProbs: PairLogProbs): PairValues {
  return {
    chosen: logProbs.policyChosen.sub(logProbs.referenceChosen),
    rejected: logProbs.policyRejected.sub(logProbs.referenceRejected),
  };
}

/** The implicit rewards that TRL logs as `rewards/chosen` and `rewards/rejected`, `[pairs]` each, without gradient. */
export function pairRewards(loss: PreferenceLoss, logProbs: PairLogProbs): PairValues {
  if (loss.rewards) return loss.rewards(logProbs);
  const { chosen, rejected } = logRatios(logProbs);
  const beta = loss.beta ?? 1;
  return { chosen: chosen.detach().mul(beta), rejected: rejected.detach().mul(beta) };
}

/** Token counts of both answers, `[pairs]`, at least 1. */
export function answerTokens({ chosenTokens, rejectedTokens }: PairLogProbs, loss: string): PairValues {
  if (!chosenTokens || !rejectedTokens)
    throw new TypeError(
      `Expected 'chosenTokens' and 'rejectedTokens' for the loss '${loss}' but received none; they are the token counts`,
    );
  return { chosen: chosenTokens.clampMin(1), rejected: rejectedTokens.clampMin(1) };
}
