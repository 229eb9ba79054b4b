/**
 * DPO and the losses that differ from it in the function of the margin, the labels or the divergence:
 *
 *   z = β(f(ρ_w) − f(ρ_l)),   ρ = log π(y|x) − log π_ref(y|x)
 *
 * They see only the difference: both answers may lose likelihood while the loss falls, which `dpop` prevents.
 *
 * f makes it DPO under another divergence than the reverse KL (Wang et al. 2023, "Beyond Reverse KL", arXiv 2309.16240;
 * TRL's `f_divergence_type`): ρ is replaced by f'(e^ρ).
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
import {
  beta,
  choiceOption,
  declareLoss,
  labelSmoothing,
  maxFlippedShare,
  numberOption,
  type OptionsOf,
  setting,
} from "./declaration";
import { logRatios, meanOverTokens, type PairLogProbs, type PairValues, smoothedLogistic } from "./loss";

export const divergenceTypes = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] as const;
export type DivergenceType = (typeof divergenceTypes)[number];

const divergence = {
  /** The divergence by which the policy is held to the reference. */
  fDivergenceType: setting("fDivergenceType", choiceOption(divergenceTypes, "reverse_kl", "divergence from the reference")),
  /** α of `alpha_divergence`. */
  fAlphaDivergenceCoef: setting("fAlphaDivergenceCoef", numberOption(0.5, "α of alpha_divergence", { min: 0 })),
};
export type DivergenceOptions = OptionsOf<typeof divergence>;

const common = {
  /** How strongly the policy is held to the reference. */
  beta: beta(0.1),
  ...divergence,
};
const smoothable = {
  ...common,
  /** ε: the share of pairs assumed to have swapped labels. */
  labelSmoothing,
};

/**
 * DPO, and with ε > 0 cDPO: −(1 − ε)·log σ(z) − ε·log σ(−z). TRL 1.16 takes `label_smoothing` here and ignores it.
 *
 * ```ts
 * const loss = sigmoid({ beta: 0.1 })({ policyChosen, policyRejected, referenceChosen, referenceRejected }).mean();
 * ```
 */
export const sigmoid = declareLoss({
  name: "sigmoid",
  source: "Rafailov et al. 2023, arXiv 2305.18290, Eq. 7",
  needs: ["reference"],
  options: smoothable,
  formula: (logProbs, settings) => smoothedLogistic(scaledMargin(logProbs, settings), settings.labelSmoothing),
});
export type SigmoidOptions = OptionsOf<typeof sigmoid.declaration.options>;

/**
 * DPO on means over tokens: −log σ(β(ρ_w/|y_w| − ρ_l/|y_l|)). β is per token, so larger than DPO's by about the answers'
 * length (Tülu 3: 5).
 */
export const sigmoidNorm = declareLoss({
  name: "sigmoid_norm",
  source: "Tülu 3, Lambert et al. 2024, arXiv 2411.15124",
  needs: ["reference", "tokens"],
  options: common,
  formula: (logProbs, settings) => marginPerToken(logProbs, settings, "sigmoid_norm").mul(settings.beta).logSigmoid().neg(),
});
export type SigmoidNormOptions = OptionsOf<typeof sigmoidNorm.declaration.options>;

/** The hinge loss: max(0, 1 − z). A pair whose margin has passed 1/β nats is left alone. At the kink the gradient is 0. */
export const hinge = declareLoss({
  name: "hinge",
  source: "RSO, Liu et al. 2023, arXiv 2309.06657, after SLiC, arXiv 2305.10425",
  needs: ["reference"],
  options: {
    ...common,
    /** Reciprocal of the wanted margin in nats. */
    beta: common.beta,
  },
  formula: (logProbs, settings) => scaledMargin(logProbs, settings).neg().add(1).relu(),
});
export type HingeOptions = OptionsOf<typeof hinge.declaration.options>;

/**
 * IPO: (ρ_w/|y_w| − ρ_l/|y_l| − 1/(2β))². β is the paper's τ. The means over tokens are TRL's and the authors' own choice;
 * other libraries take the sums.
 */
export const ipo = declareLoss({
  name: "ipo",
  source: "Azar et al. 2023, arXiv 2310.12036, Eq. 17",
  needs: ["reference", "tokens"],
  options: {
    ...common,
    /** τ: the wanted margin is 1/(2β) nats a token. */
    beta: common.beta,
  },
  formula: (logProbs, settings) => {
    const target = 1 / (2 * settings.beta);
    return marginPerToken(logProbs, settings, "ipo").sub(target).square();
  },
});
export type IpoOptions = OptionsOf<typeof ipo.declaration.options>;

/**
 * Robust DPO: [−(1 − ε)·log σ(z) + ε·log σ(−z)]/(1 − 2ε), an unbiased estimate of DPO's loss on clean labels when a share ε
 * of them is flipped. Unlike cDPO (`sigmoid` with `labelSmoothing`) it may be negative. ε = 0 is DPO.
 */
export const robust = declareLoss({
  name: "robust",
  source: "Chowdhury et al. 2024, arXiv 2403.00409",
  needs: ["reference"],
  options: smoothable,
  formula: (logProbs, settings) => {
    const z = scaledMargin(logProbs, settings);
    const flipped = settings.labelSmoothing;
    const kept = z.logSigmoid().mul(-(1 - flipped));
    return kept.add(z.neg().logSigmoid().mul(flipped)).div(1 - 2 * flipped);
  },
});
export type RobustOptions = OptionsOf<typeof robust.declaration.options>;

/** The authors' ε. */
const usual = 1e-3;

/**
 * EXO for pairs: the reverse KL from the policy's preference σ(z) to smoothed labels,
 * σ(z)·(log σ(z) − log(1 − ε)) + σ(−z)·(log σ(−z) − log ε). Hard labels, ε = 0, make it infinite.
 */
export const exoPair = declareLoss({
  name: "exo_pair",
  source: "Ji et al. 2024, arXiv 2402.00856, Eq. 16",
  needs: ["reference"],
  options: {
    ...common,
    /** ε: the probability that the labels leave to the rejected answer. */
    labelSmoothing: setting(
      "labelSmoothing",
      numberOption(usual, "probability that the labels leave to the rejected answer", {
        above: 0,
        below: maxFlippedShare,
        note: `${usual.toExponential()} is usual`,
      }),
    ),
  },
  formula: (logProbs, settings) => {
    const z = scaledMargin(logProbs, settings);
    const opposite = z.neg();
    const forChosen = z.sigmoid().mul(z.logSigmoid().sub(Math.log1p(-settings.labelSmoothing)));
    return forChosen.add(opposite.sigmoid().mul(opposite.logSigmoid().sub(Math.log(settings.labelSmoothing))));
  },
});
export type ExoPairOptions = OptionsOf<typeof exoPair.declaration.options>;

/**
 * DiscoPOP, a loss found by search: (1 − m)·(−log σ(z)) + m·e^(−z), m = σ(z/τ). m·e^(−z) is computed as e^(log m − z): where
 * e^(−z) overflows, m is 0 and TRL's product NaN.
 */
export const discopop = declareLoss({
  name: "discopop",
  source: "Lu et al. 2024, arXiv 2406.08414, Eq. 5",
  needs: ["reference"],
  options: {
    ...common,
    /** τ: temperature of the blend. Above 1 the exponential part would have no bound. */
    tau: setting("discopopTau", numberOption(0.05, "temperature of discopop", { above: 0, max: 1 })),
  },
  formula: (logProbs, settings) => {
    const z = scaledMargin(logProbs, settings);
    const modulation = z.div(settings.tau);
    const logistic = z.logSigmoid().neg().mul(modulation.neg().sigmoid());
    return logistic.add(modulation.logSigmoid().sub(z).exp());
  },
});
export type DiscopopOptions = OptionsOf<typeof discopop.declaration.options>;

interface Divergence {
  readonly fDivergenceType: DivergenceType;
  readonly fAlphaDivergenceCoef: number;
}

/** z, `[pairs]`. */
function scaledMargin(logProbs: PairLogProbs, settings: Divergence & { readonly beta: number }): Tensor {
  const { chosen, rejected } = scores(logProbs, settings);
  return chosen.sub(rejected).mul(settings.beta);
}

/** f(ρ_w)/|y_w| − f(ρ_l)/|y_l|, `[pairs]`. */
function marginPerToken(logProbs: PairLogProbs, settings: Divergence, loss: string): Tensor {
  const { chosen, rejected } = meanOverTokens(scores(logProbs, settings), logProbs, loss);
  return chosen.sub(rejected);
}

/** f(ρ) of both answers, `[pairs]` each. */
function scores(logProbs: PairLogProbs, { fDivergenceType, fAlphaDivergenceCoef }: Divergence): PairValues {
  const { chosen, rejected } = logRatios(logProbs);
  const score = scoreOf(fDivergenceType, fAlphaDivergenceCoef);
  return { chosen: score(chosen), rejected: score(rejected) };
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
