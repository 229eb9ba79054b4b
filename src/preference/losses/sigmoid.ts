/**
 * DPO (Rafailov et al. 2023, arXiv 2305.18290, Eq. 7), TRL's `loss_type: sigmoid`:
 *
 *   L = −log σ(β(ρ_w − ρ_l))
 *
 * It sees only the difference: both answers may lose likelihood while it falls. `dpop` prevents that.
 */
import { checkOptions } from "../../torch/options";
import { type PreferenceLoss, checkBeta, logRatios } from "./preferenceLoss";

export interface SigmoidOptions {
  /** How strongly the policy is held to the reference; TRL's default. */
  beta?: number;
}

/**
 * ```ts
 * const loss = sigmoid({ beta: 0.1 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export function sigmoid(options: SigmoidOptions = {}): PreferenceLoss {
  checkOptions("sigmoid", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkBeta(beta);
  return (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.sub(rejected).mul(beta).logSigmoid().neg();
  };
}
