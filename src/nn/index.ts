/** Layers: what a model is built from. */
export {
  type LoraPlan,
  addAdapter,
  applyLora,
  copyAdapter,
  hasAdapter,
  loraLayers,
  mergeAndUnload,
  planLora,
  removeAdapter,
  tensorsTrainedWhole,
  withAdapter,
  withoutAdapters,
} from "./adapters/adapters";
export { type Activation, activations } from "./gatedMlp";
export { Attention, type AttentionContext, AttentionLayer, type AttentionOptions, FusedAttention } from "./attention";
export { type AttentionKernel, type AttentionRules, causalMask, maskedAttention } from "./attentionKernel";
export { Embedding, type EmbeddingOptions } from "./embedding";
export { type ExpertsOptions, SparseExperts } from "./experts";
export { KvCache } from "./kvCache";
export { Linear, LinearLayer, type LinearOptions, kaimingUniform_, linearLayers } from "./linear";
export { DEFAULT_ADAPTER, LoraAdapter, LoraLinear } from "./adapters/lora";
export { type LoraConfig, lora, loraRank } from "./adapters/loraConfig";
export { Module, type StateDict } from "./module";
export { type LayerOptions, buffer, parameter } from "./parameter";
export { OffsetRmsNorm, RmsNorm, type RmsNormOptions } from "./rmsNorm";
export type { RopeScaling } from "./rotary";
export { type RotaryAngles, RotaryEmbedding, type RotaryOptions, applyRotary } from "./rotary";
export { FusedGatedMlp, GatedMlp, type GatedMlpOptions } from "./gatedMlp";
export { DenseWeight, type Weight } from "./weights/weight";
