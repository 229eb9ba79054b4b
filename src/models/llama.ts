/**
 * Llama (Touvron et al., 2023) as Hugging Face's `LlamaForCausalLM`: driven by its `config.json`, with its weight
 * names. Scaled rotary embeddings are left out; the config reader refuses them.
 */
import { Attention, type AttentionContext, type LayerOptions, RmsNorm, RotaryEmbedding, SwiGlu } from "../nn";
import type { Tensor } from "../torch";
import { CausalLM } from "./causalLm";
import { ConfigReader, type HuggingFaceConfig, attentionShape, ropeTheta, savedDType } from "./config";
import { type Blueprint, type DecoderConfig, DecoderLayer } from "./decoder";

/** The entries of `config.json` that the model depends on, checked and complete. */
export interface LlamaConfig extends DecoderConfig {
  intermediateSize: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  ropeTheta: number;
  attentionBias: boolean;
  attentionDropout: number;
  mlpBias: boolean;
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

class LlamaDecoderLayer extends DecoderLayer {
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

  forward(x: Tensor, context: AttentionContext): Tensor {
    const attended = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), context));
    return attended.add(this.mlp.forward(this.postAttentionLayernorm.forward(attended)));
  }
}

/**
 * ```ts
 * const model = new LlamaForCausalLM(JSON.parse(readFileSync("config.json", "utf8")));
 * const logits = tidy(() => model.forward(tensor([[1, 5, 3]], { dtype: "int64" }))); // [1, 3, vocabSize]
 * ```
 */
export class LlamaForCausalLM extends CausalLM<LlamaConfig> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseLlamaConfig(json);
    const { headDim, ropeTheta: theta } = config;
    const blueprint: Blueprint = {
      layer: (_, layerOptions) => new LlamaDecoderLayer(config, layerOptions),
      rotary: [new RotaryEmbedding(headDim, { theta, device: options.device })],
    };
    super(json, config, blueprint, options);
  }
}
