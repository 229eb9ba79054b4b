/** What every preference loss takes and gives. */
import { type Tensor } from "../../torch";

/** Sums of token log-probs over each answer, log π(y|x) in nats; four tensors of one shape `[pairs]`. */
export interface PairLogProbs {
  policyChosen: Tensor;
  policyRejected: Tensor;
  referenceChosen: Tensor;
  referenceRejected: Tensor;
}

/** A loss per pair, `[pairs]`; the caller takes the mean over the pairs of the whole optimizer step. */
export type PreferenceLoss = (logProbs: PairLogProbs) => Tensor;

/** ρ_w and ρ_l: how far the policy has moved from the reference on the chosen and on the rejected answer, `[pairs]`. */
export function logRatios(logProbs: PairLogProbs): { chosen: Tensor; rejected: Tensor } {
  return {
    chosen: logProbs.policyChosen.sub(logProbs.referenceChosen),
    rejected: logProbs.policyRejected.sub(logProbs.referenceRejected),
  };
}

export function checkBeta(beta: number): void {
  if (!(beta > 0 && Number.isFinite(beta))) throw new RangeError(`Expected a positive number for 'beta' but received ${String(beta)}`);
}
