/**
 * AOT, alignment by optimal transport: the smoothed logistic loss of β·u, where u are differences of two sorted lists, so
 * that the whole distribution of the better ones is pushed above the other's.
 *
 * They sort the pairs of one call: as in TRL, those of a micro-batch. Splitting a step into several micro-batches therefore
 * changes the objective (hence `scope: "batch"`), and element i of the result is that of rank i, not of pair i.
 */
import type { Tensor } from "../../torch";
import { beta, declareLoss, labelSmoothing, type OptionsOf } from "./declaration";
import { logRatios, smoothedLogistic } from "./loss";

const source = "Melnyk et al. 2024, arXiv 2406.05882";

const options = {
  /** How strongly the policy is held to the reference. */
  beta: beta(0.1),
  /** ε: the share of comparisons assumed to be the wrong way round. */
  labelSmoothing,
};
export type AotOptions = OptionsOf<typeof options>;

/** AOT for pairs: u = sort(log π(y_w) − log π(y_l)) − sort(log π_ref(y_w) − log π_ref(y_l)). */
export const aot = declareLoss({
  name: "aot",
  source,
  needs: ["reference"],
  scope: "batch",
  options,
  formula: ({ policyChosen, policyRejected, referenceChosen, referenceRejected }, { beta, labelSmoothing }) => {
    const u = sorted(policyChosen.sub(policyRejected)).sub(sorted(referenceChosen.sub(referenceRejected)));
    return smoothedLogistic(u.mul(beta), labelSmoothing);
  },
});

/** AOT where chosen and rejected answers need not answer the same prompts: u = sort(ρ_w) − sort(ρ_l). */
export const aotUnpaired = declareLoss({
  name: "aot_unpaired",
  source,
  needs: ["reference"],
  scope: "batch",
  options,
  formula: (logProbs, { beta, labelSmoothing }) => {
    const { chosen, rejected } = logRatios(logProbs);
    return smoothedLogistic(sorted(chosen).sub(sorted(rejected)).mul(beta), labelSmoothing);
  },
});

function sorted(values: Tensor): Tensor {
  return values.sort(0)[0];
}
