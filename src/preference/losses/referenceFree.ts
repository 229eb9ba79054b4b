/**
 * Losses without a reference: cross-entropy on the chosen answers, and preference losses on the policy's own log-probs, most
 * of them with that cross-entropy (CE) as a second term.
 */
import type { Tensor } from "../../torch";
import { beta, declareLoss, labelSmoothing, numberOption, type OptionsOf, openSetting, setting } from "./declaration";
import { meanOverTokens, type PairLogProbs, type PairValues, smoothedLogistic } from "./loss";

const crossEntropyWeight = <Default extends number>(fallback: Default) =>
  openSetting("cpoAlpha", numberOption(fallback, "weight of the cross-entropy in cpo and simpo", { min: 0 }));

/**
 * Supervised fine-tuning on the chosen answers, which needs no rejected ones: the mean cross-entropy of all chosen tokens of
 * the optimizer step. Divided among the pairs it is
 *
 *   L = −log π(y_w|x)/n̄,   n̄ = the mean number of chosen tokens a pair over the step (`meanChosenTokens`)
 *
 * whose mean over the step's pairs is the mean over its tokens, in whatever micro-batches they come. TRL averages the
 * means of micro-batches, which weights a token by how short the answers near it are; in one micro-batch both agree.
 *
 * ```ts
 * const loss = weightedSum([sigmoid({ beta: 0.1 }), sft()], [1, 0.2])(logProbs).mean();
 * ```
 *
 * That sum is iterative RPO's loss (Pang et al. 2024, arXiv 2404.19733), except that RPO divides by each answer's own length.
 */
export const sft = declareLoss({
  name: "sft",
  source: "cross-entropy, as TRL's loss_type sft",
  needs: ["tokens"],
  answers: "chosen",
  options: {
    /** Scale of the rewards in the metrics; the loss does not use it. */
    beta: beta(1, "scale of the rewards in the metrics"),
  },
  formula: chosenCrossEntropy,
});
export type SftOptions = OptionsOf<typeof sft.declaration.options>;

/**
 * SLiC-HF: max(0, δ − log π(y_w|x) + log π(y_l|x)) − λ·log π(y_w|x), a hinge on the policy's own log-probs and a pull towards
 * the chosen answer. δ is named `beta` in HALOs and here. TRL's `hinge` is another loss: on log-ratios, without the pull. As
 * in HALOs the rewards are the log-probs themselves: δ is not a scale.
 */
export const slic = declareLoss({
  name: "slic",
  source: "Zhao et al. 2023, arXiv 2305.10425, as in HALOs",
  needs: [],
  options: {
    /** δ: the margin in nats from which a pair is left alone. */
    beta: beta(1, "margin in nats from which a pair is left alone"),
    /** λ: weight of the chosen answer's negative log-likelihood. */
    lambda: setting("slicLambda", numberOption(0.1, "weight of the negative log-likelihood in slic", { min: 0 })),
  },
  formula: ({ policyChosen, policyChosenPlain = policyChosen, policyRejected }, { beta, lambda }) =>
    policyRejected.sub(policyChosen).add(beta).relu().sub(policyChosenPlain.mul(lambda)),
  rewards: policySums,
});
export type SlicOptions = OptionsOf<typeof slic.declaration.options>;

/**
 * SimPO, on means over tokens and with a margin:
 *
 *   L = −log σ(z) + α·CE(y_w),   z = β(log π(y_w|x)/|y_w| − log π(y_l|x)/|y_l|) − γ
 *
 * With ε > 0 the logistic loss is smoothed as in cDPO. TRL's `cpo_alpha` is 1 unless set, which makes it CPO-SimPO; here α
 * is 0 unless set, as in the paper. The paper's β is 2 to 2.5, its γ 0.3 to 1.6.
 */
export const simpo = declareLoss({
  name: "simpo",
  source: "Meng et al. 2024, arXiv 2405.14734, and TRL's experimental CPO trainer",
  needs: ["tokens"],
  options: {
    /** Scale of the mean log-probs. */
    beta: beta(0.1, "scale of the mean log-probs"),
    /** γ: the wanted margin of rewards. */
    gamma: setting("simpoGamma", numberOption(0.5, "target margin of simpo")),
    /** α: weight of the chosen answer's cross-entropy. */
    alpha: crossEntropyWeight(0),
    /** ε: the share of pairs assumed to have swapped labels. */
    labelSmoothing,
  },
  formula: (logProbs, { beta, gamma, alpha, labelSmoothing }) => {
    const { chosen, rejected } = policyMeans(logProbs, "simpo");
    return withCrossEntropy(smoothedLogistic(chosen.sub(rejected).mul(beta).sub(gamma), labelSmoothing), logProbs, alpha);
  },
  rewards: (logProbs, { beta }) => scaled(policyMeans(logProbs, "simpo"), beta),
  metrics: { nll_loss: weightedCrossEntropy },
});
export type SimpoOptions = OptionsOf<typeof simpo.declaration.options>;

/**
 * ORPO: cross-entropy on the chosen answer and a log-odds ratio of the mean log-probs m = log π(y|x)/|y|.
 *
 *   L = CE(y_w) − β·log σ(odds(m_w) − odds(m_l)),   odds(m) = m − log(1 − e^m)
 *
 * CE covers the answer alone, as in the paper; TRL takes in the prompt too. Its metrics, by TRL's names: `nll_loss` is CE,
 * `log_odds_chosen` the difference of odds and `log_odds_ratio` its log σ.
 */
export const orpo = declareLoss({
  name: "orpo",
  source: "Hong et al. 2024, arXiv 2403.07691, Eqs. 6 and 7, and TRL's experimental ORPO trainer",
  needs: ["tokens"],
  options: {
    /** The paper's λ: weight of the odds ratio. */
    beta: beta(0.1, "weight of the odds ratio"),
  },
  formula: (logProbs, { beta }) => chosenCrossEntropy(logProbs).sub(logOddsRatio(logProbs).logSigmoid(), { alpha: beta }),
  rewards: (logProbs, { beta }) => scaled(policyMeans(logProbs, "orpo"), beta),
  metrics: {
    nll_loss: chosenCrossEntropy,
    log_odds_ratio: (logProbs) => logOddsRatio(logProbs).logSigmoid(),
    log_odds_chosen: logOddsRatio,
  },
});
export type OrpoOptions = OptionsOf<typeof orpo.declaration.options>;

/**
 * CPO: −log σ(z) + α·CE(y_w), z = β(log π(y_w|x) − log π(y_l|x)), DPO with a uniform reference and cross-entropy on the chosen
 * answer. With ε > 0 the logistic loss is smoothed as in cDPO.
 */
export const cpo = declareLoss({
  name: "cpo",
  source: "Xu et al. 2024, arXiv 2401.08417, Eq. 3, and TRL's experimental CPO trainer",
  needs: ["tokens"],
  options: {
    /** Scale of the log-probs. */
    beta: beta(0.1, "scale of the log-probs"),
    /** α: weight of the chosen answer's cross-entropy. */
    alpha: crossEntropyWeight(1),
    /** ε: the share of pairs assumed to have swapped labels. */
    labelSmoothing,
  },
  formula: (logProbs, { beta, alpha, labelSmoothing }) => {
    const z = logProbs.policyChosen.sub(logProbs.policyRejected).mul(beta);
    return withCrossEntropy(smoothedLogistic(z, labelSmoothing), logProbs, alpha);
  },
  rewards: (logProbs, { beta }) => scaled(policySums(logProbs), beta),
  metrics: { nll_loss: weightedCrossEntropy },
});
export type CpoOptions = OptionsOf<typeof cpo.declaration.options>;

function policySums({ policyChosen, policyRejected }: PairLogProbs): PairValues {
  return { chosen: policyChosen, rejected: policyRejected };
}

/** The policy's log-probs by the token. */
function policyMeans(logProbs: PairLogProbs, loss: string): PairValues {
  return meanOverTokens(policySums(logProbs), logProbs, loss);
}

function scaled({ chosen, rejected }: PairValues, beta: number): PairValues {
  return { chosen: chosen.mul(beta), rejected: rejected.mul(beta) };
}

/** Each pair's share of the mean cross-entropy of the step's chosen tokens, `[pairs]`. */
function chosenCrossEntropy(logProbs: PairLogProbs): Tensor {
  const { policyChosen, policyChosenPlain = policyChosen, meanChosenTokens, chosenTokens } = logProbs;
  if (meanChosenTokens !== undefined) return policyChosenPlain.div(-meanChosenTokens);
  if (!chosenTokens)
    throw new TypeError(
      "Expected 'meanChosenTokens' or 'chosenTokens' for cross-entropy but received neither; they are token counts",
    );
  return policyChosenPlain.div(chosenTokens.mean()).neg();
}

function withCrossEntropy(losses: Tensor, logProbs: PairLogProbs, alpha: number): Tensor {
  return alpha === 0 ? losses : losses.add(chosenCrossEntropy(logProbs), { alpha });
}

/** The metric of a cross-entropy term, unless its weight is 0. */
function weightedCrossEntropy(logProbs: PairLogProbs, { alpha }: { readonly alpha: number }): Tensor | undefined {
  return alpha === 0 ? undefined : chosenCrossEntropy(logProbs);
}

/** Log of how many times the chosen answer's odds are the rejected one's, `[pairs]`. */
function logOddsRatio(logProbs: PairLogProbs): Tensor {
  const { chosen, rejected } = policyMeans(logProbs, "orpo");
  return logOdds(chosen).sub(logOdds(rejected));
}

/** log(p/(1 − p)) from log p. A certain answer, p = 1, counts as 1 − 1e-6: its odds have no bound. */
function logOdds(logProb: Tensor): Tensor {
  const below = logProb.clampMax(-1e-6);
  // 1 − e^m by expm1, which keeps its digits for m near 0.
  return below.sub(below.expm1().neg().log());
}
