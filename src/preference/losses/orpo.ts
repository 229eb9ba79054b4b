/**
 * ORPO (Hong et al. 2024, arXiv 2403.07691, Eqs. 6 and 7), TRL's experimental ORPO trainer: cross-entropy on the chosen
 * answer and a log-odds ratio of the mean log-probs m = log π(y|x)/|y|; no reference.
 *
 *   L = CE(y_w) − β·log σ(odds(m_w) − odds(m_l)),   odds(m) = m − log(1 − e^m)
 *
 * Metrics, in TRL's names: `nll_loss` is CE, `log_odds_chosen` the difference of odds and `log_odds_ratio` its log σ.
 * β is the paper's λ. CE is the cross-entropy of `sft`: over the answer, as in the paper; TRL takes the prompt in too.
 */
import type { Tensor } from "../../torch";
import { checkOptions } from "../../base/options";
import { checkNumber, positive } from "./checks";
import { type PairLogProbs, type PreferenceLoss, defineLoss } from "./preferenceLoss";
import { chosenCrossEntropy, crossEntropyMetric } from "./sft";
import { meanLogProbs } from "./simpo";

export interface OrpoOptions {
  /** λ: weight of the odds ratio. */
  beta?: number;
}

/**
 * ```ts
 * const loss = orpo({ beta: 0.1 })({ ...logProbs, chosenTokens, rejectedTokens }).mean();
 * ```
 */
export function orpo(options: OrpoOptions = {}): PreferenceLoss {
  checkOptions("orpo", options, ["beta"]);
  const { beta = 0.1 } = options;
  checkNumber("beta", beta, positive);

  const rewards = (logProbs: PairLogProbs) => {
    const { chosen, rejected } = meanLogProbs(logProbs, "orpo");
    return { chosen: chosen.detach().mul(beta), rejected: rejected.detach().mul(beta) };
  };
  const metrics = (logProbs: PairLogProbs) => {
    const logOddsRatio = logOddsOf(logProbs).detach();
    return { ...crossEntropyMetric(logProbs), log_odds_ratio: logOddsRatio.logSigmoid(), log_odds_chosen: logOddsRatio };
  };
  return defineLoss("orpo", { beta, needs: ["tokens"], rewards, metrics }, (logProbs) =>
    chosenCrossEntropy(logProbs).sub(logOddsOf(logProbs).logSigmoid(), { alpha: beta }),
  );
}

/** Log of how many times the chosen answer's odds are the rejected one's, `[pairs]`. */
function logOddsOf(logProbs: PairLogProbs): Tensor {
  const { chosen, rejected } = meanLogProbs(logProbs, "orpo");
  return logOdds(chosen).sub(logOdds(rejected));
}

/** log(p/(1 − p)) from log p. A certain answer, p = 1, counts as 1 − 1e-6: its odds have no bound. */
function logOdds(logProb: Tensor): Tensor {
  const below = logProb.clampMax(-1e-6);
  // 1 − e^m by expm1, which keeps its digits for m near 0.
  return below.sub(below.expm1().neg().log());
}
