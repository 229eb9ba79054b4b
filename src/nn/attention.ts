/**
 * Causal self-attention with rotary positions and grouped queries (Ainslie et al., 2023). Names and shapes are those of
 * Hugging Face's Llama. Which tokens see each other is the kernel's matter: see attentionKernel.ts.
 */
import type { Tensor } from "../torch";
import { type AttentionKernel, type AttentionRules, maskedAttention } from "./attentionKernel";
import type { KvCache } from "./kvCache";
import { Linear, type LinearLayer } from "./linear";
import { Module } from "./module";
import type { LayerOptions } from "./parameter";
import { type RotaryAngles, applyRotary } from "./rotary";

export interface AttentionOptions extends LayerOptions {
  hiddenSize: number;
  numHeads: number;
  /** Heads of keys and values; each serves `numHeads / numKeyValueHeads` heads of queries. */
  numKeyValueHeads?: number;
  headDim?: number;
  bias?: boolean;
  /** Whether the output's projection has a bias; as `bias` when left out. */
  outputBias?: boolean;
  /** Share of attention weights dropped in training. */
  dropout?: number;
  /** Factor of the scores; 1 / sqrt(headDim) when left out. */
  scale?: number;
  softcap?: number;
  window?: number;
}

/** What a layer needs to know of the tokens it is given. */
export interface AttentionContext {
  rotary: RotaryAngles;
  /** Which tokens see each other; each sees those up to itself when left out. */
  attend?: AttentionKernel;
  cache?: { kv: KvCache; layer: number };
}

export class Attention extends Module {
  readonly qProj: LinearLayer;
  readonly kProj: LinearLayer;
  readonly vProj: LinearLayer;
  readonly oProj: LinearLayer;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly rules: AttentionRules;

  constructor(options: AttentionOptions) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads = numHeads, headDim = hiddenSize / numHeads } = options;
    const { bias = false, outputBias = bias, dropout = 0, scale, softcap, window, ...layer } = options;
    if (numHeads % numKeyValueHeads !== 0)
      throw new RangeError(
        `Expected a divisor of ${numHeads} heads for 'numKeyValueHeads' but received ${numKeyValueHeads}`,
      );
    this.numHeads = numHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.headDim = headDim;
    this.rules = { dropout, scale, softcap, window };
    this.qProj = new Linear(hiddenSize, numHeads * headDim, { ...layer, bias });
    this.kProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { ...layer, bias });
    this.vProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { ...layer, bias });
    this.oProj = new Linear(numHeads * headDim, hiddenSize, { ...layer, bias: outputBias });
  }

  /** `[batch, seq, hiddenSize]` to the same. */
  forward(x: Tensor, { rotary, attend = maskedAttention(), cache }: AttentionContext): Tensor {
    const [batch, queries] = x.shape as [number, number, number];
    const heads = (projected: Tensor, count: number) =>
      projected.view([batch, queries, count, this.headDim]).transpose(1, 2); // [batch, count, queries, headDim]

    const q = applyRotary(heads(this.qProj.forward(x), this.numHeads), rotary);
    let k = applyRotary(heads(this.kProj.forward(x), this.numKeyValueHeads), rotary);
    let v = heads(this.vProj.forward(x), this.numKeyValueHeads);
    if (cache) [k, v] = cache.kv.append(cache.layer, k, v); // [batch, kvHeads, keys, headDim]

    const rules = this.training ? this.rules : { ...this.rules, dropout: 0 };
    const attended = attend(q, k, v, rules); // [batch, heads, queries, headDim]
    return this.oProj.forward(attended.transpose(1, 2).reshape([batch, queries, this.numHeads * this.headDim]));
  }
}
