/** Qwen3 (Yang et al., 2025), dense: Qwen2 with norms of queries and keys in the place of biases. */
import { Attention, GatedMlp, type LayerOptions, RmsNorm } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import { type Qwen2Config, qwenDefaults, qwenWindows } from "./qwen2";
import { attentionOptions, PreNormLayer, readerOf, transformerConfig } from "./transformer";

export interface Qwen3Config extends Qwen2Config {
  attentionBias: boolean;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseQwen3Config(json: HuggingFaceConfig): Qwen3Config {
  const defaults = { ...qwenDefaults, head_dim: 128 };
  const config = readerOf(json, { modelType: "qwen3", className: "Qwen3ForCausalLM", defaults });
  const entries = transformerConfig(config);
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim),
    slidingWindows: qwenWindows(config),
    attentionBias: config.boolean("attention_bias", false),
  };
}

export class Qwen3ForCausalLM extends CausalLM<Qwen3Config> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseQwen3Config(json);
    const { hiddenSize, intermediateSize, hiddenAct: activation, rmsNormEps: eps, slidingWindows } = config;
    const layer = (index: number, made: LayerOptions) => {
      const selfAttn = new Attention({
        ...attentionOptions(config, made),
        bias: config.attentionBias,
        window: slidingWindows[index],
        headNorm: (headDim) => new RmsNorm(headDim, { eps, ...made }),
      });
      const mlp = new GatedMlp(hiddenSize, intermediateSize, { activation, ...made });
      return new PreNormLayer(config, { selfAttn, mlp }, made);
    };
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
