/** The architectures there are, by `model_type` and by the name transformers gives the class. */
import type { LayerOptions } from "../nn";
import type { CausalLM } from "./causalLm";
import type { HuggingFaceConfig } from "./config";
import { Gemma2ForCausalLM } from "./gemma2";
import { Gemma3ForCausalLM } from "./gemma3";
import { LlamaForCausalLM } from "./llama";
import { MistralForCausalLM } from "./mistral";
import { MixtralForCausalLM } from "./mixtral";
import { Phi3ForCausalLM } from "./phi3";
import { Qwen2ForCausalLM } from "./qwen2";
import { Qwen3ForCausalLM } from "./qwen3";

export interface Architecture {
  readonly modelType: string;
  readonly className: string;
  readonly Model: new (config: HuggingFaceConfig, options?: LayerOptions) => CausalLM;
}

const architectures: readonly Architecture[] = [
  { modelType: "llama", className: "LlamaForCausalLM", Model: LlamaForCausalLM },
  { modelType: "mistral", className: "MistralForCausalLM", Model: MistralForCausalLM },
  { modelType: "mixtral", className: "MixtralForCausalLM", Model: MixtralForCausalLM },
  { modelType: "qwen2", className: "Qwen2ForCausalLM", Model: Qwen2ForCausalLM },
  { modelType: "qwen3", className: "Qwen3ForCausalLM", Model: Qwen3ForCausalLM },
  { modelType: "gemma2", className: "Gemma2ForCausalLM", Model: Gemma2ForCausalLM },
  { modelType: "gemma3_text", className: "Gemma3ForCausalLM", Model: Gemma3ForCausalLM },
  { modelType: "phi3", className: "Phi3ForCausalLM", Model: Phi3ForCausalLM },
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
      `${JSON.stringify(declared) ?? "nothing"} (model_type ${JSON.stringify(modelType) ?? "not given"}); ` +
      `it is not supported${images}`,
  );
}

/** The architecture a model is of. */
export function architectureOfModel(model: CausalLM): Architecture {
  const found = architectures.find(({ Model }) => model instanceof Model);
  if (found) return found;
  throw new TypeError(`Expected a model that a config.json can declare but received a ${model.constructor.name}`);
}
