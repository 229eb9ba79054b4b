/** Qwen2 and Qwen2.5 (Yang et al., 2024): Llama's layers with biases of queries, keys and values. */
import { Attention, GatedMlp, type LayerOptions } from "../../nn";
import { CausalLM } from "../causalLm";
import type { ConfigReader, HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import { attentionOptions, layerWindows, PreNormLayer, readerOf, type TransformerConfig, transformerConfig } from "./transformer";

export interface Qwen2Config extends TransformerConfig {
  /** Tokens a token sees in each layer, itself included; all before it where undefined. */
  slidingWindows: (number | undefined)[];
}

export const qwenDefaults = {
  num_key_value_heads: 32,
  max_position_embeddings: 32_768,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseQwen2Config(json: HuggingFaceConfig): Qwen2Config {
  const config = readerOf(json, { modelType: "qwen2", className: "Qwen2ForCausalLM", defaults: qwenDefaults });
  const entries = transformerConfig(config);
  return { ...entries, rope: ropeOf(config, entries.headDim), slidingWindows: qwenWindows(config) };
}

/** Layers from `max_window_layers` on have a window, if windows are used at all. */
export function qwenWindows(config: ConfigReader): (number | undefined)[] {
  const inUse = config.boolean("use_sliding_window", false) && config.has("sliding_window");
  const first = config.number("max_window_layers", { min: 0 });
  const windows = layerWindows(config, (layer) => inUse && layer >= first);
  return windows.map((window) => (inUse ? window : undefined));
}

export class Qwen2ForCausalLM extends CausalLM<Qwen2Config> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseQwen2Config(json);
    const { hiddenSize, intermediateSize, hiddenAct: activation, slidingWindows } = config;
    const layer = (index: number, made: LayerOptions) => {
      const window = slidingWindows[index];
      const selfAttn = new Attention({ ...attentionOptions(config, made), window, bias: true, outputBias: false });
      const mlp = new GatedMlp(hiddenSize, intermediateSize, { activation, ...made });
      return new PreNormLayer(config, { selfAttn, mlp }, made);
    };
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
