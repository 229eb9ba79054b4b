/**
 * Rotary frequencies for contexts longer than those of pretraining: transformers' `modeling_rope_utils`, in its order
 * of operations, all in float32, so that even far positions get its angles.
 */
import { type Device, type Tensor, arange, fromTypedArray, ops, tidy } from "../torch";

export type RopeScaling =
  /** Positions are divided by `factor` (kaiokendev, 2023). */
  | { type: "linear"; factor: number }
  /** The base grows with texts longer than `maxPositions` (NTK-aware; emozilla, 2023). */
  | { type: "dynamic"; factor: number; maxPositions: number }
  /** Low frequencies are divided by `factor`, high ones kept, those between interpolated (Llama 3.1). */
  | { type: "llama3"; factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositions: number }
  /** The same by a ramp over the dimensions (Peng et al., 2023). */
  | {
      type: "yarn";
      factor: number;
      /** Factor of cosines and sines. */
      attentionFactor: number;
      betaFast: number;
      betaSlow: number;
      originalMaxPositions: number;
      /** Whether the ramp starts and ends at whole dimensions. */
      truncate: boolean;
    }
  /** A divisor for each frequency; others for texts longer than `originalMaxPositions` (Ding et al., 2024). */
  | {
      type: "longrope";
      shortFactors: readonly number[];
      longFactors: readonly number[];
      attentionFactor: number;
      originalMaxPositions: number;
    };

/**
 * theta^(-2i / dim), scaled, `[..., dim / 2]` float32, for texts of `lengths` tokens, `[...]` (of no length when left
 * out).
 */
export function rotaryFrequencies(
  dim: number,
  theta: number,
  scaling?: RopeScaling,
  { lengths, device }: { lengths?: Tensor; device?: Device } = {},
): Tensor {
  return tidy(() => {
    const exponents = arange(0, dim, 2, { dtype: "float32", device }).div(dim);
    const wavelengths = () => ops.pow(theta, exponents);
    switch (scaling?.type) {
      case undefined:
        return wavelengths().reciprocal();
      case "linear":
        return wavelengths().reciprocal().div(scaling.factor);
      case "dynamic": {
        const { factor, maxPositions } = scaling;
        if (!lengths) return wavelengths().reciprocal();
        const growth = lengths
          .clampMin(maxPositions)
          .mul(factor)
          .div(maxPositions)
          .sub(factor - 1);
        const base = growth.pow(dim / (dim - 2)).mul(theta);
        return ops.pow(base.unsqueeze(-1), exponents).reciprocal();
      }
      case "llama3":
        return llama3(wavelengths().reciprocal(), scaling);
      case "yarn":
        return yarn(wavelengths(), dim, theta, scaling);
      case "longrope": {
        const divided = (by: readonly number[]) =>
          fromTypedArray(Float32Array.from(by), [dim / 2], { device })
            .mul(wavelengths())
            .reciprocal();
        if (!lengths) return divided(scaling.shortFactors);
        const long = lengths.gt(scaling.originalMaxPositions).unsqueeze(-1);
        return ops.where(long, divided(scaling.longFactors), divided(scaling.shortFactors));
      }
    }
  });
}

/** Whether the frequencies depend on how long a text is. */
export function dependsOnLength(scaling: RopeScaling | undefined): boolean {
  return scaling?.type === "dynamic" || scaling?.type === "longrope";
}

function llama3(plain: Tensor, scaling: RopeScaling & { type: "llama3" }): Tensor {
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositions: original } = scaling;
  const wavelengths = plain.reciprocal().mul(2 * Math.PI);
  const tooLong = wavelengths.gt(original / low);
  const between = wavelengths.ge(original / high).logicalAnd(tooLong.logicalNot());
  const share = wavelengths
    .reciprocal()
    .mul(original)
    .sub(low)
    .div(high - low); // of the plain frequency
  const interpolated = share.neg().add(1).mul(plain).div(factor).add(share.mul(plain));
  return ops.where(between, interpolated, ops.where(tooLong, plain.div(factor), plain));
}

function yarn(wavelengths: Tensor, dim: number, theta: number, scaling: RopeScaling & { type: "yarn" }): Tensor {
  const { factor, betaFast, betaSlow, originalMaxPositions: original, truncate } = scaling;
  // The dimension that turns this often within the original context.
  const turning = (turns: number) => (dim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = (round: (x: number) => number) => (truncate ? round : (x: number) => x);
  const start = Math.max(whole(Math.floor)(turning(betaFast)), 0);
  const end = Math.min(whole(Math.ceil)(turning(betaSlow)), dim - 1);
  const width = end === start ? 0.001 : end - start;
  const { device } = wavelengths;
  const ramp = arange(0, dim / 2, 1, { dtype: "float32", device })
    .sub(start)
    .div(width)
    .clamp(0, 1);
  const kept = ramp.neg().add(1); // share of the plain frequency
  return wavelengths.mul(factor).reciprocal().mul(kept.neg().add(1)).add(wavelengths.reciprocal().mul(kept));
}
