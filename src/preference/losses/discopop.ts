/**
 * DiscoPOP (Lu et al. 2024, arXiv 2406.08414, Eq. 5), TRL's `loss_type: discopop`, a loss found by search:
 *
 *   L = (1 − m)·(−log σ(z)) + m·e^(−z),   m = σ(z/τ),   z = β(ρ_w − ρ_l)
 *
 * m·e^(−z) is computed as e^(log m − z): where e^(−z) overflows, m is 0 and TRL's product NaN.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive, upToOne } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface DiscopopOptions extends DivergenceOptions {
  beta?: number;
  /** Temperature of the blend, the paper's 0.05; above 1 the exponential part would have no bound. */
  tau?: number;
}

/**
 * ```ts
 * const loss = discopop({ beta: 0.05 })(logProbs).mean();
 * ```
 */
export function discopop(options: DiscopopOptions = {}): PreferenceLoss {
  checkOptions("discopop", options, ["beta", "tau", ...divergenceOptions]);
  const { beta = 0.1, tau = 0.05 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("tau", tau, upToOne);
  const scores = divergenceScores(options);
  return defineLoss("discopop", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    const z = chosen.sub(rejected).mul(beta);
    const modulation = z.div(tau);
    const logistic = z.logSigmoid().neg().mul(modulation.neg().sigmoid());
    return logistic.add(modulation.logSigmoid().sub(z).exp());
  });
}
