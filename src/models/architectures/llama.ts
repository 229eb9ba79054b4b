/** Llama (Touvron et al., 2023), all versions, and the many models that are of its class (SmolLM2, Yi, ...). */
import { Attention, GatedMlp, type LayerOptions } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import { attentionOptions, PreNormLayer, readerOf, type TransformerConfig, transformerConfig } from "./transformer";

export interface LlamaConfig extends TransformerConfig {
  attentionBias: boolean;
  mlpBias: boolean;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseLlamaConfig(json: HuggingFaceConfig): LlamaConfig {
  const defaults = { max_position_embeddings: 2048 };
  const config = readerOf(json, { modelType: "llama", className: "LlamaForCausalLM", defaults });
  const entries = transformerConfig(config);
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim),
    attentionBias: config.boolean("attention_bias", false),
    mlpBias: config.boolean("mlp_bias", false),
  };
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
    const { hiddenSize, intermediateSize, hiddenAct: activation, attentionBias, mlpBias } = config;
    const layer = (_: number, made: LayerOptions) =>
      new PreNormLayer(
        config,
        {
          selfAttn: new Attention({ ...attentionOptions(config, made), bias: attentionBias }),
          mlp: new GatedMlp(hiddenSize, intermediateSize, { activation, bias: mlpBias, ...made }),
        },
        made,
      );
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
