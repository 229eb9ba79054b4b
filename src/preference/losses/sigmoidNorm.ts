/**
 * DPO on means over tokens (Tülu 3, Lambert et al. 2024, arXiv 2411.15124), TRL's `loss_type: sigmoid_norm`:
 *
 *   L = −log σ(β(ρ_w/|y_w| − ρ_l/|y_l|))
 *
 * β is per token, so larger than DPO's by about the answers' length (Tülu 3: 5).
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, answerTokens, defineLoss } from "./preferenceLoss";

export interface SigmoidNormOptions extends DivergenceOptions {
  beta?: number;
}

/**
 * ```ts
 * const loss = sigmoidNorm({ beta: 5 })({ ...logProbs, chosenTokens, rejectedTokens }).mean();
 * ```
 */
export function sigmoidNorm(options: SigmoidNormOptions = {}): PreferenceLoss {
  checkOptions("sigmoidNorm", options, ["beta", ...divergenceOptions]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  const scores = divergenceScores(options);
  return defineLoss("sigmoid_norm", { beta, needs: ["reference", "tokens"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    const tokens = answerTokens(logProbs, "sigmoid_norm");
    return chosen.div(tokens.chosen).sub(rejected.div(tokens.rejected)).mul(beta).logSigmoid().neg();
  });
}
