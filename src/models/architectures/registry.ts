/** The supported architectures, by `model_type` and by transformers' class name. */
import { shown } from "../../base/values";
import type { LayerOptions } from "../../nn";
import type { CausalLM } from "../causalLm";
import type { HuggingFaceConfig } from "../config";
import { Gemma2ForCausalLM, parseGemma2Config } from "./gemma2";
import { Gemma3ForCausalLM, parseGemma3Config } from "./gemma3";
import { LlamaForCausalLM, parseLlamaConfig } from "./llama";
import { MistralForCausalLM, parseMistralConfig } from "./mistral";
import { MixtralForCausalLM, parseMixtralConfig } from "./mixtral";
import { Phi3ForCausalLM, parsePhi3Config } from "./phi3";
import { parseQwen2Config, Qwen2ForCausalLM } from "./qwen2";
import { parseQwen3Config, Qwen3ForCausalLM } from "./qwen3";
import type { TransformerConfig } from "./transformer";

export interface Architecture {
  readonly modelType: string;
  readonly className: string;
  /** Checks a `config.json`. */
  readonly parse: (config: HuggingFaceConfig) => TransformerConfig;
  readonly Model: new (config: HuggingFaceConfig, options?: LayerOptions) => CausalLM;
}

const architectures: readonly Architecture[] = [
  { modelType: "llama", className: "LlamaForCausalLM", parse: parseLlamaConfig, Model: LlamaForCausalLM },
  { modelType: "mistral", className: "MistralForCausalLM", parse: parseMistralConfig, Model: MistralForCausalLM },
  { modelType: "mixtral", className: "MixtralForCausalLM", parse: parseMixtralConfig, Model: MixtralForCausalLM },
  { modelType: "qwen2", className: "Qwen2ForCausalLM", parse: parseQwen2Config, Model: Qwen2ForCausalLM },
  { modelType: "qwen3", className: "Qwen3ForCausalLM", parse: parseQwen3Config, Model: Qwen3ForCausalLM },
  { modelType: "gemma2", className: "Gemma2ForCausalLM", parse: parseGemma2Config, Model: Gemma2ForCausalLM },
  { modelType: "gemma3_text", className: "Gemma3ForCausalLM", parse: parseGemma3Config, Model: Gemma3ForCausalLM },
  { modelType: "phi3", className: "Phi3ForCausalLM", parse: parsePhi3Config, Model: Phi3ForCausalLM },
];

/** The architecture a `config.json` declares. */
export function architectureOf(config: HuggingFaceConfig): Architecture {
  const { architectures: declared, model_type: modelType } = config;
  const names: readonly unknown[] = Array.isArray(declared) ? declared : [];
  const found =
    names.length > 0
      ? architectures.find(({ className }) => names.includes(className))
      : architectures.find((architecture) => architecture.modelType === modelType);
  if (found) return found;
  const images = names.includes("Gemma3ForConditionalGeneration")
    ? ": it reads images too. Save its text part alone, as Gemma3ForCausalLM, with transformers"
    : "";
  throw new RangeError(
    `Expected ${architectures.map(({ className }) => className).join(" or ")} for 'architectures' but received ` +
      `${shown(declared, 200)} (model_type ${modelType === undefined ? "not given" : shown(modelType, 200)}); ` +
      `it is not supported${images}`,
  );
}

/** The architecture a model is of. */
export function architectureOfModel(model: CausalLM): Architecture {
  const found = architectures.find(({ Model }) => model instanceof Model);
  if (found) return found;
  throw new TypeError(`Expected a model that a config.json can declare but received a ${model.constructor.name}`);
}
