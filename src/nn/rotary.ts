/**
 * Rotary position embedding (Su et al., 2021) in Hugging Face's layout: dimension i of a head is paired with i + d/2
 * ("rotate half"). Angles are computed in float32 whatever the model's dtype.
 *
 * Frequencies for contexts longer than those of pretraining follow transformers' `modeling_rope_utils`, in its order of
 * operations, all in float32, so that even far positions get its angles. With two kinds of scaling the angles depend on
 * how long the text is: by default, as far as any position of the call reaches, as in transformers. Keys in a cache stay
 * turned as they were.
 */
import { arange, cat, type Device, type DType, fromTypedArray, noGrad, ops, type Tensor, tidy } from "../torch";
import { Module } from "./module";
import { buffer } from "./parameter";

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

/** Cosines and sines of every position, `[batch or 1, 1, seq, dim]`, to multiply `[batch, heads, seq, dim]`. */
export interface RotaryAngles {
  cos: Tensor;
  /** The first half negated: the sign of rotate-half, (x1, x2) -> (-x2, x1), moved from x to here. */
  signedSin: Tensor;
}

export interface RotaryOptions {
  theta?: number;
  scaling?: RopeScaling;
  device?: Device;
}

export class RotaryEmbedding extends Module {
  /** theta^(-2i / headDim), scaled, `[headDim / 2]` float32 */
  readonly invFreq: Tensor;
  readonly theta: number;
  readonly scaling: RopeScaling | undefined;

  /** `headDim`: the dimensions of a head that turn; when they are not all, the first ones. */
  constructor(
    readonly headDim: number,
    { theta = 10_000, scaling, device }: RotaryOptions = {},
  ) {
    super();
    if (!(headDim > 0 && headDim % 2 === 0))
      throw new RangeError(`Expected an even, positive number for 'headDim' but received ${headDim}`);
    this.theta = theta;
    this.scaling = scaling;
    this.invFreq = buffer(rotaryFrequencies(headDim, theta, scaling, { device }), { persistent: false });
  }

  /** Whether the angles depend on how long the text is. */
  get dependsOnLength(): boolean {
    return dependsOnLength(this.scaling);
  }

  /**
   * The angles of `positions` (`[batch or 1, seq]`, integers, in any order), as `dtype`. `lengths`, of the same shape:
   * the tokens of the text each is in.
   */
  forward(positions: Tensor, dtype: DType, lengths?: Tensor): RotaryAngles {
    return tidy(() =>
      noGrad(() => {
        const frequencies = this.dependsOnLength ? this.frequencies(lengths ?? positions.amax().add(1)) : this.invFreq;
        const angles = positions.to("float32").unsqueeze(-1).mul(frequencies).unsqueeze(1); // [batch, 1, seq, headDim / 2]
        const cos = this.scaled(angles.cos());
        const sin = this.scaled(angles.sin());
        return { cos: cat([cos, cos], -1).to({ dtype }), signedSin: cat([sin.neg(), sin], -1).to({ dtype }) };
      }),
    );
  }

  private frequencies(lengths: Tensor): Tensor {
    const { device } = this.invFreq;
    return rotaryFrequencies(this.headDim, this.theta, this.scaling, { lengths: lengths.to("float32"), device });
  }

  private scaled(x: Tensor): Tensor {
    const factor = this.scaling && "attentionFactor" in this.scaling ? this.scaling.attentionFactor : 1;
    return factor === 1 ? x : x.mul(factor);
  }
}

/** Rotates `x`, `[batch, heads, seq, headDim]`, by the angles of its positions: x cos + rotateHalf(x) sin. */
export function applyRotary(x: Tensor, angles: RotaryAngles): Tensor {
  const { cos, signedSin } = angles;
  const dim = cos.size(-1);
  const rest = x.size(-1) - dim;
  if (rest > 0) return cat([applyRotary(x.narrow(-1, 0, dim), angles), x.narrow(-1, dim, rest)], -1);
  const halvesSwapped = x.roll(dim / 2, -1);
  return x.mul(cos).addcmul(halvesSwapped, signedSin);
}

/**
 * theta^(-2i / dim), scaled, `[..., dim / 2]` float32, for texts of `lengths` tokens, `[...]` (of no length when left
 * out).
 */
function rotaryFrequencies(
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
function dependsOnLength(scaling: RopeScaling | undefined): boolean {
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
