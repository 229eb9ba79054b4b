/**
 * DPO-Positive (Pal et al. 2024, arXiv 2402.13228 v2, Eq. 3):
 *
 *   L = −log σ(β(ρ_w − ρ_l − λ·max(0, −ρ_w)))
 *
 * DPO with a penalty for every nat the chosen answer falls below the reference. At the kink, ρ_w = 0, where every run
 * with a fresh adapter starts, the penalty's gradient is relu's: 0 (clamp's would make the first step 1 + λ times DPO's).
 */
import { ops } from "../../torch";
import { checkOptions } from "../../torch/options";
import { type PreferenceLoss, checkBeta, logRatios } from "./preferenceLoss";

/**
 * Where the penalty stands. `inside_beta` is the paper's; `inside` is −log σ(βΔ − λ·pen), of the authors' first code;
 * `outside` is −log σ(βΔ) + λ·pen, of some other libraries. Δ = ρ_w − ρ_l.
 */
export type DpopPlacement = "inside_beta" | "inside" | "outside";

export interface DpopOptions {
  /** How strongly the policy is held to the reference; the paper's 0.3. */
  beta?: number;
  /** Weight of the penalty; the paper's 50. 0 is DPO. */
  lambda?: number;
  placement?: DpopPlacement;
  /** Nats: a drop of the chosen answer up to this is rounding and not penalised. 0 is the bare formula. */
  tolerance?: number;
}

/**
 * ```ts
 * const loss = dpop({ beta: 0.3, lambda: 50 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export function dpop(options: DpopOptions = {}): PreferenceLoss {
  checkOptions("dpop", options, ["beta", "lambda", "placement", "tolerance"]);
  const { beta = 0.3, lambda = 50, placement = "inside_beta", tolerance = 0 } = options;
  checkBeta(beta);
  checkNonNegative("lambda", lambda);
  checkNonNegative("tolerance", tolerance);
  if (!["inside_beta", "inside", "outside"].includes(placement))
    throw new TypeError(`Expected "inside_beta", "inside" or "outside" for 'placement' but received ${JSON.stringify(placement)}`);

  return (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    const margin = chosen.sub(rejected); // Δ
    // x where x > tolerance, else 0, with gradient 0 at the threshold itself: relu when the tolerance is 0.
    const penalty = ops.threshold(chosen.neg(), tolerance, 0).mul(lambda);
    switch (placement) {
      case "inside_beta":
        return margin.sub(penalty).mul(beta).logSigmoid().neg();
      case "inside":
        return margin.mul(beta).sub(penalty).logSigmoid().neg();
      case "outside":
        return margin.mul(beta).logSigmoid().neg().add(penalty);
    }
  };
}

function checkNonNegative(name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value))) throw new RangeError(`Expected a number from 0 for '${name}' but received ${String(value)}`);
}
