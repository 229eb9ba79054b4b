/**
 * Robust DPO (Chowdhury et al. 2024, arXiv 2403.00409), TRL's `loss_type: robust`: an unbiased estimate of DPO's loss
 * on clean labels when a share ε of them is flipped:
 *
 *   L = [−(1 − ε)·log σ(z) + ε·log σ(−z)]/(1 − 2ε),   z = β(ρ_w − ρ_l)
 *
 * Unlike cDPO (`sigmoid` with `labelSmoothing`) it may be negative. ε = 0 is DPO.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, flippedShare, positive } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface RobustOptions extends DivergenceOptions {
  beta?: number;
  /** ε: the share of pairs labelled the wrong way round, below one half. */
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = robust({ beta: 0.1, labelSmoothing: 0.1 })(logProbs).mean();
 * ```
 */
export function robust(options: RobustOptions = {}): PreferenceLoss {
  checkOptions("robust", options, ["beta", "labelSmoothing", ...divergenceOptions]);
  const { beta = 0.1, labelSmoothing: flipped = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("labelSmoothing", flipped, flippedShare);
  const scores = divergenceScores(options);
  return defineLoss("robust", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    const z = chosen.sub(rejected).mul(beta);
    const kept = z.logSigmoid().mul(-(1 - flipped));
    return kept.add(z.neg().logSigmoid().mul(flipped)).div(1 - 2 * flipped);
  });
}
