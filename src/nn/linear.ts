/** The dense layer, and the interface under which adapted (lora.ts) and, later, quantised ones stand in for it. */
import { type Generator, type Tensor, ops } from "../torch";
import { Module } from "./module";
import { type LayerOptions, newParameter } from "./parameter";

/** A learned map of the last dimension, `[..., inFeatures]` to `[..., outFeatures]`. */
export abstract class LinearLayer extends Module {
  abstract readonly inFeatures: number;
  abstract readonly outFeatures: number;
  abstract forward(x: Tensor): Tensor;
}

export interface LinearOptions extends LayerOptions {
  bias?: boolean;
}

/** `x W^T + b`. */
export class Linear extends LinearLayer {
  /** `[outFeatures, inFeatures]` */
  readonly weight: Tensor;
  /** `[outFeatures]` */
  readonly bias: Tensor | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    { bias = true, ...options }: LinearOptions = {},
  ) {
    super();
    this.weight = newParameter([outFeatures, inFeatures], options, kaimingUniform_);
    const bound = 1 / Math.sqrt(inFeatures);
    this.bias = bias ? newParameter([outFeatures], options, (b, generator) => b.uniform_(-bound, bound, { generator })) : null;
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }
}

/**
 * Fills a weight `[out, in]` from U(-b, b) with b = gain sqrt(3 / in), gain = sqrt(2 / (1 + a^2)) and a = sqrt(5):
 * PyTorch's default for linear layers, and LoRA's for A. Computed in PyTorch's order, so that a seed gives its bits.
 */
export function kaimingUniform_(weight: Tensor, generator?: Generator): Tensor {
  const gain = Math.sqrt(2 / (1 + Math.sqrt(5) ** 2));
  const bound = Math.sqrt(3) * (gain / Math.sqrt(weight.size(1)));
  return weight.uniform_(-bound, bound, { generator });
}
