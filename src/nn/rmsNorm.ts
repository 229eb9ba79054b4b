/**
 * Root mean square normalisation (Zhang and Sennrich, 2019): `x / sqrt(mean(x^2) + eps) * weight` over the last
 * dimension. 16-bit inputs are normalised in float32, as Llama does; the weight is applied before rounding back.
 */
import { ops, type Tensor } from "../torch";
import { Module } from "./module";
import { type LayerOptions, newParameter } from "./parameter";

export interface RmsNormOptions extends LayerOptions {
  eps?: number;
}

export class RmsNorm extends Module {
  /** `[size]`, ones at first */
  readonly weight: Tensor;
  readonly eps: number;

  constructor(
    readonly hiddenSize: number,
    { eps = 1e-6, ...options }: RmsNormOptions = {},
  ) {
    super();
    this.eps = eps;
    this.weight = newParameter([hiddenSize], options, (weight) => this.reset_(weight));
  }

  /** `[..., hiddenSize]` to the same. */
  forward(x: Tensor): Tensor {
    return ops.rmsNorm(x, [this.hiddenSize], this.weight, this.eps);
  }

  /** Makes the factor one. */
  reset_(weight = this.weight): Tensor {
    return weight.fill_(1);
  }
}

/** Gemma's: the weight is what the factor has beyond one, added in float32. */
export class OffsetRmsNorm extends RmsNorm {
  override forward(x: Tensor): Tensor {
    if (x.dtype === "float32" || x.dtype === "float64") return ops.rmsNorm(x, [this.hiddenSize], this.weight.add(1), this.eps);
    const factor = this.weight.to("float32").add(1); // in 16 bits 1 + weight would lose most of the weight
    return ops.rmsNorm(x.to("float32"), [this.hiddenSize], factor, this.eps).to({ dtype: x.dtype });
  }

  override reset_(weight = this.weight): Tensor {
    return weight.zero_();
  }
}
