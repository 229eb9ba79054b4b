/**
 * DPO-Shift (Yang et al. 2025, arXiv 2502.07599): DPO in which the rejected answer counts less, so that the chosen one
 * keeps more of its likelihood:
 *
 *   L = −log σ(β(ρ_w − f·ρ_l)),   0 < f ≤ 1
 *
 * f is fixed here; the paper's schedules that change it along the run are left out. f = 1 is DPO.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive, upToOne } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface DpoShiftOptions {
  beta?: number;
  /** f: the weight of the rejected answer; 0.95 in the paper. */
  shift?: number;
}

/**
 * ```ts
 * const loss = dpoShift({ beta: 0.01, shift: 0.95 })(logProbs).mean();
 * ```
 */
export function dpoShift(options: DpoShiftOptions = {}): PreferenceLoss {
  checkOptions("dpoShift", options, ["beta", "shift"]);
  const { beta = 0.1, shift = 0.95 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("shift", shift, upToOne);
  return defineLoss("dpo_shift", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.sub(rejected, { alpha: shift }).mul(beta).logSigmoid().neg();
  });
}
