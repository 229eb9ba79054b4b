/** What Gemma 2 and 3 share: config entries, and a layer with norms before and after attention and feed-forward. */
import {
  type Attention,
  type AttentionContext,
  type AttentionOptions,
  GatedMlp,
  type LayerOptions,
  OffsetRmsNorm,
} from "../../nn";
import type { Tensor } from "../../torch";
import type { ConfigReader } from "../config";
import { type Blueprint, DecoderLayer } from "../decoder";
import { attentionOptions, layerWindows, type TransformerConfig, transformerConfig } from "./transformer";

export interface GemmaConfig extends TransformerConfig {
  attentionBias: boolean;
  /** Scores are divided by its square root. */
  queryPreAttnScalar: number;
  /** Tokens a token sees in each layer, itself included; all before it where undefined. */
  slidingWindows: (number | undefined)[];
  /** Bends the logits into (-x, x). */
  finalLogitSoftcapping: number | undefined;
}

export const gemmaDefaults = {
  num_key_value_heads: 4,
  head_dim: 256,
  hidden_activation: "gelu_pytorch_tanh",
  tie_word_embeddings: true,
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
};

/** `slidingPattern`: one layer in so many has no window, where the config does not say which. */
export function gemmaConfig(config: ConfigReader, slidingPattern: number): Omit<GemmaConfig, "rope"> {
  config.only("use_bidirectional_attention", [false]);
  return {
    ...transformerConfig(config, "hidden_activation"),
    attentionBias: config.boolean("attention_bias", false),
    queryPreAttnScalar: config.positive("query_pre_attn_scalar") ?? gemmaDefaults.query_pre_attn_scalar,
    slidingWindows: layerWindows(config, (layer) => (layer + 1) % slidingPattern !== 0),
    finalLogitSoftcapping: config.positive("final_logit_softcapping"),
  };
}

/** What the decoder has besides its layers and rotary embeddings. */
export function gemmaBlueprint(config: GemmaConfig): Omit<Blueprint, "layer" | "rotary"> {
  const { hiddenSize, rmsNormEps: eps } = config;
  return {
    norm: (options) => new OffsetRmsNorm(hiddenSize, { eps, ...options }),
    embeddingScale: Math.sqrt(hiddenSize),
    logitSoftcap: config.finalLogitSoftcapping,
  };
}

/** The options of one layer's attention. */
export function gemmaAttention(config: GemmaConfig, index: number, options: LayerOptions): AttentionOptions {
  return {
    ...attentionOptions(config, options),
    bias: config.attentionBias,
    scale: config.queryPreAttnScalar ** -0.5,
    window: config.slidingWindows[index],
  };
}

export class GemmaLayer extends DecoderLayer {
  readonly inputLayernorm: OffsetRmsNorm;
  readonly selfAttn: Attention;
  readonly postAttentionLayernorm: OffsetRmsNorm;
  readonly preFeedforwardLayernorm: OffsetRmsNorm;
  readonly mlp: GatedMlp;
  readonly postFeedforwardLayernorm: OffsetRmsNorm;

  constructor(config: GemmaConfig, selfAttn: Attention, options: LayerOptions) {
    super();
    const { hiddenSize, intermediateSize, hiddenAct: activation, rmsNormEps: eps } = config;
    const norm = () => new OffsetRmsNorm(hiddenSize, { eps, ...options });
    this.inputLayernorm = norm();
    this.selfAttn = selfAttn;
    this.postAttentionLayernorm = norm();
    this.preFeedforwardLayernorm = norm();
    this.mlp = new GatedMlp(hiddenSize, intermediateSize, { activation, ...options });
    this.postFeedforwardLayernorm = norm();
  }

  forward(x: Tensor, context: AttentionContext): Tensor {
    const attended = this.selfAttn.forward(this.inputLayernorm.forward(x), context);
    const between = x.add(this.postAttentionLayernorm.forward(attended));
    const fed = this.mlp.forward(this.preFeedforwardLayernorm.forward(between));
    return between.add(this.postFeedforwardLayernorm.forward(fed));
  }
}
