/**
 * DPO-Positive (DPOP), the loss of the Smaug paper:
 *
 *   L = −log σ(β(ρ_w − ρ_l − λ·max(0, −ρ_w)))
 *
 * where ρ = log π(y|x) − log π_ref(y|x), of the chosen answer (w) and of the rejected one (l). It is DPO with a penalty for
 * every nat that the chosen answer falls below the reference. At the kink, ρ_w = 0, where every run with a fresh adapter
 * starts, the gradient of the penalty is relu's: 0 (clamp's would make the first step 1 + λ times DPO's). With ε > 0 the
 * logistic loss is smoothed as in cDPO, as in the authors' first code.
 */
import type { Tensor } from "../../torch";
import {
  beta,
  choiceOption,
  declareLoss,
  labelSmoothing,
  numberOption,
  type OptionsOf,
  openSetting,
  setting,
} from "./declaration";
import { logRatios, type PairLogProbs, smoothedLogistic } from "./loss";

export const dpopPlacements = ["inside_beta", "inside", "outside"] as const;

/**
 * Where the penalty goes. `inside_beta` is the paper's; `inside` is −log σ(βΔ − λ·pen), of the authors' first code;
 * `outside` is −log σ(βΔ) + λ·pen, of some other libraries. Δ = ρ_w − ρ_l.
 */
export type DpopPlacement = (typeof dpopPlacements)[number];

/**
 * DPO-Positive. The defaults are the paper's. Its metrics: `dpop/penalty_mean`, max(0, −ρ_w) in nats, and
 * `dpop/penalty_active`, the share of pairs in which that is beyond the tolerance.
 *
 * ```ts
 * const loss = dpop({ beta: 0.3, lambda: 50 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export const dpop = declareLoss({
  name: "dpop",
  source: "Pal et al. 2024, arXiv 2402.13228 v2, Eq. 3",
  needs: ["reference"],
  options: {
    /** How strongly the policy is held to the reference. */
    beta: beta(0.3),
    /** λ: weight of the penalty; 0 is DPO. */
    lambda: setting("dpopLambda", numberOption(50, "weight of DPOP's penalty", { min: 0 })),
    /** Where the penalty goes: within β as in the paper, within the sigmoid only, or outside of both. */
    placement: setting("dpopPlacement", choiceOption(dpopPlacements, "inside_beta", "where DPOP's penalty goes")),
    /**
     * A drop of the chosen answer up to this many nats counts as rounding and is not penalised. 0, the default, is the bare
     * formula. A trainer measures the rounding unless this is set.
     */
    tolerance: openSetting(
      "dpopTolerance",
      numberOption(0, "nats by which the chosen answer may fall before DPOP's penalty counts", { min: 0 }),
    ),
    /** ε: the share of pairs assumed to have swapped labels. */
    labelSmoothing,
  },
  tolerance: "tolerance",
  formula: (logProbs, { beta, lambda, placement, tolerance, labelSmoothing }) => {
    const { chosen, rejected } = logRatios(logProbs); // ρ_w and ρ_l
    const margin = chosen.sub(rejected); // Δ
    const drop = chosen.neg();
    // λ·max(0, −ρ_w), where a drop up to the tolerance counts as 0; the gradient at the tolerance itself is 0.
    const penalty = drop.maskedFill(drop.le(tolerance), 0).mul(lambda);
    switch (placement) {
      case "inside_beta":
        return smoothedLogistic(margin.sub(penalty).mul(beta), labelSmoothing);
      case "inside":
        return smoothedLogistic(margin.mul(beta).sub(penalty), labelSmoothing);
      case "outside":
        return smoothedLogistic(margin.mul(beta), labelSmoothing).add(penalty);
    }
  },
  metrics: {
    "dpop/penalty_mean": (logProbs) => dropOf(logProbs).relu(),
    "dpop/penalty_active": (logProbs, { tolerance }) => dropOf(logProbs).gt(tolerance).to(logProbs.policyChosen.dtype),
  },
});

export type DpopOptions = OptionsOf<typeof dpop.declaration.options>;

/** −ρ_w: by how many nats the chosen answers are below the reference. */
function dropOf({ policyChosen, referenceChosen }: PairLogProbs): Tensor {
  return referenceChosen.sub(policyChosen);
}
