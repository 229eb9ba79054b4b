/**
 * Cal-DPO (Xiao et al. 2024, arXiv 2412.14516; the authors' code): DPO without a scale, and rewards calibrated to the
 * targets ±1/(2β), which keeps the chosen answer's likelihood up:
 *
 *   L = −log σ(ρ_w − ρ_l) + ½·[(ρ_w − 1/(2β))² + (ρ_l + 1/(2β))²]
 *
 * The authors' β is 1e-3. Another implementation weighs the squares by 1.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface CalDpoOptions {
  beta?: number;
}

/**
 * ```ts
 * const loss = calDpo({ beta: 1e-3 })(logProbs).mean();
 * ```
 */
export function calDpo(options: CalDpoOptions = {}): PreferenceLoss {
  checkOptions("calDpo", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  const target = 0.5 / beta;
  return defineLoss("cal_dpo", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    const calibration = chosen.sub(target).square().add(rejected.add(target).square());
    return calibration.mul(0.5).sub(chosen.sub(rejected).logSigmoid());
  });
}
