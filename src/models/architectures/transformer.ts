/**
 * What the architectures here have in common beyond the decoder: the entries of `config.json` for attention and
 * feed-forward layers, which layers have a window, and the layer of Llama, which most of them are built of.
 */
import {
  type Activation,
  type AttentionContext,
  type AttentionLayer,
  type AttentionOptions,
  activations,
  type LayerOptions,
  type Module,
  RmsNorm,
} from "../../nn";
import type { Tensor } from "../../torch";
import { ConfigReader, type HuggingFaceConfig, savedDType } from "../config";
import { type DecoderConfig, DecoderLayer } from "../decoder";
import type { RopeConfig } from "../rope";

/** Entries that every architecture here has, checked and complete. */
export interface TransformerConfig extends DecoderConfig {
  intermediateSize: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  hiddenAct: Activation;
  attentionDropout: number;
  rope: RopeConfig;
}

/** A model class of transformers. */
export interface ModelClass {
  modelType: string;
  className: string;
  /** The class's values for absent keys. Sizes must be present; an absent token id means none. */
  defaults: HuggingFaceConfig;
}

/** Factors of other architectures, which transformers would not apply here. */
const foreignFactors = ["attention_multiplier", "embedding_multiplier", "logit_scale", "logits_scaling", "residual_multiplier"];

/** A reader of a config that must be of this class, and must not be quantised. */
export function readerOf(json: HuggingFaceConfig, { modelType, className, defaults }: ModelClass): ConfigReader {
  const config = new ConfigReader(json, { defaults });
  config.architecture(modelType, className);
  config.only("quantization_config", []);
  for (const key of foreignFactors) config.only(key, [1]);
  return config;
}

export function transformerConfig(config: ConfigReader, activationKey = "hidden_act"): Omit<TransformerConfig, "rope"> {
  return {
    vocabSize: config.size("vocab_size"),
    ...attentionShape(config),
    intermediateSize: config.size("intermediate_size"),
    hiddenAct: config.choice(activationKey, Object.keys(activations) as Activation[], "silu"),
    attentionDropout: config.number("attention_dropout", { min: 0, max: 1, fallback: 0 }),
    numHiddenLayers: config.size("num_hidden_layers"),
    rmsNormEps: config.number("rms_norm_eps", { min: 0, fallback: 1e-6 }),
    tieWordEmbeddings: config.boolean("tie_word_embeddings", false),
    maxPositionEmbeddings: config.size("max_position_embeddings"),
    initializerRange: config.number("initializer_range", { min: 0, max: 1, fallback: 0.02 }),
    bosTokenId: config.tokenId("bos_token_id"),
    eosTokenIds: config.tokenIds("eos_token_id"),
    padTokenId: config.tokenId("pad_token_id"),
    dtype: savedDType(config),
  };
}

/** The sizes of attention, which must fit each other. */
function attentionShape(config: ConfigReader) {
  const hiddenSize = config.size("hidden_size");
  const heads = config.size("num_attention_heads");
  const numKeyValueHeads = config.size("num_key_value_heads", heads);
  if (!config.has("head_dim") && hiddenSize % heads !== 0)
    throw new RangeError(
      `Expected a multiple of num_attention_heads (${heads}) for 'hidden_size' but received ${hiddenSize}; ` +
        "or give 'head_dim'",
    );
  if (heads % numKeyValueHeads !== 0)
    throw new RangeError(
      `Expected a divisor of num_attention_heads (${heads}) for 'num_key_value_heads' but received ${numKeyValueHeads}`,
    );
  const headDim = config.size("head_dim", hiddenSize / heads);
  if (headDim % 2 !== 0) throw new RangeError(`Expected an even number for 'head_dim' but received ${headDim}`);
  return { hiddenSize, numAttentionHeads: heads, numKeyValueHeads, headDim };
}

const FULL = "full_attention";
const SLIDING = "sliding_attention";

/**
 * The sliding window of each layer, or undefined: `layer_types` says which layers have one, or when it is not there,
 * `slides` of a layer's index.
 */
export function layerWindows(config: ConfigReader, slides: (layer: number) => boolean): (number | undefined)[] {
  const layers = config.size("num_hidden_layers");
  const byRule = () => Array.from({ length: layers }, (_, layer) => (slides(layer) ? SLIDING : FULL));
  const types = config.has("layer_types") ? config.choices("layer_types", [FULL, SLIDING], layers) : byRule();
  return types.map((type) => (type === SLIDING ? config.size("sliding_window") : undefined));
}

/** The options of a layer's attention that follow from the config alone. */
export function attentionOptions(config: TransformerConfig, options: LayerOptions): AttentionOptions {
  return {
    hiddenSize: config.hiddenSize,
    numHeads: config.numAttentionHeads,
    numKeyValueHeads: config.numKeyValueHeads,
    headDim: config.headDim,
    dropout: config.attentionDropout,
    ...options,
  };
}

/** A feed-forward layer: `[batch, seq, hiddenSize]` to the same. */
export type FeedForward = Module & { forward(x: Tensor): Tensor };

/** Llama's layer: a norm before attention, one before the feed-forward layer, and a sum after each. */
export class PreNormLayer extends DecoderLayer {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: AttentionLayer;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: FeedForward;

  constructor(
    { hiddenSize, rmsNormEps: eps }: TransformerConfig,
    { selfAttn, mlp }: { selfAttn: AttentionLayer; mlp: FeedForward },
    options: LayerOptions,
  ) {
    super();
    this.inputLayernorm = new RmsNorm(hiddenSize, { eps, ...options });
    this.selfAttn = selfAttn;
    this.postAttentionLayernorm = new RmsNorm(hiddenSize, { eps, ...options });
    this.mlp = mlp;
  }

  forward(x: Tensor, context: AttentionContext): Tensor {
    const attended = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), context));
    return attended.add(this.mlp.forward(this.postAttentionLayernorm.forward(attended)));
  }
}
