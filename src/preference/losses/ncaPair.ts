/**
 * NCA for pairs (Chen et al. 2024, arXiv 2402.05369), TRL's `loss_type: nca_pair`:
 *
 *   L = −log σ(βρ_w) − ½·log σ(−βρ_w) − ½·log σ(−βρ_l)
 *
 * It works on each answer's own likelihood, so the chosen one has an optimum above the reference.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface NcaPairOptions {
  beta?: number;
}

/**
 * ```ts
 * const loss = ncaPair({ beta: 0.01 })(logProbs).mean();
 * ```
 */
export function ncaPair(options: NcaPairOptions = {}): PreferenceLoss {
  checkOptions("ncaPair", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  return defineLoss("nca_pair", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    const noise = chosen.mul(-beta).logSigmoid().add(rejected.mul(-beta).logSigmoid()).mul(0.5);
    return chosen.mul(beta).logSigmoid().add(noise).neg();
  });
}
