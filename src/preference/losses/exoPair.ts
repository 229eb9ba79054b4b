/**
 * EXO for pairs (Ji et al. 2024, arXiv 2402.00856, Eq. 16), TRL's `loss_type: exo_pair`: the reverse KL from the
 * policy's preference q = σ(z) to smoothed labels,
 *
 *   L = σ(z)·(log σ(z) − log(1 − ε)) + σ(−z)·(log σ(−z) − log ε),   z = β(ρ_w − ρ_l)
 *
 * ε must be positive: hard labels make it infinite.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive, positiveShare } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface ExoPairOptions extends DivergenceOptions {
  beta?: number;
  /** ε: the probability the labels leave to the rejected answer; the authors' 1e-3. */
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = exoPair({ beta: 0.1, labelSmoothing: 1e-3 })(logProbs).mean();
 * ```
 */
export function exoPair(options: ExoPairOptions = {}): PreferenceLoss {
  checkOptions("exoPair", options, ["beta", "labelSmoothing", ...divergenceOptions]);
  const { beta = 0.1, labelSmoothing = 1e-3 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("labelSmoothing", labelSmoothing, positiveShare);
  const scores = divergenceScores(options);
  const [logChosen, logRejected] = [Math.log1p(-labelSmoothing), Math.log(labelSmoothing)];
  return defineLoss("exo_pair", { beta, needs: ["reference"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    const z = chosen.sub(rejected).mul(beta);
    const opposite = z.neg();
    const forChosen = z.sigmoid().mul(z.logSigmoid().sub(logChosen));
    return forChosen.add(opposite.sigmoid().mul(opposite.logSigmoid().sub(logRejected)));
  });
}
