/** Losses made of other losses, weighted sums and WPO; and LD-DPO's weights, which change the sums that losses take. */
import { conflict, type Problem } from "../../base/problems";
import { received } from "../../base/values";
import type { Tensor } from "../../torch";
import { expectFits, numberOption } from "./declaration";
import {
  defineLoss,
  expectLossFunction,
  type LossTraits,
  lossNeeds,
  type PairLogProbs,
  type PreferenceLoss,
  possibleNeeds,
} from "./loss";

/** Of one loss among several. */
export const weight = numberOption(1, "weight of one loss among several");

/**
 * Several losses at once, TRL's `loss_type` as a list with `loss_weights`: Σ_i c_i·L_i for each pair, such as MPO
 * (`sigmoid`, `bco_pair` and `sft`) or iterative RPO (`sigmoid` and `sft`).
 *
 * Weights are 1 each unless given. The rewards and β of the metrics are those of the first loss that is not `sft`.
 *
 * ```ts
 * const loss = weightedSum([sigmoid(), bcoPair(), sft()], [0.8, 0.2, 1])(logProbs).mean();
 * ```
 */
export function weightedSum(losses: readonly PreferenceLoss[], givenWeights?: readonly number[]): PreferenceLoss {
  if (!Array.isArray(losses)) throw new TypeError(`Expected a list of losses for 'losses' but received ${received(losses)}`);
  losses.forEach((loss, i) => expectLossFunction(loss, `losses[${i}]`));
  const weights = givenWeights ?? losses.map(() => weight.fallback);
  if (losses.length === 0) throw new RangeError("Expected at least one loss for 'losses' but received none");
  if (!Array.isArray(weights)) throw new TypeError(`Expected a list of numbers for 'weights' but received ${received(weights)}`);
  if (weights.length !== losses.length)
    throw new RangeError(`Expected ${losses.length} weights for 'weights', one a loss, but received ${weights.length}`);
  weights.forEach((each, i) => expectFits(`weights[${i}]`, each, weight));

  const needs = possibleNeeds.filter((need) => losses.some((loss) => lossNeeds(loss, need)));
  const { beta, rewards } = losses.find(({ name }) => name !== "sft") ?? losses[0]!;
  const scope = losses.some((loss) => loss.scope === "batch") ? "batch" : undefined;
  const answers = losses.every((loss) => loss.answers === "chosen") ? "chosen" : undefined;
  const measured = losses.filter((loss) => loss.metrics);
  const metrics = (logProbs: PairLogProbs): Record<string, Tensor> =>
    Object.assign({}, ...measured.map((loss) => loss.metrics!(logProbs)));

  const name = losses.map((loss) => loss.name).join("+");
  const withTolerance = losses.some((loss) => loss.withTolerance)
    ? (nats: number) =>
        weightedSum(
          losses.map((loss) => loss.withTolerance?.(nats) ?? loss),
          weights,
        )
    : undefined;
  const traits: LossTraits = {
    beta,
    needs,
    scope,
    answers,
    rewards,
    withTolerance,
    metrics: measured.length > 0 ? metrics : undefined,
  };
  return defineLoss(name, traits, (logProbs) =>
    losses.map((loss, i) => loss(logProbs).mul(weights[i]!)).reduce((sum, term) => sum.add(term)),
  );
}

/**
 * WPO (Zhou et al. 2024, arXiv 2406.11827, Eq. 2), TRL's `use_weighting`: each pair counts by how likely the policy
 * itself is to write its answers, so that off-policy data behaves more like on-policy data:
 *
 *   L = w(y_w)·w(y_l)·L',   w(y) = exp(mean over y's tokens of log p_t − log Σ_v p_v²)
 *
 * without gradient through the weights. Every term of a weighted sum is weighted, `sft` too (TRL fails there). Losses
 * that sort the batch have no single pair to weight.
 *
 * ```ts
 * const loss = wpo(sigmoid({ beta: 0.1 }))({ ...logProbs, wpoChosen, wpoRejected }).mean();
 * ```
 */
export function wpo(loss: PreferenceLoss): PreferenceLoss {
  expectLossFunction(loss, "loss");
  if (loss.scope === "batch")
    throw new TypeError(`Expected a loss of single pairs for 'loss' but received '${loss.name}', which sorts the batch`);
  const { beta, rewards, metrics } = loss;
  const needs = possibleNeeds.filter((need) => need === "wpo" || lossNeeds(loss, need));
  const withTolerance = loss.withTolerance && ((nats: number) => wpo(loss.withTolerance!(nats)));
  return defineLoss(`wpo(${loss.name})`, { beta, needs, rewards, metrics, withTolerance }, (logProbs) => {
    const { wpoChosen, wpoRejected } = logProbs;
    if (!wpoChosen || !wpoRejected)
      throw new TypeError(
        "Expected 'wpoChosen' and 'wpoRejected' for WPO but received none; they are means of log p_t − log Σ_v p_v²",
      );
    return loss(logProbs).mul(wpoChosen.add(wpoRejected).detach().exp());
  });
}

/** α of LD-DPO; 1 changes nothing. */
export const ldAlpha = numberOption(1, "weight of the longer answer's tokens beyond the length of the shorter (LD-DPO)", {
  min: 0,
  max: 1,
});

/** The problem when no loss uses α: a loss on chosen answers alone has no second length to compare. */
export function ldAlphaProblems(
  alpha: number | null,
  losses: readonly { readonly name: string; readonly answers?: "chosen" | undefined }[],
): Problem[] {
  if ((alpha ?? ldAlpha.fallback) === ldAlpha.fallback || losses.some(({ answers }) => answers !== "chosen")) return [];
  const names = losses.map(({ name }) => name || "a loss of the chosen answers alone").join(", ");
  return [
    conflict(
      ["ld_alpha", "loss_type"],
      "'ld_alpha' only with a loss that compares two answers",
      `${alpha} with ${names}; leave it out`,
    ),
  ];
}

/**
 * LD-DPO (Liu et al. 2024, arXiv 2409.06411), TRL's `ld_alpha`: against the pull towards long answers the tokens beyond the
 * shorter answer's length count α. It changes the sums that losses take, of policy and reference alike:
 *
 *   log π(y|x) = Σ_(t ≤ p) log p_t + α·Σ_(t > p) log p_t,   p = min(|y_w|, |y_l|)
 *
 * Token counts, cross-entropies (`policyChosenPlain`) and WPO's weights stay those of all tokens.
 *
 * Returns the weights of the tokens of each answer of a pair, `[chosenTokens]` and `[rejectedTokens]`: 1 up to the shorter
 * one's length, then `alpha`.
 *
 * ```ts
 * ldWeights(2, 4, 0.5); // { chosen: [1, 1], rejected: [1, 1, 0.5, 0.5] }
 * ```
 */
export function ldWeights(
  chosenTokens: number,
  rejectedTokens: number,
  alpha: number,
): { chosen: Float32Array; rejected: Float32Array } {
  expectFits("alpha", alpha, ldAlpha);
  const shared = Math.min(chosenTokens, rejectedTokens);
  const weights = (tokens: number) => new Float32Array(tokens).fill(1, 0, shared).fill(alpha, shared);
  return { chosen: weights(chosenTokens), rejected: weights(rejectedTokens) };
}
