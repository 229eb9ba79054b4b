/**
 * BCO for pairs (Jung et al. 2024, arXiv 2404.04656), TRL's `loss_type: bco_pair`: a classifier of good and bad answers
 * with the reward as its logit,
 *
 *   L = −log σ(βρ_w) − log σ(−βρ_l)
 *
 * Like TRL 1.16, without the paper's running mean of rewards as a shift.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface BcoPairOptions {
  beta?: number;
}

/**
 * ```ts
 * const loss = bcoPair({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function bcoPair(options: BcoPairOptions = {}): PreferenceLoss {
  checkOptions("bcoPair", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  return defineLoss("bco_pair", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.mul(beta).logSigmoid().add(rejected.mul(-beta).logSigmoid()).neg();
  });
}
