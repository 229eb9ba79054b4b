/**
 * Supervised fine-tuning on the chosen answers, TRL's `loss_type: sft`: the mean cross-entropy of all chosen tokens of
 * the optimizer step. Divided among the pairs it is
 *
 *   L = −log π(y_w|x)/n̄,   n̄ = the mean number of chosen tokens a pair over the step (`meanChosenTokens`)
 *
 * whose mean over the step's pairs is the mean over its tokens, in whatever micro-batches they come. TRL averages the
 * means of micro-batches, which weighs a token by how short the others near it are; in one micro-batch both agree.
 * With `sigmoid` in a weighted sum it is iterative RPO's loss (Pang et al. 2024, arXiv 2404.19733), there with each
 * answer's own length. It needs no reference, and no rejected answers.
 */
import type { Tensor } from "../../torch";
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PairLogProbs, type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface SftOptions {
  /** Scale of the rewards in the metrics; the loss has no use for it. */
  beta?: number;
}

/**
 * ```ts
 * const loss = weightedSum([sigmoid({ beta: 0.1 }), sft()], [1, 0.2])(logProbs).mean();
 * ```
 */
export function sft(options: SftOptions = {}): PreferenceLoss {
  checkOptions("sft", options, ["beta"]);
  const { beta = 1 } = options;
  checkNumber("beta", beta, positive);
  return defineLoss("sft", { beta, needs: ["tokens"], answers: "chosen" }, chosenCrossEntropy);
}

/** Each pair's share of the mean cross-entropy of the step's chosen tokens, `[pairs]`. */
export function chosenCrossEntropy(logProbs: PairLogProbs): Tensor {
  const { policyChosen, policyChosenPlain = policyChosen, meanChosenTokens, chosenTokens } = logProbs;
  if (meanChosenTokens !== undefined) return policyChosenPlain.div(-meanChosenTokens);
  if (!chosenTokens)
    throw new TypeError(
      "Expected 'meanChosenTokens' or 'chosenTokens' for cross-entropy but received neither; they are token counts",
    );
  return policyChosenPlain.div(chosenTokens.mean()).neg();
}

/** TRL's `nll_loss` of the losses that add this cross-entropy to a preference term. */
export function crossEntropyMetric(logProbs: PairLogProbs): { nll_loss: Tensor } {
  return { nll_loss: chosenCrossEntropy(logProbs).detach() };
}
