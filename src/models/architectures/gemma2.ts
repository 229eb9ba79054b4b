/** Gemma 2 (Gemma Team, 2024): windows in every other layer; scores and logits are bent into a range. */
import { Attention, type LayerOptions } from "../../nn";
import { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { ropeOf, rotary } from "../rope";
import { type GemmaConfig, GemmaLayer, gemmaAttention, gemmaBlueprint, gemmaConfig, gemmaDefaults } from "./gemma";
import { readerOf } from "./transformer";

export interface Gemma2Config extends GemmaConfig {
  /** Bends the scores into (-x, x). */
  attnLogitSoftcapping: number | undefined;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseGemma2Config(json: HuggingFaceConfig): Gemma2Config {
  const defaults = {
    ...gemmaDefaults,
    max_position_embeddings: 8192,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  };
  const config = readerOf(json, { modelType: "gemma2", className: "Gemma2ForCausalLM", defaults });
  const entries = gemmaConfig(config, 2);
  return {
    ...entries,
    rope: ropeOf(config, entries.headDim),
    attnLogitSoftcapping: config.positive("attn_logit_softcapping"),
  };
}

export class Gemma2ForCausalLM extends CausalLM<Gemma2Config> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseGemma2Config(json);
    const softcap = config.attnLogitSoftcapping;
    const layer = (index: number, made: LayerOptions) =>
      new GemmaLayer(config, new Attention({ ...gemmaAttention(config, index, made), softcap }), made);
    super(json, config, { ...gemmaBlueprint(config), layer, rotary: [rotary(config.rope, options)] }, options);
  }
}
