/** Language models: architectures, loading and saving. */
export {
  adapterTensors,
  type LoadAdapterOptions,
  loadAdapter,
  type SaveAdapterOptions,
  saveAdapter,
} from "./adapter";
export { type Gemma2Config, Gemma2ForCausalLM, parseGemma2Config } from "./architectures/gemma2";
export { type Gemma3Config, Gemma3ForCausalLM, parseGemma3Config } from "./architectures/gemma3";
export { type LlamaConfig, LlamaForCausalLM, parseLlamaConfig } from "./architectures/llama";
export { type MistralConfig, MistralForCausalLM, parseMistralConfig } from "./architectures/mistral";
export { type MixtralConfig, MixtralForCausalLM, parseMixtralConfig } from "./architectures/mixtral";
export { type Phi3Config, Phi3ForCausalLM, parsePhi3Config } from "./architectures/phi3";
export { parseQwen2Config, type Qwen2Config, Qwen2ForCausalLM } from "./architectures/qwen2";
export { parseQwen3Config, type Qwen3Config, Qwen3ForCausalLM } from "./architectures/qwen3";
export { CausalLM, type ForwardOptions } from "./causalLm";
export type { HuggingFaceConfig } from "./config";
export { Decoder, type DecoderConfig, DecoderLayer } from "./decoder";
export { FolderError } from "./folder";
export { type ReadOptions, SafetensorsFile } from "./formats/safetensors/file";
export { type LoadOptions, loadModel } from "./loadModel";
export { type ModelSource, type ModelSourceOptions, readAdapterJson, resolveModel } from "./modelSource";
export { type SaveOptions, saveModel } from "./saveModel";
