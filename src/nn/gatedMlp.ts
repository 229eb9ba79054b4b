/**
 * The gated feed-forward layer (Shazeer, 2020): down(act(gate(x)) * up(x)). With SiLU it is Llama's SwiGLU, with GELU
 * Gemma's GeGLU; Phi-3 has gate and up in one matrix.
 */
import { ops, type Tensor } from "../torch";
import { Linear, type LinearLayer, type LinearOptions } from "./linear";
import { Module } from "./module";

/** The nonlinearities, under the names `config.json` has for them. */
export const activations = {
  silu: (x: Tensor) => ops.silu(x),
  gelu: (x: Tensor) => ops.gelu(x),
  gelu_pytorch_tanh: (x: Tensor) => ops.gelu(x, { approximate: "tanh" }),
} as const;

export type Activation = keyof typeof activations;

export interface GatedMlpOptions extends LinearOptions {
  activation?: Activation;
}

export class GatedMlp extends Module {
  readonly gateProj: LinearLayer;
  readonly upProj: LinearLayer;
  readonly downProj: LinearLayer;
  readonly activation: Activation;

  constructor(hiddenSize: number, intermediateSize: number, options: GatedMlpOptions = {}) {
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
export class FusedGatedMlp extends Module {
  readonly gateUpProj: LinearLayer;
  readonly downProj: LinearLayer;
  readonly activation: Activation;

  constructor(hiddenSize: number, intermediateSize: number, options: GatedMlpOptions = {}) {
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
