/** Layers: what a model is built from. */
export {
  addAdapter,
  applyLora,
  copyAdapter,
  hasAdapter,
  type LoraPlan,
  loraLayers,
  mergeAndUnload,
  planLora,
  removeAdapter,
  tensorsTrainedWhole,
  withAdapter,
  withoutAdapters,
} from "./adapters/adapters";
export { DEFAULT_ADAPTER, LoraAdapter, LoraLinear } from "./adapters/lora";
export { type LoraConfig, lora, loraRank } from "./adapters/loraConfig";
export { Attention, type AttentionContext, AttentionLayer, type AttentionOptions, FusedAttention } from "./attention";
export { type AttentionKernel, type AttentionRules, causalMask, maskedAttention } from "./attentionKernel";
export { Embedding, type EmbeddingOptions } from "./embedding";
export { type ExpertsOptions, SparseExperts } from "./experts";
export { type Activation, activations, FusedGatedMlp, GatedMlp, type GatedMlpOptions } from "./gatedMlp";
export { KvCache } from "./kvCache";
export { kaimingUniform_, Linear, LinearLayer, type LinearOptions, linearLayers } from "./linear";
export { Module, type StateDict } from "./module";
export { buffer, type LayerOptions, parameter } from "./parameter";
export { OffsetRmsNorm, RmsNorm, type RmsNormOptions } from "./rmsNorm";
export type { RopeScaling } from "./rotary";
export { applyRotary, type RotaryAngles, RotaryEmbedding, type RotaryOptions } from "./rotary";
export { DenseWeight, type Weight } from "./weights/weight";
