/**
 * DPO-Positive (Pal et al. 2024, arXiv 2402.13228 v2, Eq. 3):
 *
 *   L = −log σ(β(ρ_w − ρ_l − λ·max(0, −ρ_w)))
 *
 * DPO with a penalty for every nat the chosen answer falls below the reference. At the kink, ρ_w = 0, where every run
 * with a fresh adapter starts, the penalty's gradient is relu's: 0 (clamp's would make the first step 1 + λ times DPO's).
 * With ε > 0 the logistic loss is smoothed as in cDPO, as the authors' first code had it.
 */
import { ops } from "../../torch";
import { checkOptions, given } from "../../base/options";
import { checkChoice, checkNumber, flippedShare, nonNegative, positive } from "./checks";
import { type DpopPlacement, dpopPlacements } from "./lossConfig";
import { type PairLogProbs, type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";
import { smoothedLogistic } from "./smoothing";

export interface DpopOptions {
  /** How strongly the policy is held to the reference; the paper's 0.3. */
  beta?: number;
  /** Weight of the penalty; the paper's 50. 0 is DPO. */
  lambda?: number;
  placement?: DpopPlacement;
  /**
   * Nats: a drop of the chosen answer up to this is rounding and not penalised. 0 is the bare formula, and what counts
   * when left out, unless the trainer measures what rounding comes to.
   */
  tolerance?: number;
  /** ε: the share of pairs assumed to have swapped labels. */
  labelSmoothing?: number;
}

/**
 * Its metrics: `dpop/penalty_mean`, max(0, −ρ_w) in nats, and `dpop/penalty_active`, whether that is beyond the tolerance.
 *
 * ```ts
 * const loss = dpop({ beta: 0.3, lambda: 50 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export function dpop(options: DpopOptions = {}): PreferenceLoss {
  checkOptions("dpop", options, ["beta", "lambda", "placement", "tolerance", "labelSmoothing"]);
  const { beta = 0.3, lambda = 50, placement = "inside_beta", tolerance = 0, labelSmoothing = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("lambda", lambda, nonNegative);
  checkNumber("tolerance", tolerance, nonNegative);
  checkNumber("labelSmoothing", labelSmoothing, flippedShare);
  checkChoice("placement", placement, dpopPlacements);

  const metrics = (logProbs: PairLogProbs) => {
    const drop = logRatios(logProbs).chosen.detach().neg(); // −ρ_w
    return { "dpop/penalty_mean": drop.relu(), "dpop/penalty_active": drop.gt(tolerance).to(drop.dtype) };
  };
  const withTolerance =
    given(options).tolerance === undefined ? (nats: number) => dpop({ ...options, tolerance: nats }) : undefined;
  return defineLoss("dpop", { beta, needs: ["reference"], metrics, withTolerance }, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    const margin = chosen.sub(rejected); // Δ
    // x where x > tolerance, else 0, with gradient 0 at the threshold itself: relu when the tolerance is 0.
    const penalty = ops.threshold(chosen.neg(), tolerance, 0).mul(lambda);
    switch (placement) {
      case "inside_beta":
        return smoothedLogistic(margin.sub(penalty).mul(beta), labelSmoothing);
      case "inside":
        return smoothedLogistic(margin.mul(beta).sub(penalty), labelSmoothing);
      case "outside":
        return smoothedLogistic(margin.mul(beta), labelSmoothing).add(penalty);
    }
  });
}
