/**
 * Losses that judge each answer's own log-ratio ρ = log π(y|x) − log π_ref(y|x), so that the chosen answer has an optimum of
 * its own, above the reference; and DPO-Shift, which weighs the two ratios differently.
 */
import type { Tensor } from "../../torch";
import { beta, declareLoss, numberOption, type OptionsOf, setting } from "./declaration";
import { logRatios, type PairValues } from "./loss";

const scaled = {
  /** How strongly the policy is held to the reference. */
  beta: beta(0.1),
};
const targeted = {
  /** The targets are ±1/(2β) nats. */
  beta: scaled.beta,
};

/** NCA for pairs: −log σ(βρ_w) − ½·log σ(−βρ_w) − ½·log σ(−βρ_l). */
export const ncaPair = declareLoss({
  name: "nca_pair",
  source: "Chen et al. 2024, arXiv 2402.05369",
  needs: ["reference"],
  options: scaled,
  formula: (logProbs, { beta }) => {
    const { chosen, rejected } = logRatios(logProbs);
    const noise = chosen.mul(-beta).logSigmoid().add(rejected.mul(-beta).logSigmoid()).mul(0.5);
    return chosen.mul(beta).logSigmoid().add(noise).neg();
  },
});
export type NcaPairOptions = OptionsOf<typeof ncaPair.declaration.options>;

/**
 * BCO for pairs, a classifier of good and bad answers with the reward as its logit: −log σ(βρ_w) − log σ(−βρ_l). As in
 * TRL 1.16, without the paper's running mean of rewards as a shift.
 */
export const bcoPair = declareLoss({
  name: "bco_pair",
  source: "Jung et al. 2024, arXiv 2404.04656",
  needs: ["reference"],
  options: scaled,
  formula: (logProbs, { beta }) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.mul(beta).logSigmoid().add(rejected.mul(-beta).logSigmoid()).neg();
  },
});
export type BcoPairOptions = OptionsOf<typeof bcoPair.declaration.options>;

/** SPPO with hard labels: (ρ_w − 1/(2β))² + (ρ_l + 1/(2β))². */
export const sppoHard = declareLoss({
  name: "sppo_hard",
  source: "Wu et al. 2024, arXiv 2405.00675, Eq. 4.7 with win rates 1 and 0",
  needs: ["reference"],
  options: targeted,
  formula: (logProbs, { beta }) => distanceFromTargets(logRatios(logProbs), beta),
});
export type SppoHardOptions = OptionsOf<typeof sppoHard.declaration.options>;

/**
 * Anchored preference optimisation for chosen answers that are better than the model's own: 1 − σ(βρ_w) + σ(βρ_l) raises
 * them. Bounded, so pairs far off have no gradient.
 */
export const apoZero = declareLoss({
  name: "apo_zero",
  source: "D'Oosterlinck et al. 2024, arXiv 2408.06266, Eq. 7",
  needs: ["reference"],
  options: scaled,
  formula: (logProbs, { beta }) => {
    const { chosen, rejected } = logRatios(logProbs);
    // 1 − σ(x) = σ(−x), which keeps its digits where σ(x) is almost 1.
    return chosen.mul(-beta).sigmoid().add(rejected.mul(beta).sigmoid());
  },
});

/**
 * The same for chosen answers that are worse than the model's own: σ(βρ_w) + 1 − σ(β(ρ_w − ρ_l)) lowers them, and the
 * rejected ones more.
 */
export const apoDown = declareLoss({
  name: "apo_down",
  source: "D'Oosterlinck et al. 2024, arXiv 2408.06266, Eq. 8",
  needs: ["reference"],
  options: scaled,
  formula: (logProbs, { beta }) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.mul(beta).sigmoid().add(rejected.sub(chosen).mul(beta).sigmoid());
  },
});
export type ApoOptions = OptionsOf<typeof scaled>;

/**
 * DPO-Shift: −log σ(β(ρ_w − f·ρ_l)), DPO in which the rejected answer counts less, so that the chosen one keeps more of its
 * likelihood. f is fixed here; the paper's schedules that change it along the run are left out. f = 1 is DPO.
 */
export const dpoShift = declareLoss({
  name: "dpo_shift",
  source: "Yang et al. 2025, arXiv 2502.07599",
  needs: ["reference"],
  options: {
    ...scaled,
    /** f: weight of the rejected answer. */
    shift: setting("dpoShiftFactor", numberOption(0.95, "weight of the rejected answer in dpo_shift", { above: 0, max: 1 })),
  },
  formula: (logProbs, { beta, shift }) => {
    const { chosen, rejected } = logRatios(logProbs);
    return chosen.sub(rejected, { alpha: shift }).mul(beta).logSigmoid().neg();
  },
});
export type DpoShiftOptions = OptionsOf<typeof dpoShift.declaration.options>;

/**
 * Cal-DPO: −log σ(ρ_w − ρ_l) + ½·[(ρ_w − 1/(2β))² + (ρ_l + 1/(2β))²], DPO without a scale, and rewards calibrated to the
 * targets, which keeps the chosen answer's likelihood up. The authors' β is 1e-3. Another implementation weighs the squares
 * by 1.
 */
export const calDpo = declareLoss({
  name: "cal_dpo",
  source: "Xiao et al. 2024, arXiv 2412.14516, and the authors' code",
  needs: ["reference"],
  options: targeted,
  formula: (logProbs, { beta }) => {
    const { chosen, rejected } = logRatios(logProbs);
    const calibration = distanceFromTargets({ chosen, rejected }, beta);
    return calibration.mul(0.5).sub(chosen.sub(rejected).logSigmoid());
  },
});
export type CalDpoOptions = OptionsOf<typeof calDpo.declaration.options>;

/** (ρ_w − 1/(2β))² + (ρ_l + 1/(2β))², `[pairs]`. */
function distanceFromTargets({ chosen, rejected }: PairValues, beta: number): Tensor {
  const target = 0.5 / beta;
  return chosen.sub(target).square().add(rejected.add(target).square());
}
