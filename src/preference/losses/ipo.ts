/**
 * IPO (Azar et al. 2023, arXiv 2310.12036, Eq. 17), TRL's `loss_type: ipo`:
 *
 *   L = (ρ_w/|y_w| − ρ_l/|y_l| − 1/(2β))²
 *
 * β is the paper's τ. The means over tokens are TRL's and the authors' own choice; other libraries take the sums.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type DivergenceOptions, divergenceOptions, divergenceScores } from "./fDivergence";
import { type PreferenceLoss, answerTokens, defineLoss } from "./preferenceLoss";

export interface IpoOptions extends DivergenceOptions {
  /** τ: the wanted margin is 1/(2β) nats a token. */
  beta?: number;
}

/**
 * ```ts
 * const loss = ipo({ beta: 0.1 })({ ...logProbs, chosenTokens, rejectedTokens }).mean();
 * ```
 */
export function ipo(options: IpoOptions = {}): PreferenceLoss {
  checkOptions("ipo", options, ["beta", ...divergenceOptions]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);
  const scores = divergenceScores(options);
  return defineLoss("ipo", { beta, needs: ["reference", "tokens"] }, (logProbs) => {
    const { chosen, rejected } = scores(logProbs);
    const tokens = answerTokens(logProbs, "ipo");
    return chosen
      .div(tokens.chosen)
      .sub(rejected.div(tokens.rejected))
      .sub(1 / (2 * beta))
      .square();
  });
}
