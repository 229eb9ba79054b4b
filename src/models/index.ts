/** Models, and generating with them. */
export { CausalLM, type ForwardOptions } from "./causalLm";
export type { HuggingFaceConfig } from "./config";
export { type GenerateOptions, generateGreedy } from "./generate";
export { type LlamaConfig, LlamaForCausalLM, parseLlamaConfig } from "./llama";
