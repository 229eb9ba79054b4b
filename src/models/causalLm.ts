/**
 * A language model: a decoder and a head that scores the next token. Training and generation use the same interface
 * for every architecture. Body and head are separate, so that the head runs only where a token is predicted.
 */
import { received } from "../base/values";
import type { RepoName } from "../hub";
import {
  type AttentionKernel,
  DenseWeight,
  Embedding,
  type KvCache,
  type LayerOptions,
  Linear,
  type LinearLayer,
  linearLayers,
  Module,
  maskedAttention,
  RmsNorm,
  type StateDict,
  type Weight,
} from "../nn";
import { type Device, type DType, noGrad, ops, type Tensor } from "../torch";
import type { HuggingFaceConfig } from "./config";
import { type Blueprint, Decoder, type DecoderConfig } from "./decoder";

export interface ForwardOptions {
  /** Position of each token, `[batch or 1, seq]` int64; counted on from the cache when left out. May restart. */
  positions?: Tensor;
  /**
   * Tokens of the text each token is in, `[batch or 1, seq]`. Only "dynamic" and "longrope" scaling ask for it; left
   * out, all texts are as long as the longest position of the call says, as in transformers.
   */
  lengths?: Tensor;
  /**
   * Which keys each query sees, instead of all up to its own: true where it may, broadcasting to
   * `[batch, heads, seq, keys]`, or floating-point and added to the scores. Keys count the cached ones.
   */
  mask?: Tensor;
  /** Instead of a mask: how queries meet keys, for tokens in another layout. */
  attend?: AttentionKernel;
  /** Takes the tokens' keys and values, after those it holds. */
  cache?: KvCache;
}

export abstract class CausalLM<Config extends DecoderConfig = DecoderConfig> extends Module {
  /** `config.json` as it was given; `saveModel` writes it out again. */
  readonly configJson: HuggingFaceConfig;
  readonly model: Decoder;
  /** Null when the embedding's weight is also the head's. */
  readonly lmHead: LinearLayer | null;
  /** Tied weights (copy: original). A folder may hold either, or both if equal. */
  readonly tiedWeights: Readonly<Record<string, string>>;
  /** Bends each logit into (-logitSoftcap, logitSoftcap): logitSoftcap tanh(logit / logitSoftcap). */
  readonly logitSoftcap: number | undefined;
  /** The folder or file the weights came from. */
  folder: string | undefined;
  /** What it is on the hub, if it came from there. */
  hub: RepoName | undefined;
  /** The folder the adapter was loaded from. Its tokenizer and chat template take precedence over the model's. */
  adapterFolder: string | undefined;

  /** Weights are drawn from N(0, initializerRange), unless `init` is false. The dtype is float32 unless given. */
  constructor(
    json: HuggingFaceConfig,
    readonly config: Config,
    blueprint: Blueprint,
    { generator, init = true, ...options }: LayerOptions = {},
  ) {
    super();
    this.configJson = structuredClone(json);
    const { hiddenSize, vocabSize, tieWordEmbeddings } = config;
    this.tiedWeights = tieWordEmbeddings ? { "lm_head.weight": "model.embed_tokens.weight" } : {};
    this.logitSoftcap = blueprint.logitSoftcap;
    const bare = { ...options, init: false };
    this.model = new Decoder(config, blueprint, bare);
    this.lmHead = tieWordEmbeddings ? null : new Linear(hiddenSize, vocabSize, { bias: false, ...bare });
    if (init) noGrad(() => this.initialise(generator));
  }

  /** The last layer's normalised output for `ids`, `[batch, seq]` int64: `[batch, seq, hiddenSize]`. */
  hidden(ids: Tensor, { mask, attend = maskedAttention(mask), ...options }: ForwardOptions = {}): Tensor {
    return this.model.forward(ids, { attend, ...options });
  }

  /** The device that the model is on. */
  get device(): Device {
    return this.model.embedTokens.weight.device;
  }

  /** The dtype that it computes in. */
  get dtype(): DType {
    return this.model.embedTokens.weight.dtype;
  }

  /** The layers that multiply by a matrix of their own, by name. Of an adapted layer: its base, and the adapter's factors. */
  linearLayers(): Iterable<[name: string, layer: LinearLayer]> {
    return linearLayers(this);
  }

  /** Scores of every next token for rows of `hidden`: `[..., hiddenSize]` to `[..., vocabSize]`. */
  head(hidden: Tensor): Tensor {
    const { lmHead, logitSoftcap: cap } = this;
    const logits = lmHead ? lmHead.forward(hidden) : this.embeddingMatrix.multiply(hidden);
    return cap === undefined ? logits : logits.div(cap).tanh().mul(cap);
  }

  /**
   * The matrix of the head, `[vocabSize, hiddenSize]`: its logits are `hidden W^T`, then bent by `logitSoftcap`.
   * Undefined when the head is more than that (adapted, say): then only `head` gives the logits.
   */
  get headWeight(): Weight | undefined {
    if (!this.lmHead) return this.embeddingMatrix;
    return this.lmHead instanceof Linear && !this.lmHead.bias ? this.lmHead.matrix : undefined;
  }

  private get embeddingMatrix(): Weight {
    return new DenseWeight(this.model.embedTokens.weight);
  }

  /** `ids`, `[batch, seq]` int64, to logits `[batch, seq, vocabSize]`. */
  forward(ids: Tensor, options?: ForwardOptions): Tensor {
    return this.head(this.hidden(ids, options));
  }

  /** Some folders with tied weights hold the head as well; it must then be the embedding. */
  override loadStateDict(dict: StateDict, options?: { strict?: boolean }): { missing: string[]; unexpected: string[] } {
    const { "lm_head.weight": head, ...rest } = dict;
    const embedding = rest["model.embed_tokens.weight"];
    if (!this.config.tieWordEmbeddings || !head || !embedding) return super.loadStateDict(dict, options);
    if (!ops.equal(head, embedding))
      throw new RangeError(
        "Expected 'lm_head.weight' to equal 'model.embed_tokens.weight' but received another tensor; " +
          "tie_word_embeddings is true",
      );
    return super.loadStateDict(rest, options);
  }

  /** transformers' `_init_weights`. */
  protected initialise(generator: LayerOptions["generator"]): void {
    const std = this.config.initializerRange;
    for (const module of this.modules()) {
      if (module instanceof Linear) {
        module.weight.normal_(0, std, { generator });
        module.bias?.zero_();
      } else if (module instanceof Embedding) {
        module.weight.normal_(0, std, { generator });
        module.zeroPadding_();
      } else if (module instanceof RmsNorm) module.reset_();
    }
  }
}

/**
 * Throws unless `value` is a model. If it is a folder's name, the message says how to load it.
 *
 * @throws TypeError
 */
export function expectModel(value: unknown, name = "model"): asserts value is CausalLM {
  if (value instanceof CausalLM) return;
  const way = typeof value === "string" ? `; load it with await loadModel(${JSON.stringify(value)})` : "";
  throw new TypeError(`Expected a model for '${name}' but received ${received(value)}${way}`);
}
