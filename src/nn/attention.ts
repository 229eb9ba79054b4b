/**
 * Causal self-attention with rotary positions and grouped queries (Ainslie et al., 2023), through
 * `scaled_dot_product_attention`. Names and shapes are those of Hugging Face's Llama.
 */
import { type Device, type Tensor, ones, ops, tidy } from "../torch";
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
  /** Share of attention weights dropped in training. */
  dropout?: number;
}

export interface AttentionContext {
  rotary: RotaryAngles;
  /**
   * Replaces the causal rule. Boolean: true where the query may see the key. Floating-point: added to the scores.
   * Broadcasts to `[batch, heads, queries, keys]`, keys counting cached ones. A row must see at least one key.
   */
  mask?: Tensor;
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
  readonly dropout: number;

  constructor(options: AttentionOptions) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads = numHeads, headDim = hiddenSize / numHeads } = options;
    const { bias = false, dropout = 0, ...layer } = options;
    if (numHeads % numKeyValueHeads !== 0)
      throw new RangeError(
        `Expected a divisor of ${numHeads} heads for 'numKeyValueHeads' but received ${numKeyValueHeads}`,
      );
    this.numHeads = numHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.headDim = headDim;
    this.dropout = dropout;
    this.qProj = new Linear(hiddenSize, numHeads * headDim, { ...layer, bias });
    this.kProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { ...layer, bias });
    this.vProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { ...layer, bias });
    this.oProj = new Linear(numHeads * headDim, hiddenSize, { ...layer, bias });
  }

  /** `[batch, seq, hiddenSize]` to the same. */
  forward(x: Tensor, { rotary, mask, cache }: AttentionContext): Tensor {
    const [batch, queries] = x.shape as [number, number, number];
    const heads = (projected: Tensor, count: number) =>
      projected.view([batch, queries, count, this.headDim]).transpose(1, 2); // [batch, count, queries, headDim]

    const q = applyRotary(heads(this.qProj.forward(x), this.numHeads), rotary);
    let k = applyRotary(heads(this.kProj.forward(x), this.numKeyValueHeads), rotary);
    let v = heads(this.vProj.forward(x), this.numKeyValueHeads);
    if (cache) [k, v] = cache.kv.append(cache.layer, k, v); // [batch, kvHeads, keys, headDim]

    const attended = this.attend(q, k, v, mask); // [batch, heads, queries, headDim]
    return this.oProj.forward(attended.transpose(1, 2).reshape([batch, queries, this.numHeads * this.headDim]));
  }

  private attend(q: Tensor, k: Tensor, v: Tensor, givenMask: Tensor | undefined): Tensor {
    const queries = q.size(2);
    const keys = k.size(2);
    // isCausal would align the first query with the first key, not the last with the last.
    const mask = givenMask ?? (queries > 1 && keys > queries ? causalMask(queries, keys, q.device) : undefined);
    const isCausal = mask === undefined && queries > 1; // a single query sees every key
    const groups = this.numHeads / this.numKeyValueHeads;
    const dropoutP = this.training ? this.dropout : 0;
    if (groups === 1) return ops.scaledDotProductAttention(q, k, v, mask, dropoutP, isCausal);
    if (mask === undefined) return ops.scaledDotProductAttention(q, k, v, { dropoutP, isCausal, enableGqa: true });
    // No fused CUDA kernel takes grouped heads together with a mask: repeat the heads.
    const repeat = (heads: Tensor) => heads.repeatInterleave(groups, 1);
    return ops.scaledDotProductAttention(q, repeat(k), repeat(v), mask, dropoutP);
  }
}

/** `[queries, keys]`: the last query sees every key, each one before it one key less. */
export function causalMask(queries: number, keys: number, device?: Device): Tensor {
  return tidy(() => ones([queries, keys], { dtype: "bool", device }).tril(keys - queries));
}
