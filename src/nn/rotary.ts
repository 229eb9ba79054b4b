/**
 * Rotary position embedding (Su et al., 2021) in Hugging Face's layout: dimension i of a head is paired with i + d/2
 * ("rotate half"). Angles are computed in float32 whatever the model's dtype. Scaled variants (llama3, yarn) are left
 * out.
 */
import { type DType, type Device, type Tensor, arange, cat, noGrad, ops, tidy } from "../torch";
import { Module } from "./module";
import { buffer } from "./parameter";

/** Cosines and sines of every position, `[batch or 1, 1, seq, headDim]`, to multiply `[batch, heads, seq, headDim]`. */
export interface RotaryAngles {
  cos: Tensor;
  /** The first half negated: the sign of rotate-half, (x1, x2) -> (-x2, x1), moved from x to here. */
  signedSin: Tensor;
}

export class RotaryEmbedding extends Module {
  /** theta^(-2i / headDim), `[headDim / 2]` float32 */
  readonly invFreq: Tensor;

  constructor(
    readonly headDim: number,
    { theta = 10_000, device }: { theta?: number; device?: Device } = {},
  ) {
    super();
    if (!(headDim > 0 && headDim % 2 === 0))
      throw new RangeError(`Expected an even, positive number for 'headDim' but received ${headDim}`);
    const exponents = () => arange(0, headDim, 2, { dtype: "float32", device }).div(headDim);
    this.invFreq = buffer(
      tidy(() => ops.pow(theta, exponents()).reciprocal()),
      { persistent: false },
    );
  }

  /** The angles of `positions` (`[batch or 1, seq]`, integers, in any order), as `dtype`. */
  forward(positions: Tensor, dtype: DType): RotaryAngles {
    return tidy(() =>
      noGrad(() => {
        // [batch, 1, seq, headDim / 2]
        const angles = positions.to("float32").unsqueeze(-1).mul(this.invFreq).unsqueeze(1);
        const cos = angles.cos();
        const sin = angles.sin();
        return { cos: cat([cos, cos], -1).to({ dtype }), signedSin: cat([sin.neg(), sin], -1).to({ dtype }) };
      }),
    );
  }
}

/** Rotates `x`, `[batch, heads, seq, headDim]`, by the angles of its positions: x cos + rotateHalf(x) sin. */
export function applyRotary(x: Tensor, { cos, signedSin }: RotaryAngles): Tensor {
  const halvesSwapped = x.roll(x.size(-1) / 2, -1);
  return x.mul(cos).addcmul(halvesSwapped, signedSin);
}
