/**
 * DPO (Rafailov et al. 2023, arXiv 2305.18290, Eq. 7), TRL's `loss_type: sigmoid`, and with ε > 0 cDPO:
 *
 *   L = −(1 − ε)·log σ(z) − ε·log σ(−z),   z = β(ρ_w − ρ_l)
 *
 * It sees only the difference: both answers may lose likelihood while it falls. `dpop` prevents that. TRL 1.16 takes
 * `label_smoothing` and ignores it here.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, flippedShare, positive } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, defineLoss } from "./preferenceLoss";
import { smoothedLogistic } from "./smoothing";

export interface SigmoidOptions extends DivergenceOptions {
  /** How strongly the policy is held to the reference; TRL's default. */
  beta?: number;
  /** ε: the share of pairs assumed to have swapped labels; 0 is DPO. */
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = sigmoid({ beta: 0.1 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export function sigmoid(options: SigmoidOptions = {}): PreferenceLoss {
  checkOptions("sigmoid", options, ["beta", "labelSmoothing", ...divergenceOptions]);
  const { beta = 0.1, labelSmoothing = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("labelSmoothing", labelSmoothing, flippedShare);
  const scores = divergenceScores(options);
  return defineLoss("sigmoid", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    return smoothedLogistic(chosen.sub(rejected).mul(beta), labelSmoothing);
  });
}
