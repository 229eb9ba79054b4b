/**
 * The logistic loss when a share ε of the labels is taken to be flipped: cDPO (Mitchell 2023, "A note on DPO with noisy
 * preferences"; the original DPO code):
 *
 *   −(1 − ε)·log σ(z) − ε·log σ(−z)
 *
 * Its minimum is at z = log((1 − ε)/ε) instead of at infinity.
 */
import { type Tensor } from "../../torch";

/** The loss for scaled margins z, any shape; with ε = 0 exactly −log σ(z). */
export function smoothedLogistic(z: Tensor, labelSmoothing: number): Tensor {
  const kept = z.logSigmoid().neg();
  if (labelSmoothing === 0) return kept;
  return kept.mul(1 - labelSmoothing).sub(z.neg().logSigmoid().mul(labelSmoothing));
}
