/**
 * Several losses at once, TRL's `loss_type` as a list with `loss_weights`: Σ_i c_i·L_i for each pair, such as MPO
 * (`sigmoid`, `bco_pair` and `sft`) or iterative RPO (`sigmoid` and `sft`).
 */
import { received } from "../../base/received";
import type { Tensor } from "../../torch";
import { anyNumber, checkNumber, expectLossFunction } from "./checks";
import { type LossNeed, type LossTraits, type PairLogProbs, type PreferenceLoss, defineLoss, lossNeeds } from "./preferenceLoss";

/**
 * Weights are 1 each unless given. The rewards and β of the metrics are those of the first loss that is not `sft`.
 *
 * ```ts
 * const loss = weightedSum([sigmoid(), bcoPair(), sft()], [0.8, 0.2, 1])(logProbs).mean();
 * ```
 */
export function weightedSum(losses: readonly PreferenceLoss[], givenWeights?: readonly number[]): PreferenceLoss {
  if (!Array.isArray(losses)) throw new TypeError(`Expected a list of losses for 'losses' but received ${received(losses)}`);
  losses.forEach((loss, i) => expectLossFunction(loss, `losses[${i}]`));
  const weights = givenWeights ?? losses.map(() => 1);
  if (losses.length === 0) throw new RangeError("Expected at least one loss for 'losses' but received none");
  if (!Array.isArray(weights)) throw new TypeError(`Expected a list of numbers for 'weights' but received ${received(weights)}`);
  if (weights.length !== losses.length)
    throw new RangeError(`Expected ${losses.length} weights for 'weights', one a loss, but received ${weights.length}`);
  weights.forEach((weight, i) => checkNumber(`weights[${i}]`, weight, anyNumber));

  const possible: LossNeed[] = ["reference", "tokens", "wpo"];
  const needs = possible.filter((need) => losses.some((loss) => lossNeeds(loss, need)));
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
