/**
 * DPO under other divergences than the reverse KL (Wang et al. 2023, "Beyond Reverse KL", arXiv 2309.16240; TRL's
 * `f_divergence_type`): the log-ratio ρ of each answer is replaced by f'(e^ρ).
 *
 *   reverse_kl         ρ
 *   forward_kl         1 − e^(−ρ)
 *   js_divergence      log 2 + log σ(ρ)
 *   alpha_divergence   (e^((α−1)ρ) − 1)/(α − 1), which is ρ at α = 1
 *
 * Exponents stop at 80, as TRL's do for the α-divergence, so that e^x is finite in float32; beyond, the gradient is 0.
 * TRL's forward KL does not stop and is infinite from ρ = −89 on. The square in `ipo` may still overflow.
 */
import type { Tensor } from "../../torch";
import { checkChoice, checkNumber, nonNegative } from "./checks";
import { type DivergenceType, divergenceTypes } from "./lossConfig";
import { type PairLogProbs, type PairValues, logRatios } from "./preferenceLoss";

export interface DivergenceOptions {
  /** What the policy is held to the reference by; TRL's default is the reverse KL. */
  fDivergenceType?: DivergenceType;
  /** α of `alpha_divergence`; TRL's 0.5. */
  fAlphaDivergenceCoef?: number;
}

export const divergenceOptions = ["fDivergenceType", "fAlphaDivergenceCoef"] as const;

/** What takes log-probs to the scores of both answers, `[pairs]` each, whose difference the losses see. */
export function divergenceScores(options: DivergenceOptions): (logProbs: PairLogProbs) => PairValues {
  const { fDivergenceType: type = "reverse_kl", fAlphaDivergenceCoef: alpha = 0.5 } = options;
  checkChoice("fDivergenceType", type, divergenceTypes);
  checkNumber("fAlphaDivergenceCoef", alpha, nonNegative);
  const score = scoreOf(type, alpha);
  return (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return { chosen: score(chosen), rejected: score(rejected) };
  };
}

const largestExponent = 80;

function scoreOf(type: DivergenceType, alpha: number): (logRatio: Tensor) => Tensor {
  // (e^(kρ) − 1)/k: the α-divergence with k = α − 1, and the forward KL with k = −1.
  const powerScore = (k: number) => (logRatio: Tensor) => logRatio.mul(k).clampMax(largestExponent).expm1().div(k);
  switch (type) {
    case "reverse_kl":
      return (logRatio) => logRatio;
    case "forward_kl":
      return powerScore(-1);
    case "js_divergence":
      return (logRatio) => logRatio.logSigmoid().add(Math.LN2);
    case "alpha_divergence":
      return Math.abs(alpha - 1) < 1e-6 ? (logRatio) => logRatio : powerScore(alpha - 1);
  }
}
