/** Mistral (Jiang et al., 2023): Llama's layers, each token seeing a window of those before it. */
import { Attention, GatedMlp, type LayerOptions } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import { attentionOptions, PreNormLayer, readerOf, type TransformerConfig, transformerConfig } from "./transformer";

export interface MistralConfig extends TransformerConfig {
  /** Tokens a token sees, itself included; all before it when undefined. */
  slidingWindow: number | undefined;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseMistralConfig(json: HuggingFaceConfig): MistralConfig {
  const defaults = { num_key_value_heads: 8, max_position_embeddings: 131_072, sliding_window: 4096 };
  const config = readerOf(json, { modelType: "mistral", className: "MistralForCausalLM", defaults });
  config.only("attention_bias", [false]);
  config.only("layer_types", []);
  const entries = transformerConfig(config);
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim),
    slidingWindow: config.optionalSize("sliding_window"),
  };
}

export class MistralForCausalLM extends CausalLM<MistralConfig> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseMistralConfig(json);
    const { hiddenSize, intermediateSize, hiddenAct: activation, slidingWindow: window } = config;
    const layer = (_: number, made: LayerOptions) =>
      new PreNormLayer(
        config,
        {
          selfAttn: new Attention({ ...attentionOptions(config, made), window }),
          mlp: new GatedMlp(hiddenSize, intermediateSize, { activation, ...made }),
        },
        made,
      );
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
