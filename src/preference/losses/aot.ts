/**
 * AOT, alignment by optimal transport (Melnyk et al. 2024, arXiv 2406.05882), TRL's `aot` and `aot_unpaired`: the
 * smoothed logistic loss of β·u, where u are differences of two sorted lists, so that the whole distribution of the
 * better ones is pushed above the other's:
 *
 *   aot            u = sort(log π(y_w) − log π(y_l)) − sort(log π_ref(y_w) − log π_ref(y_l))
 *   aot_unpaired   u = sort(ρ_w) − sort(ρ_l)
 *
 * They sort the pairs of one call: as in TRL, those of a micro-batch. A step in one micro-batch sorts all of it; one in
 * several is another objective (`scope: "batch"` says so), and element i of the result belongs to rank i, not to pair i.
 */
import type { Tensor } from "../../torch";
import { checkOptions } from "../../base/options";
import { checkNumber, flippedShare, positive } from "./checks";
import { type PairLogProbs, type PreferenceLoss, defineLoss, logRatios } from "./preferenceLoss";
import { smoothedLogistic } from "./smoothing";

export interface AotOptions {
  beta?: number;
  /** ε: the share of comparisons taken to be the wrong way round. */
  labelSmoothing?: number;
}

/**
 * ```ts
 * const loss = aot({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function aot(options: AotOptions = {}): PreferenceLoss {
  return transport("aot", "aot", options, ({ policyChosen, policyRejected, referenceChosen, referenceRejected }) =>
    sorted(policyChosen.sub(policyRejected)).sub(sorted(referenceChosen.sub(referenceRejected))),
  );
}

/**
 * Chosen and rejected answers need not answer the same prompts.
 *
 * ```ts
 * const loss = aotUnpaired({ beta: 0.1 })(logProbs).mean();
 * ```
 */
export function aotUnpaired(options: AotOptions = {}): PreferenceLoss {
  return transport("aotUnpaired", "aot_unpaired", options, (logProbs) => {
    const { chosen, rejected } = logRatios(logProbs);
    return sorted(chosen).sub(sorted(rejected));
  });
}

function transport(
  called: string,
  name: string,
  options: AotOptions,
  differences: (logProbs: PairLogProbs) => Tensor,
): PreferenceLoss {
  checkOptions(called, options, ["beta", "labelSmoothing"]);
  const { beta = 0.1, labelSmoothing = 0 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("labelSmoothing", labelSmoothing, flippedShare);
  return defineLoss(name, { beta, needs: ["reference"], scope: "batch" }, (logProbs) =>
    smoothedLogistic(differences(logProbs).mul(beta), labelSmoothing),
  );
}

function sorted(values: Tensor): Tensor {
  return values.sort(0)[0];
}
