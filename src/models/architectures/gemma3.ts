/**
 * Gemma 3 (Gemma Team, 2025), the text model: norms of queries and keys; five layers of six have a window, and rotary
 * angles of their own. The model that reads images too is left out.
 */
import { Attention, type LayerOptions, OffsetRmsNorm } from "../../nn";
import { CausalLM } from "../causalLm";
import type { ConfigReader, HuggingFaceConfig } from "../config";
import { type RopeConfig, ropeFrom, rotary } from "../rope";
import { type GemmaConfig, GemmaLayer, gemmaAttention, gemmaBlueprint, gemmaConfig, gemmaDefaults } from "./gemma";
import { readerOf } from "./transformer";

export interface Gemma3Config extends GemmaConfig {
  /** The rotary angles of layers with a window; `rope` has those of the others. */
  localRope: RopeConfig;
}

/** Checks a `config.json`. Absent entries have transformers' defaults. */
export function parseGemma3Config(json: HuggingFaceConfig): Gemma3Config {
  const defaults = {
    ...gemmaDefaults,
    max_position_embeddings: 131_072,
    sliding_window_pattern: 6,
    rope_theta: 1e6,
    rope_local_base_freq: 10_000,
  };
  const config = readerOf(json, { modelType: "gemma3_text", className: "Gemma3ForCausalLM", defaults });
  config.only("attn_logit_softcapping", []); // in the config, but not in transformers' model
  const entries = gemmaConfig(config, config.size("sliding_window_pattern"));
  return { ...entries, ...gemmaRopes(config, entries.headDim) };
}

/** Transformers 5 has one object for each kind of layer, 4 a `rope_scaling` for those without a window. */
function gemmaRopes(config: ConfigReader, headDim: number): { rope: RopeConfig; localRope: RopeConfig } {
  const byKind = config.objectOrNone("rope_parameters");
  for (const key of ["rope_type", "type", "rope_theta"]) byKind.only(key, []); // one object for all layers
  const global = byKind.objectOrNone("full_attention", config.objectOrNone("rope_scaling"));
  const local = byKind.objectOrNone("sliding_attention");
  const ropeWith = (entries: ConfigReader, thetaKey: string) =>
    ropeFrom(entries, { config, headDim, theta: config.number(thetaKey, { min: 1 }) });
  return { rope: ropeWith(global, "rope_theta"), localRope: ropeWith(local, "rope_local_base_freq") };
}

export class Gemma3ForCausalLM extends CausalLM<Gemma3Config> {
  constructor(json: HuggingFaceConfig, options: LayerOptions = {}) {
    const config = parseGemma3Config(json);
    const { rmsNormEps: eps, slidingWindows } = config;
    const layer = (index: number, made: LayerOptions) => {
      const headNorm = (headDim: number) => new OffsetRmsNorm(headDim, { eps, ...made });
      return new GemmaLayer(config, new Attention({ ...gemmaAttention(config, index, made), headNorm }), made);
    };
    const blueprint = {
      ...gemmaBlueprint(config),
      layer,
      rotary: [rotary(config.rope, options), rotary(config.localRope, options)],
      rotaryOf: (index: number) => (slidingWindows[index] === undefined ? 0 : 1),
    };
    super(json, config, blueprint, options);
  }
}
