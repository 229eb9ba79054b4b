/**
 * SimPO (Meng et al. 2024, arXiv 2405.14734), `loss_type: simpo` of TRL's experimental CPO trainer: means over tokens, a
 * margin, no reference.
 *
 *   L = −log σ(z) + α·CE(y_w),   z = β(log π(y_w|x)/|y_w| − log π(y_l|x)/|y_l|) − γ
 *
 * with ε > 0 the logistic loss is smoothed as in cDPO. α is 0 as in the paper; TRL's `cpo_alpha` is 1 unless set, which
 * makes it CPO-SimPO. CE is the cross-entropy of `sft`. The paper's β is 2 to 2.5, its γ 0.3 to 1.6.
 */
import { checkOptions } from "../../base/options";
import { anyNumber, checkNumber, flippedShare, nonNegative, positive } from "./checks";
import { type PairLogProbs, type PairValues, type PreferenceLoss, answerTokens, defineLoss } from "./preferenceLoss";
import { chosenCrossEntropy, crossEntropyMetric } from "./sft";
import { smoothedLogistic } from "./smoothing";

export interface SimpoOptions {
  /** Scale of the mean log-probs; TRL's 0.1. */
  beta?: number;
  /** γ: the wanted margin of rewards; TRL's 0.5. */
  gamma?: number;
  /** α: weight of the chosen answer's cross-entropy. */
  alpha?: number;
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = simpo({ beta: 2, gamma: 0.5 })({ ...logProbs, chosenTokens, rejectedTokens }).mean();
 * ```
 */
export function simpo(options: SimpoOptions = {}): PreferenceLoss {
  checkOptions("simpo", options, ["beta", "gamma", "alpha", "labelSmoothing"]);
  const { beta = 0.1, gamma = 0.5, alpha = 0, labelSmoothing = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("gamma", gamma, anyNumber);
  checkNumber("alpha", alpha, nonNegative);
  checkNumber("labelSmoothing", labelSmoothing, flippedShare);

  const rewards = (logProbs: PairLogProbs): PairValues => {
    const { chosen, rejected } = meanLogProbs(logProbs, "simpo");
    return { chosen: chosen.detach().mul(beta), rejected: rejected.detach().mul(beta) };
  };
  const metrics = alpha === 0 ? undefined : crossEntropyMetric;
  return defineLoss("simpo", { beta, needs: ["tokens"], rewards, metrics }, (logProbs) => {
    const { chosen, rejected } = meanLogProbs(logProbs, "simpo");
    const losses = smoothedLogistic(chosen.sub(rejected).mul(beta).sub(gamma), labelSmoothing);
    return alpha === 0 ? losses : losses.add(chosenCrossEntropy(logProbs), { alpha });
  });
}

/** Mean log-prob of a token of each answer, `[pairs]` each. */
export function meanLogProbs(logProbs: PairLogProbs, loss: string): PairValues {
  const tokens = answerTokens(logProbs, loss);
  return { chosen: logProbs.policyChosen.div(tokens.chosen), rejected: logProbs.policyRejected.div(tokens.rejected) };
}
