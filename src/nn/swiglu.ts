/**
 * The gated feed-forward layer of Llama (Shazeer, 2020): down(silu(gate(x)) * up(x)), or with another activation
 * (Gemma's is GELU), or with gate and up in one matrix (Phi-3).
 */
import type { Tensor } from "../torch";
import { type Activation, activations } from "./activation";
import { Linear, type LinearLayer, type LinearOptions } from "./linear";
import { Module } from "./module";

export interface SwiGluOptions extends LinearOptions {
  activation?: Activation;
}

export class SwiGlu extends Module {
  readonly gateProj: LinearLayer;
  readonly upProj: LinearLayer;
  readonly downProj: LinearLayer;
  readonly activation: Activation;

  constructor(hiddenSize: number, intermediateSize: number, options: SwiGluOptions = {}) {
    super();
    const { activation = "silu", bias = false, ...layer } = options;
    this.activation = activation;
    this.gateProj = new Linear(hiddenSize, intermediateSize, { ...layer, bias });
    this.upProj = new Linear(hiddenSize, intermediateSize, { ...layer, bias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { ...layer, bias });
  }

  /** `[..., hiddenSize]` to the same. */
  forward(x: Tensor): Tensor {
    const gate = activations[this.activation](this.gateProj.forward(x));
    return this.downProj.forward(gate.mul(this.upProj.forward(x)));
  }
}

/** The same with one matrix for gate and up, the gate's rows first. */
export class FusedSwiGlu extends Module {
  readonly gateUpProj: LinearLayer;
  readonly downProj: LinearLayer;
  readonly activation: Activation;

  constructor(hiddenSize: number, intermediateSize: number, options: SwiGluOptions = {}) {
    super();
    const { activation = "silu", bias = false, ...layer } = options;
    this.activation = activation;
    this.gateUpProj = new Linear(hiddenSize, 2 * intermediateSize, { ...layer, bias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { ...layer, bias });
  }

  /** `[..., hiddenSize]` to the same. */
  forward(x: Tensor): Tensor {
    const [gate, up] = this.gateUpProj.forward(x).chunk(2, -1) as [Tensor, Tensor];
    return this.downProj.forward(activations[this.activation](gate).mul(up));
  }
}
