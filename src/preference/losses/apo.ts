/**
 * Anchored preference optimisation (D'Oosterlinck et al. 2024, arXiv 2408.06266, Eqs. 7 and 8), TRL's `apo_zero` and
 * `apo_down`:
 *
 *   apo_zero   L = 1 − σ(βρ_w) + σ(βρ_l)           chosen answers are better than the model's own: raise them
 *   apo_down   L = σ(βρ_w) + 1 − σ(β(ρ_w − ρ_l))   they are worse: lower them, the rejected ones more
 *
 * Bounded, so far-off pairs have no gradient.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface ApoOptions {
  beta?: number;
}

/**
 * ```ts
 * const loss = apoZero({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function apoZero(options: ApoOptions = {}): PreferenceLoss {
  const beta = betaOf("apoZero", options);
  return defineLoss("apo_zero", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    // 1 − σ(x) = σ(−x), which keeps its digits where σ(x) is almost 1.
    return chosen.mul(-beta).sigmoid().add(rejected.mul(beta).sigmoid());
  });
}

/**
 * ```ts
 * const loss = apoDown({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function apoDown(options: ApoOptions = {}): PreferenceLoss {
  const beta = betaOf("apoDown", options);
  return defineLoss("apo_down", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.mul(beta).sigmoid().add(rejected.sub(chosen).mul(beta).sigmoid());
  });
}

function betaOf(name: string, options: ApoOptions): number {
  checkOptions(name, options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  return beta;
}
