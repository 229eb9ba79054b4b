/**
 * What every language model here offers to those who train it and generate with it, whatever its architecture. Body and
 * head are separate, so that the head runs only where a token is predicted.
 */
import { type KvCache, Module } from "../nn";
import type { Tensor } from "../torch";
import type { HuggingFaceConfig } from "./config";

export interface ForwardOptions {
  /** Position of each token, `[batch or 1, seq]` int64; counted on from the cache when left out. May restart. */
  positions?: Tensor;
  /**
   * Which keys each query sees, instead of all up to its own: true where it may, broadcasting to
   * `[batch, heads, seq, keys]`, or floating-point and added to the scores. Keys count the cached ones.
   */
  mask?: Tensor;
  /** Takes the tokens' keys and values, after those it holds. */
  cache?: KvCache;
}

export abstract class CausalLM extends Module {
  abstract readonly config: { readonly vocabSize: number; readonly eosTokenIds: readonly number[] };

  /** `config.json` as it was given; `saveModel` writes it out again. */
  abstract readonly configJson: HuggingFaceConfig;

  /** Names of weights that are another one's as well (copy: original). A folder may hold either, or both if equal. */
  readonly tiedWeights: Readonly<Record<string, string>> = {};

  /** Where the weights came from, as `loadModel` was given it. */
  folder: string | undefined;

  /** The last layer's normalised output for `ids`, `[batch, seq]` int64: `[batch, seq, hiddenSize]`. */
  abstract hidden(ids: Tensor, options?: ForwardOptions): Tensor;

  /** Scores of every next token for rows of `hidden`: `[..., hiddenSize]` to `[..., vocabSize]`. */
  abstract head(hidden: Tensor): Tensor;

  /** `ids`, `[batch, seq]` int64, to logits `[batch, seq, vocabSize]`. */
  forward(ids: Tensor, options?: ForwardOptions): Tensor {
    return this.head(this.hidden(ids, options));
  }
}
