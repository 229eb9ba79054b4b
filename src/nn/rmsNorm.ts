/**
 * Root mean square normalisation (Zhang and Sennrich, 2019): `x / sqrt(mean(x^2) + eps) * weight` over the last
 * dimension. 16-bit inputs are normalised in float32, as Llama does; the weight is applied before rounding back.
 */
import { type Tensor, ops } from "../torch";
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
    this.weight = newParameter([hiddenSize], options, (weight) => weight.fill_(1));
  }

  /** `[..., hiddenSize]` to the same. */
  forward(x: Tensor): Tensor {
    return ops.rmsNorm(x, [this.hiddenSize], this.weight, this.eps);
  }
}
