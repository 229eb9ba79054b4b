/**
 * Rotary position embedding (Su et al., 2021) in Hugging Face's layout: dimension i of a head is paired with i + d/2
 * ("rotate half"). Angles are computed in float32 whatever the model's dtype.
 *
 * With two kinds of scaling (ropeScaling.ts) the angles depend on how long the text is: by default, as far as any
 * position of the call reaches, as in transformers. Keys in a cache stay turned as they were.
 */
import { type DType, type Device, type Tensor, cat, noGrad, tidy } from "../torch";
import { Module } from "./module";
import { buffer } from "./parameter";
import { type RopeScaling, dependsOnLength, rotaryFrequencies } from "./ropeScaling";

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
