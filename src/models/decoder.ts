/**
 * What all architectures have in common: token vectors, a stack of layers, a norm (Hugging Face's `model.*`).
 * An architecture is a `Blueprint`: how one layer is made, and which rotary angles it turns by.
 */
import {
  type AttentionContext,
  type AttentionKernel,
  Embedding,
  type KvCache,
  type LayerOptions,
  Module,
  maskedAttention,
  RmsNorm,
  type RotaryEmbedding,
} from "../nn";
import { arange, type DType, type Tensor, tensor, tidy } from "../torch";

/** The entries of `config.json` that every architecture has, checked and complete. */
export interface DecoderConfig {
  vocabSize: number;
  hiddenSize: number;
  numHiddenLayers: number;
  rmsNormEps: number;
  tieWordEmbeddings: boolean;
  maxPositionEmbeddings: number;
  initializerRange: number;
  bosTokenId: number | undefined;
  eosTokenIds: number[];
  padTokenId: number | undefined;
  /** The dtype the weights were saved in. */
  dtype: DType | undefined;
}

/** One layer: `[batch, seq, hiddenSize]` to the same. */
export abstract class DecoderLayer extends Module {
  abstract forward(x: Tensor, context: AttentionContext): Tensor;
}

export interface Blueprint {
  layer(index: number, options: LayerOptions): DecoderLayer;
  /** The kinds of rotary embedding there are; most architectures have one. */
  rotary: readonly RotaryEmbedding[];
  /** Which of them a layer uses; the first when left out. */
  rotaryOf?(index: number): number;
  /** The last norm; RmsNorm when left out. */
  norm?(options: LayerOptions): DecoderNorm;
  /** Factor of the token vectors (Gemma), rounded to their dtype. */
  embeddingScale?: number;
  /** Bends each logit into (-logitSoftcap, logitSoftcap): logitSoftcap tanh(logit / logitSoftcap) (Gemma 2). */
  logitSoftcap?: number;
}

export type DecoderNorm = Module & { forward(x: Tensor): Tensor };

export interface DecodingOptions {
  /** Position of each token, `[batch or 1, seq]` int64; counted on from the cache when left out. May restart. */
  positions?: Tensor;
  /** Tokens of the text each token is in, `[batch or 1, seq]`; see `dependsOnLength`. */
  lengths?: Tensor;
  /** Which tokens see each other; see `AttentionContext`. */
  attend?: AttentionKernel;
  /** Takes the tokens' keys and values, after those it holds. */
  cache?: KvCache;
}

export class Decoder extends Module {
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: DecoderNorm;
  readonly rotaryEmb: readonly RotaryEmbedding[];
  readonly #blueprint: Blueprint;

  constructor(config: DecoderConfig, blueprint: Blueprint, options: LayerOptions) {
    super();
    const { vocabSize, hiddenSize, numHiddenLayers, padTokenId, rmsNormEps: eps } = config;
    this.#blueprint = blueprint;
    this.embedTokens = new Embedding(vocabSize, hiddenSize, { paddingIdx: padTokenId, ...options });
    this.layers = Array.from({ length: numHiddenLayers }, (_, index) => blueprint.layer(index, options));
    this.norm = blueprint.norm?.(options) ?? new RmsNorm(hiddenSize, { eps, ...options });
    this.rotaryEmb = blueprint.rotary;
  }

  /** The first layer's input for `ids`, `[batch, seq]`: `[batch, seq, hiddenSize]`. */
  embed(ids: Tensor): Tensor {
    const x = this.embedTokens.forward(ids);
    const { embeddingScale } = this.#blueprint;
    return embeddingScale === undefined ? x : x.mul(rounded(embeddingScale, x.dtype));
  }

  /**
   * Whether a token's angles depend on how long its text is: then tokens of other texts in a call need `lengths`, and
   * texts of other lengths cannot share a beginning.
   */
  get dependsOnLength(): boolean {
    return this.rotaryEmb.some((rotary) => rotary.dependsOnLength);
  }

  /** What each layer needs to know of tokens at `positions`, `[batch or 1, seq]`. */
  contexts(
    positions: Tensor,
    dtype: DType,
    { lengths, attend, cache }: Omit<DecodingOptions, "positions"> = {},
  ): AttentionContext[] {
    const angles = this.rotaryEmb.map((rotary) => rotary.forward(positions, dtype, lengths));
    return this.layers.map((_, layer) => ({
      rotary: angles[this.#blueprint.rotaryOf?.(layer) ?? 0]!,
      attend,
      cache: cache && { kv: cache, layer },
    }));
  }

  /** The last layer's normalised output for `ids`, `[batch, seq]` int64: `[batch, seq, hiddenSize]`. */
  forward(ids: Tensor, { positions, lengths, attend = maskedAttention(), cache }: DecodingOptions = {}): Tensor {
    const seen = cache?.length ?? 0;
    const at = positions ?? arange(seen, seen + ids.size(1), { device: ids.device }).unsqueeze(0); // [1, seq]
    let x = this.embed(ids);
    const contexts = this.contexts(at, x.dtype, { lengths, attend, cache });
    for (const [index, layer] of this.layers.entries()) x = layer.forward(x, contexts[index]!);
    return this.norm.forward(x);
  }
}

/** A number as `dtype` has it, by way of float32. */
function rounded(value: number, dtype: DType): number {
  return tidy(() => tensor(value).to({ dtype }).item() as number);
}
