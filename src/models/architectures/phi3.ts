/**
 * Phi-3 and Phi-4-mini (Abdin et al., 2024): Llama's layers with fused matrices, of which only a part may turn with the
 * position. With "longrope" a text that outgrows the original context is turned by other angles as a whole: keys that
 * are cached before that must be computed anew.
 */
import { FusedAttention, FusedGatedMlp, type LayerOptions } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import type { MistralConfig } from "./mistral";
import { attentionOptions, PreNormLayer, readerOf, transformerConfig } from "./transformer";

export type Phi3Config = MistralConfig;

/** "su" and "yarn" are longrope's former names. */
const ropeKinds = { default: "default", longrope: "longrope", su: "longrope", yarn: "longrope" } as const;

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parsePhi3Config(json: HuggingFaceConfig): Phi3Config {
  const defaults = { max_position_embeddings: 4096, original_max_position_embeddings: 4096, rms_norm_eps: 1e-5 };
  const config = readerOf(json, { modelType: "phi3", className: "Phi3ForCausalLM", defaults });
  config.only("attention_bias", [false]);
  for (const key of ["resid_pdrop", "embd_pdrop"]) config.only(key, [0]);
  const entries = transformerConfig(config);
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim, { partial: true, kinds: ropeKinds }),
    slidingWindow: config.optionalSize("sliding_window"),
  };
}

export class Phi3ForCausalLM extends CausalLM<Phi3Config> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parsePhi3Config(json);
    const { hiddenSize, intermediateSize, hiddenAct: activation, slidingWindow: window } = config;
    const layer = (_: number, made: LayerOptions) =>
      new PreNormLayer(
        config,
        {
          selfAttn: new FusedAttention({ ...attentionOptions(config, made), window }),
          mlp: new FusedGatedMlp(hiddenSize, intermediateSize, { activation, ...made }),
        },
        made,
      );
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
