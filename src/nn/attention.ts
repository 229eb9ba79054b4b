/**
 * Causal self-attention with rotary positions and grouped queries (Ainslie et al., 2023). Names and shapes are those of
 * Hugging Face's Llama, Qwen3 (norms of queries and keys) and Phi-3 (one matrix for all three). Which tokens see each
 * other is the kernel's matter: see attentionKernel.ts.
 */
import type { Tensor } from "../torch";
import { type AttentionKernel, type AttentionRules, maskedAttention } from "./attentionKernel";
import type { KvCache } from "./kvCache";
import { Linear, type LinearLayer } from "./linear";
import { Module } from "./module";
import type { LayerOptions } from "./parameter";
import type { RmsNorm } from "./rmsNorm";
import { applyRotary, type RotaryAngles } from "./rotary";

export interface AttentionOptions extends LayerOptions {
  hiddenSize: number;
  numHeads: number;
  /** Heads of keys and values; each serves `numHeads / numKeyValueHeads` heads of queries. */
  numKeyValueHeads?: number;
  headDim?: number;
  bias?: boolean;
  /** Whether the output's projection has a bias; as `bias` when left out. */
  outputBias?: boolean;
  /** Makes the norm of each head's queries, and that of its keys, over `headDim`; none when left out. */
  headNorm?: (headDim: number) => RmsNorm;
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

/** What every form of attention does with its queries, keys and values. */
export abstract class AttentionLayer extends Module {
  abstract readonly oProj: LinearLayer;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly rules: AttentionRules;

  constructor(options: AttentionOptions) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads = numHeads, headDim = hiddenSize / numHeads } = options;
    const { dropout = 0, scale, softcap, window } = options;
    if (numHeads % numKeyValueHeads !== 0)
      throw new RangeError(`Expected a divisor of ${numHeads} heads for 'numKeyValueHeads' but received ${numKeyValueHeads}`);
    this.numHeads = numHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.headDim = headDim;
    this.rules = { dropout, scale, softcap, window };
  }

  /** `[batch, seq, hiddenSize]` to the same. */
  forward(x: Tensor, { rotary, attend = maskedAttention(), cache }: AttentionContext): Tensor {
    const [batch, queries] = x.shape as [number, number, number];
    const [ownQ, ownK, ownV] = this.project(x);
    const q = applyRotary(ownQ, rotary);
    let k = applyRotary(ownK, rotary);
    let v = ownV;
    if (cache) [k, v] = cache.kv.append(cache.layer, k, v); // [batch, kvHeads, keys, headDim]

    const rules = this.training ? this.rules : { ...this.rules, dropout: 0 };
    const attended = attend(q, k, v, rules); // [batch, heads, queries, headDim]
    return this.oProj.forward(attended.transpose(1, 2).reshape([batch, queries, this.numHeads * this.headDim]));
  }

  /** Queries `[batch, heads, seq, headDim]`, keys and values `[batch, kvHeads, seq, headDim]`, not yet rotated. */
  protected abstract project(x: Tensor): [q: Tensor, k: Tensor, v: Tensor];

  /** `[batch, seq, heads * headDim]` to `[batch, heads, seq, headDim]`. */
  protected heads(projected: Tensor): Tensor {
    const [batch, seq] = projected.shape as [number, number, number];
    return projected.view([batch, seq, -1, this.headDim]).transpose(1, 2);
  }
}

export class Attention extends AttentionLayer {
  readonly qProj: LinearLayer;
  readonly kProj: LinearLayer;
  readonly vProj: LinearLayer;
  readonly oProj: LinearLayer;
  readonly qNorm: RmsNorm | undefined;
  readonly kNorm: RmsNorm | undefined;

  constructor(options: AttentionOptions) {
    super(options);
    const { hiddenSize, bias = false, outputBias = bias, headNorm, ...layer } = options;
    const queries = this.numHeads * this.headDim;
    const keys = this.numKeyValueHeads * this.headDim;
    this.qProj = new Linear(hiddenSize, queries, { ...layer, bias });
    this.kProj = new Linear(hiddenSize, keys, { ...layer, bias });
    this.vProj = new Linear(hiddenSize, keys, { ...layer, bias });
    this.oProj = new Linear(queries, hiddenSize, { ...layer, bias: outputBias });
    this.qNorm = headNorm?.(this.headDim);
    this.kNorm = headNorm?.(this.headDim);
  }

  protected project(x: Tensor): [q: Tensor, k: Tensor, v: Tensor] {
    const q = this.heads(this.qProj.forward(x));
    const k = this.heads(this.kProj.forward(x));
    const v = this.heads(this.vProj.forward(x));
    return [this.qNorm?.forward(q) ?? q, this.kNorm?.forward(k) ?? k, v];
  }
}

/** One matrix for queries, keys and values, their rows in this order. */
export class FusedAttention extends AttentionLayer {
  readonly qkvProj: LinearLayer;
  readonly oProj: LinearLayer;

  constructor(options: AttentionOptions) {
    super(options);
    const { hiddenSize, bias = false, outputBias = bias, ...layer } = options;
    const queries = this.numHeads * this.headDim;
    const keys = this.numKeyValueHeads * this.headDim;
    this.qkvProj = new Linear(hiddenSize, queries + 2 * keys, { ...layer, bias });
    this.oProj = new Linear(queries, hiddenSize, { ...layer, bias: outputBias });
  }

  protected project(x: Tensor): [q: Tensor, k: Tensor, v: Tensor] {
    const all = this.heads(this.qkvProj.forward(x)); // [batch, heads + 2 kvHeads, seq, headDim]
    return all.splitWithSizes([this.numHeads, this.numKeyValueHeads, this.numKeyValueHeads], 1) as [Tensor, Tensor, Tensor];
  }
}
