/** Language models: architectures, loading and saving. */
export {
  type LoadAdapterOptions,
  type SaveAdapterOptions,
  adapterTensors,
  loadAdapter,
  saveAdapter,
} from "./adapter";
export { CausalLM, type ForwardOptions } from "./causalLm";
export type { HuggingFaceConfig } from "./config";
export { Decoder, type DecoderConfig, DecoderLayer } from "./decoder";
export { FolderError } from "./folderError";
export { type Gemma2Config, Gemma2ForCausalLM, parseGemma2Config } from "./architectures/gemma2";
export { type Gemma3Config, Gemma3ForCausalLM, parseGemma3Config } from "./architectures/gemma3";
export { type LlamaConfig, LlamaForCausalLM, parseLlamaConfig } from "./architectures/llama";
export { type LoadOptions, loadModel } from "./loadModel";
export { type ModelSource, type ModelSourceOptions, readAdapterJson, resolveModel } from "./modelSource";
export { type MistralConfig, MistralForCausalLM, parseMistralConfig } from "./architectures/mistral";
export { type MixtralConfig, MixtralForCausalLM, parseMixtralConfig } from "./architectures/mixtral";
export { type Phi3Config, Phi3ForCausalLM, parsePhi3Config } from "./architectures/phi3";
export { type Qwen2Config, Qwen2ForCausalLM, parseQwen2Config } from "./architectures/qwen2";
export { type Qwen3Config, Qwen3ForCausalLM, parseQwen3Config } from "./architectures/qwen3";
export { type ReadOptions, SafetensorsFile } from "./formats/safetensors/file";
export { type SaveOptions, saveModel } from "./saveModel";
