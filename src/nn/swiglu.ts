/** The gated feed-forward layer of Llama (Shazeer, 2020): down(silu(gate(x)) * up(x)). */
import { type Tensor, ops } from "../torch";
import { Linear, type LinearLayer, type LinearOptions } from "./linear";
import { Module } from "./module";

export class SwiGlu extends Module {
  readonly gateProj: LinearLayer;
  readonly upProj: LinearLayer;
  readonly downProj: LinearLayer;

  constructor(hiddenSize: number, intermediateSize: number, { bias = false, ...options }: LinearOptions = {}) {
    super();
    this.gateProj = new Linear(hiddenSize, intermediateSize, { ...options, bias });
    this.upProj = new Linear(hiddenSize, intermediateSize, { ...options, bias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { ...options, bias });
  }

  /** `[..., hiddenSize]` to the same. */
  forward(x: Tensor): Tensor {
    return this.downProj.forward(ops.silu(this.gateProj.forward(x)).mul(this.upProj.forward(x)));
  }
}
