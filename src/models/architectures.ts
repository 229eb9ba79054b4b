/** The architectures there are, by `model_type` and by the name transformers gives the class. */
import type { LayerOptions } from "../nn";
import type { CausalLM } from "./causalLm";
import type { HuggingFaceConfig } from "./config";
import { LlamaForCausalLM } from "./llama";

export interface Architecture {
  readonly modelType: string;
  readonly className: string;
  readonly Model: new (config: HuggingFaceConfig, options?: LayerOptions) => CausalLM;
}

const architectures: readonly Architecture[] = [
  { modelType: "llama", className: "LlamaForCausalLM", Model: LlamaForCausalLM },
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
  throw new RangeError(
    `Expected ${architectures.map(({ className }) => className).join(" or ")} for 'architectures' but received ` +
      `${JSON.stringify(declared) ?? "nothing"} (model_type ${JSON.stringify(modelType) ?? "not given"}); ` +
      "it is not supported",
  );
}

/** The architecture a model is of. */
export function architectureOfModel(model: CausalLM): Architecture {
  const found = architectures.find(({ Model }) => model instanceof Model);
  if (found) return found;
  throw new TypeError(`Expected a model that a config.json can declare but received a ${model.constructor.name}`);
}
