/**
 * CPO (Xu et al. 2024, arXiv 2401.08417, Eq. 3), `loss_type: sigmoid` of TRL's experimental CPO trainer: DPO with a
 * uniform reference, and cross-entropy on the chosen answer.
 *
 *   L = −log σ(z) + α·CE(y_w),   z = β(log π(y_w|x) − log π(y_l|x))
 *
 * with ε > 0 the logistic loss is smoothed as in cDPO. CE is the cross-entropy of `sft`.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, flippedShare, nonNegative, positive } from "./checks";
import { type PairLogProbs, type PreferenceLoss, defineLoss } from "./preferenceLoss";
import { chosenCrossEntropy, crossEntropyMetric } from "./sft";
import { smoothedLogistic } from "./smoothing";

export interface CpoOptions {
  beta?: number;
  /** α: weight of the chosen answer's cross-entropy; TRL's 1. */
  alpha?: number;
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = cpo({ beta: 0.1 })({ ...logProbs, chosenTokens, rejectedTokens }).mean();
 * ```
 */
export function cpo(options: CpoOptions = {}): PreferenceLoss {
  checkOptions("cpo", options, ["beta", "alpha", "labelSmoothing"]);
  const { beta = 0.1, alpha = 1, labelSmoothing = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("alpha", alpha, nonNegative);
  checkNumber("labelSmoothing", labelSmoothing, flippedShare);

  const rewards = ({ policyChosen, policyRejected }: PairLogProbs) => ({
    chosen: policyChosen.detach().mul(beta),
    rejected: policyRejected.detach().mul(beta),
  });
  const metrics = alpha === 0 ? undefined : crossEntropyMetric;
  return defineLoss("cpo", { beta, needs: ["tokens"], rewards, metrics }, (logProbs) => {
    const losses = smoothedLogistic(logProbs.policyChosen.sub(logProbs.policyRejected).mul(beta), labelSmoothing);
    return alpha === 0 ? losses : losses.add(chosenCrossEntropy(logProbs), { alpha });
  });
}
