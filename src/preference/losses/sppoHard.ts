/**
 * SPPO with hard labels (Wu et al. 2024, arXiv 2405.00675, Eq. 4.7 with win rates 1 and 0), TRL's `loss_type: sppo_hard`:
 *
 *   L = (ρ_w − 1/(2β))² + (ρ_l + 1/(2β))²
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";

export interface SppoHardOptions {
  /** The targets are ±1/(2β) nats. */
  beta?: number;
}

/**
 * ```ts
 * const loss = sppoHard({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function sppoHard(options: SppoHardOptions = {}): PreferenceLoss {
  checkOptions("sppoHard", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  const target = 0.5 / beta;
  return defineLoss("sppo_hard", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.sub(target).square().add(rejected.add(target).square());
  });
}
