/** Clipping gradients by their norm over all parameters, as `torch.nn.utils.clip_grad_norm_`. */
import { fits } from "../base/arguments";
import { expected } from "../base/errors";
import { received } from "../base/values";
import { noGrad, ops, stack, type Tensor, tidy, zeros } from "../torch";
import { maxGradNorm } from "./arguments";

/**
 * Scales all gradients in place so that their joint 2-norm is at most `maxNorm`, and returns the norm they had, a
 * scalar tensor. Nothing is read from the device. The factor is maxNorm / (norm + 1e-6), at most 1.
 *
 * ```ts
 * const gradNorm = clipGradNorm_(model.parameters(), 1.0).item();
 * ```
 */
export function clipGradNorm_(params: Iterable<Tensor>, maxNorm: number): Tensor {
  if (!fits(maxNorm, maxGradNorm)) throw new RangeError(expected(maxGradNorm.expected, received(maxNorm), { name: "maxNorm" }));
  if (typeof params !== "object" || params === null || !(Symbol.iterator in params))
    throw new TypeError(`Expected tensors for 'params' but received ${received(params)}${wayToParameters(params)}`);
  return tidy(() =>
    noGrad(() => {
      const grads = [...params].map(({ grad }) => grad).filter((grad) => grad !== null);
      if (grads.length === 0) return zeros([]);
      const norm = stack(ops._foreachNorm(grads, 2)).linalgVectorNorm(2);
      ops._foreachMul_(grads, norm.add(1e-6).reciprocal().mul(maxNorm).clamp(null, 1));
      return norm;
    }),
  );
}

/** The hint to pass a model's parameters, if the model itself was passed. */
export function wayToParameters(value: unknown): string {
  return typeof (value as { parameters?: unknown } | null)?.parameters === "function" ? "; pass model.parameters()" : "";
}
