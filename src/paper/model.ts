/** The experiment's model: a small Llama, its weights drawn from the seed or copied from another. */

import { type CausalLM, type HuggingFaceConfig, LlamaForCausalLM } from "../models";
import { type Device, Generator, tidy } from "../torch";
import type { Settings } from "./settings";

/** The `config.json` of the shape. */
export function modelConfig(settings: Settings["model"], vocabularySize: number): HuggingFaceConfig {
  return {
    model_type: "llama",
    vocab_size: vocabularySize,
    hidden_size: settings.hiddenSize,
    intermediate_size: settings.intermediateSize,
    num_hidden_layers: settings.layers,
    num_attention_heads: settings.heads,
    rope_theta: settings.ropeTheta,
    initializer_range: settings.initializerRange,
    tie_word_embeddings: true,
  };
}

/** A model with random weights, the same on every device; the caller disposes it. */
export function createModel(config: HuggingFaceConfig, seed: number, device: Device = "cpu"): LlamaForCausalLM {
  const generator = new Generator().manualSeed(seed);
  try {
    return new LlamaForCausalLM(config, { generator }).to({ device });
  } finally {
    generator.dispose();
  }
}

/** A model with the weights of another of the same configuration; the caller disposes it. */
export function copyModel(config: HuggingFaceConfig, source: CausalLM): LlamaForCausalLM {
  const copy = new LlamaForCausalLM(config, { init: false, device: deviceOf(source) });
  tidy(() => copy.loadStateDict(source.stateDict()));
  return copy;
}

export function deviceOf(model: CausalLM): Device {
  return model.device;
}

/** Number of weights. */
export function countWeights(model: LlamaForCausalLM): number {
  return [...model.parameters()].reduce((total, parameter) => total + parameter.numel(), 0);
}
