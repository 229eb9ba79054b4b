/**
 * WPO (Zhou et al. 2024, arXiv 2406.11827, Eq. 2), TRL's `use_weighting`: each pair counts by how likely the policy
 * itself is to write its answers, so that off-policy data acts more like on-policy data:
 *
 *   L = w(y_w)·w(y_l)·L',   w(y) = exp(mean over y's tokens of log p_t − log Σ_v p_v²)
 *
 * without gradient through the weights. Every term of a weighted sum is weighted, `sft` too (TRL fails there). Losses
 * that sort the batch have no pair to weigh.
 */
import { expectLossFunction } from "./checks";
import { type PreferenceLoss, defineLoss, lossNeeds } from "./preferenceLoss";

/**
 * ```ts
 * const loss = wpo(sigmoid({ beta: 0.1 }))({ ...logProbs, wpoChosen, wpoRejected }).mean();
 * ```
 */
export function wpo(loss: PreferenceLoss): PreferenceLoss {
  expectLossFunction(loss, "loss");
  if (loss.scope === "batch")
    throw new TypeError(`Expected a loss of single pairs for 'loss' but received '${loss.name}', which sorts the batch`);
  const { beta, rewards, metrics } = loss;
  const needs = [...(["reference", "tokens"] as const).filter((need) => lossNeeds(loss, need)), "wpo" as const];
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
