/**
 * Llama (Touvron et al., 2023) as Hugging Face's `LlamaForCausalLM`: driven by its `config.json`, with its weight
 * names. Scaled rotary embeddings are left out; the config reader refuses them.
 */
import {
  Attention,
  type AttentionContext,
  Embedding,
  type LayerOptions,
  Linear,
  type LinearLayer,
  Module,
  RmsNorm,
  RotaryEmbedding,
  type StateDict,
  SwiGlu,
} from "../nn";
import { type DType, type Tensor, arange, noGrad, ops } from "../torch";
import { CausalLM, type ForwardOptions } from "./causalLm";
import { ConfigReader, type HuggingFaceConfig, attentionShape, ropeTheta, savedDType } from "./config";

/** The entries of `config.json` that the model depends on, checked and complete. */
export interface LlamaConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  tieWordEmbeddings: boolean;
  attentionBias: boolean;
  attentionDropout: number;
  mlpBias: boolean;
  maxPositionEmbeddings: number;
  initializerRange: number;
  bosTokenId: number | undefined;
  eosTokenIds: number[];
  padTokenId: number | undefined;
  /** The dtype the weights were saved in. */
  dtype: DType | undefined;
}

/**
 * Checks a `config.json`. Absent entries have transformers' defaults, except that the sizes must be there, and that a
 * token id that is not there is none.
 */
export function parseLlamaConfig(json: HuggingFaceConfig): LlamaConfig {
  const config = new ConfigReader(json);
  config.architecture("llama", "LlamaForCausalLM");
  config.only("hidden_act", ["silu"]);
  config.only("partial_rotary_factor", [1]);
  config.only("quantization_config", []);

  return {
    vocabSize: config.size("vocab_size"),
    ...attentionShape(config),
    intermediateSize: config.size("intermediate_size"),
    numHiddenLayers: config.size("num_hidden_layers"),
    rmsNormEps: config.number("rms_norm_eps", { min: 0, fallback: 1e-6 }),
    ropeTheta: ropeTheta(config),
    tieWordEmbeddings: config.boolean("tie_word_embeddings", false),
    attentionBias: config.boolean("attention_bias", false),
    attentionDropout: config.number("attention_dropout", { min: 0, max: 1, fallback: 0 }),
    mlpBias: config.boolean("mlp_bias", false),
    maxPositionEmbeddings: config.size("max_position_embeddings", 2048),
    initializerRange: config.number("initializer_range", { min: 0, max: 1, fallback: 0.02 }),
    bosTokenId: config.tokenId("bos_token_id"),
    eosTokenIds: config.tokenIds("eos_token_id"),
    padTokenId: config.tokenId("pad_token_id"),
    dtype: savedDType(config),
  };
}

class LlamaDecoderLayer extends Module {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: Attention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: SwiGlu;

  constructor(config: LlamaConfig, options: LayerOptions) {
    super();
    const { hiddenSize, rmsNormEps: eps } = config;
    this.inputLayernorm = new RmsNorm(hiddenSize, { eps, ...options });
    this.selfAttn = new Attention({
      hiddenSize,
      numHeads: config.numAttentionHeads,
      numKeyValueHeads: config.numKeyValueHeads,
      headDim: config.headDim,
      bias: config.attentionBias,
      dropout: config.attentionDropout,
      ...options,
    });
    this.postAttentionLayernorm = new RmsNorm(hiddenSize, { eps, ...options });
    this.mlp = new SwiGlu(hiddenSize, config.intermediateSize, { bias: config.mlpBias, ...options });
  }

  /** `[batch, seq, hiddenSize]` to the same. */
  forward(x: Tensor, context: AttentionContext): Tensor {
    const attended = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), context));
    return attended.add(this.mlp.forward(this.postAttentionLayernorm.forward(attended)));
  }
}

class LlamaModel extends Module {
  readonly embedTokens: Embedding;
  readonly layers: readonly LlamaDecoderLayer[];
  readonly norm: RmsNorm;
  readonly rotaryEmb: RotaryEmbedding;

  constructor(config: LlamaConfig, options: LayerOptions) {
    super();
    this.embedTokens = new Embedding(config.vocabSize, config.hiddenSize, {
      paddingIdx: config.padTokenId,
      ...options,
    });
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new LlamaDecoderLayer(config, options));
    this.norm = new RmsNorm(config.hiddenSize, { eps: config.rmsNormEps, ...options });
    this.rotaryEmb = new RotaryEmbedding(config.headDim, { theta: config.ropeTheta, device: options.device });
  }

  forward(ids: Tensor, { positions, mask, cache }: ForwardOptions): Tensor {
    const seen = cache?.length ?? 0;
    const at = positions ?? arange(seen, seen + ids.size(1), { device: ids.device }).unsqueeze(0); // [1, seq]
    let x = this.embedTokens.forward(ids); // [batch, seq, hidden]
    const rotary = this.rotaryEmb.forward(at, x.dtype);
    for (const [layer, decoder] of this.layers.entries())
      x = decoder.forward(x, { rotary, mask, cache: cache && { kv: cache, layer } });
    return this.norm.forward(x);
  }
}

/**
 * ```ts
 * const model = new LlamaForCausalLM(JSON.parse(readFileSync("config.json", "utf8")));
 * const logits = tidy(() => model.forward(tensor([[1, 5, 3]], { dtype: "int64" }))); // [1, 3, vocabSize]
 * ```
 */
export class LlamaForCausalLM extends CausalLM {
  readonly config: LlamaConfig;
  readonly configJson: HuggingFaceConfig;
  override readonly tiedWeights: Readonly<Record<string, string>>;
  readonly model: LlamaModel;
  /** Null when the embedding's weight is also the head's. */
  readonly lmHead: LinearLayer | null;

  /** Weights are drawn from N(0, initializer_range), unless `init` is false. The dtype is float32 unless given. */
  constructor(config: HuggingFaceConfig, { generator, init = true, ...options }: LayerOptions = {}) {
    super();
    this.config = parseLlamaConfig(config);
    this.configJson = structuredClone(config);
    const { hiddenSize, vocabSize, tieWordEmbeddings } = this.config;
    this.tiedWeights = tieWordEmbeddings ? { "lm_head.weight": "model.embed_tokens.weight" } : {};
    const bare = { ...options, init: false };
    this.model = new LlamaModel(this.config, bare);
    this.lmHead = tieWordEmbeddings ? null : new Linear(hiddenSize, vocabSize, { bias: false, ...bare });
    if (init) this.initialise(generator);
  }

  hidden(ids: Tensor, options: ForwardOptions = {}): Tensor {
    return this.model.forward(ids, options);
  }

  head(hidden: Tensor): Tensor {
    return this.lmHead ? this.lmHead.forward(hidden) : ops.linear(hidden, this.model.embedTokens.weight);
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
  private initialise(generator: LayerOptions["generator"]): void {
    const std = this.config.initializerRange;
    noGrad(() => {
      for (const module of this.modules()) {
        if (module instanceof Linear) {
          module.weight.normal_(0, std, { generator });
          module.bias?.zero_();
        } else if (module instanceof Embedding) {
          module.weight.normal_(0, std, { generator });
          module.zeroPadding_();
        } else if (module instanceof RmsNorm) module.weight.fill_(1);
      }
    });
  }
}
