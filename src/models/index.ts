/** Models: loading, saving, and generating with them. */
export { loadAdapter, saveAdapter } from "./adapter";
export { CausalLM, type ForwardOptions } from "./causalLm";
export type { HuggingFaceConfig } from "./config";
export { Decoder, type DecoderConfig, DecoderLayer } from "./decoder";
export { FolderError } from "./folderError";
export { type GenerateOptions, generateGreedy } from "./generate";
export { type LlamaConfig, LlamaForCausalLM, parseLlamaConfig } from "./llama";
export { type LoadOptions, loadModel } from "./loadModel";
export { type ReadOptions, SafetensorsFile } from "./safetensors";
export { type SaveOptions, saveModel } from "./saveModel";
