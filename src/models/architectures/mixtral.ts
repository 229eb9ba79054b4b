/** Mixtral (Jiang et al., 2024): Mistral with sparse experts in the place of the feed-forward layer. */
import { Attention, type LayerOptions, SparseExperts } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import type { MistralConfig } from "./mistral";
import { attentionOptions, PreNormLayer, readerOf, transformerConfig } from "./transformer";

export interface MixtralConfig extends MistralConfig {
  numLocalExperts: number;
  numExpertsPerTok: number;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseMixtralConfig(json: HuggingFaceConfig): MixtralConfig {
  const config = readerOf(json, {
    modelType: "mixtral",
    className: "MixtralForCausalLM",
    defaults: {
      num_key_value_heads: 8,
      max_position_embeddings: 131_072,
      rms_norm_eps: 1e-5,
      rope_theta: 1e6,
      num_local_experts: 8,
      num_experts_per_tok: 2,
    },
  });
  config.only("attention_bias", [false]);
  config.only("router_jitter_noise", [0]);
  config.only("output_router_logits", [false]); // would add the balancing loss to training
  const entries = transformerConfig(config);
  const numLocalExperts = config.size("num_local_experts");
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim),
    slidingWindow: config.optionalSize("sliding_window"),
    numLocalExperts,
    numExpertsPerTok: config.sizeUpTo("num_experts_per_tok", numLocalExperts),
  };
}

class MixtralLayer extends PreNormLayer {
  protected override keyOf(field: string): string {
    return field === "mlp" ? "block_sparse_moe" : super.keyOf(field);
  }
}

export class MixtralForCausalLM extends CausalLM<MixtralConfig> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseMixtralConfig(json);
    const { hiddenSize, intermediateSize, hiddenAct: activation, slidingWindow: window } = config;
    const experts = { activation, numExperts: config.numLocalExperts, expertsPerToken: config.numExpertsPerTok };
    const layer = (_: number, made: LayerOptions) =>
      new MixtralLayer(
        config,
        {
          selfAttn: new Attention({ ...attentionOptions(config, made), window }),
          mlp: new SparseExperts(hiddenSize, intermediateSize, { ...experts, ...made }),
        },
        made,
      );
    super(json, config, { layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
