/**
 * The hinge loss on DPO's margin (RSO, Liu et al. 2023, arXiv 2309.06657; after SLiC, arXiv 2305.10425), TRL's
 * `loss_type: hinge`:
 *
 *   L = max(0, 1 − β(ρ_w − ρ_l))
 *
 * A pair whose margin has passed 1/β is left alone. At the kink the gradient is relu's, 0.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface HingeOptions extends DivergenceOptions {
  /** Reciprocal of the margin in nats. */
  beta?: number;
}

/**
 * ```ts
 * const loss = hinge({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function hinge(options: HingeOptions = {}): PreferenceLoss {
  checkOptions("hinge", options, ["beta", ...divergenceOptions]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  const scores = divergenceScores(options);
  return defineLoss("hinge", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    return chosen.sub(rejected).mul(-beta).add(1).relu();
  });
}
