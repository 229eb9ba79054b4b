/** Layers: what a model is built from. */
export { Attention, type AttentionContext, type AttentionOptions } from "./attention";
export { type AttentionKernel, type AttentionRules, causalMask, maskedAttention } from "./attentionKernel";
export { Embedding, type EmbeddingOptions } from "./embedding";
export { KvCache } from "./kvCache";
export { Linear, LinearLayer, type LinearOptions, kaimingUniform_ } from "./linear";
export {
  type LoraConfig,
  LoraLinear,
  applyLora,
  lora,
  loraLayers,
  loraRank,
  loraTargets,
  withoutAdapters,
} from "./lora";
export { Module, type StateDict } from "./module";
export { type LayerOptions, buffer, parameter } from "./parameter";
export { RmsNorm, type RmsNormOptions } from "./rmsNorm";
export { type RotaryAngles, RotaryEmbedding, applyRotary } from "./rotary";
export { SwiGlu } from "./swiglu";
