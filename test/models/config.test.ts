import { describe, expect, test } from "vitest";
import {
  type HuggingFaceConfig,
  parseGemma2Config,
  parseGemma3Config,
  parseLlamaConfig,
  parseMistralConfig,
  parseMixtralConfig,
  parsePhi3Config,
  parseQwen2Config,
  parseQwen3Config,
} from "../../src/models";
import { architectureOf } from "../../src/models/architectures/registry";
import { configText } from "../../src/models/config";

const sizes = { vocab_size: 11, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 4 };

test("what is left out has transformers' defaults", () => {
  expect(parseLlamaConfig(sizes)).toEqual({
    vocabSize: 11,
    hiddenSize: 8,
    intermediateSize: 12,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 4,
    headDim: 2,
    rmsNormEps: 1e-6,
    hiddenAct: "silu",
    rope: { theta: 10_000, dim: 2, scaling: undefined },
    tieWordEmbeddings: false,
    attentionBias: false,
    attentionDropout: 0,
    mlpBias: false,
    maxPositionEmbeddings: 2048,
    initializerRange: 0.02,
    bosTokenId: undefined,
    eosTokenIds: [],
    padTokenId: undefined,
    dtype: undefined,
  });
});

describe("both generations of transformers", () => {
  test.each([
    { rope_theta: 500, rope_scaling: null, torch_dtype: "bfloat16" },
    { rope_parameters: { rope_theta: 500, rope_type: "default" }, dtype: "bfloat16" },
    { rope_parameters: { rope_type: "default" }, rope_theta: 500, dtype: "bfloat16", torch_dtype: "float16" },
    { rope_parameters: { rope_theta: 500, rope_type: "default" }, rope_theta: 7, dtype: "bfloat16" },
    { rope_scaling: { type: "default", rope_theta: 500 }, torch_dtype: "bfloat16" },
  ])("%o", (keys) => {
    expect(parseLlamaConfig({ ...sizes, ...keys })).toMatchObject({ rope: { theta: 500 }, dtype: "bfloat16" });
  });

  test("one end of text or several", () => {
    expect(parseLlamaConfig({ ...sizes, eos_token_id: 2 }).eosTokenIds).toEqual([2]);
    expect(parseLlamaConfig({ ...sizes, eos_token_id: [2, 3] }).eosTokenIds).toEqual([2, 3]);
    expect(parseLlamaConfig({ ...sizes, eos_token_id: null }).eosTokenIds).toEqual([]);
  });
});

describe("what would change the numbers and is not supported is named", () => {
  test.each([
    [{ model_type: "mistral" }, `Expected "llama" for 'model_type' but received "mistral"; it is not supported`],
    [{ architectures: ["LlamaForTokenClassification"] }, `Expected ["LlamaForCausalLM"] for 'architectures' but received`],
    [
      { hidden_act: "relu2" },
      `Expected "silu" or "gelu" or "gelu_pytorch_tanh" for 'hidden_act' but received "relu2"; it is not supported`,
    ],
    [{ rope_scaling: { rope_type: "proportional" } }, `for 'rope_scaling.rope_type' but received "proportional"`],
    [{ rope_scaling: { type: "su" } }, `for 'rope_scaling.type' but received "su"`],
    [{ residual_multiplier: 0.5 }, `Expected 1 for 'residual_multiplier' but received 0.5`],
    [{ partial_rotary_factor: 0.5 }, `Expected 1 for 'partial_rotary_factor' but received 0.5`],
    [{ rope_parameters: { rope_type: "default", partial_rotary_factor: 0.5 } }, `'rope_parameters.partial_rotary_factor'`],
    [{ quantization_config: { bits: 4 } }, `Expected no 'quantization_config' but received {"bits":4}; it is not supported`],
  ])("%o", (keys, message) => {
    expect(() => parseLlamaConfig({ ...sizes, ...keys })).toThrow(message);
  });
});

describe("a value that does not fit is named", () => {
  test.each([
    [{ vocab_size: undefined }, "Expected a positive integer for 'vocab_size' but received nothing"],
    [{ hidden_size: "8" }, `Expected a positive integer for 'hidden_size' but received "8"`],
    [{ num_hidden_layers: 0 }, "Expected a positive integer for 'num_hidden_layers' but received 0"],
    [{ num_attention_heads: 3 }, "Expected a multiple of num_attention_heads (3) for 'hidden_size' but received 8"],
    [{ num_key_value_heads: 3 }, "Expected a divisor of num_attention_heads (4) for 'num_key_value_heads' but received 3"],
    [{ head_dim: 5 }, "Expected an even number for 'head_dim' but received 5"],
    [{ rms_norm_eps: -1 }, "Expected a number from 0 for 'rms_norm_eps' but received -1"],
    [{ rope_theta: "1e4" }, `Expected a number from 1 for 'rope_theta' but received "1e4"`],
    [{ attention_dropout: 2 }, "Expected a number from 0 to 1 for 'attention_dropout' but received 2"],
    [{ tie_word_embeddings: "yes" }, `Expected true or false for 'tie_word_embeddings' but received "yes"`],
    [{ eos_token_id: ["</s>"] }, `Expected token ids for 'eos_token_id' but received ["</s>"]`],
    [{ bos_token_id: 1.5 }, "Expected a token id for 'bos_token_id' but received 1.5"],
    [{ rope_scaling: { type: "linear" } }, "Expected a number from 1 for 'rope_scaling.factor' but received nothing"],
    [{ rope_parameters: { rope_type: "llama3", factor: 8 } }, "for 'rope_parameters.low_freq_factor' but received no"],
    [
      { rope_scaling: { rope_type: "longrope", short_factor: [1, 2], long_factor: [1] } },
      "Expected 1 positive numbers for 'rope_scaling.short_factor' but received [1,2]",
    ],
    [{ dtype: "float12" }, `for 'dtype' but received "float12"`],
    [{ rope_parameters: [] }, "Expected an object for 'rope_parameters' but received []"],
  ])("%o", (keys, message) => {
    expect(() => parseLlamaConfig({ ...sizes, ...keys })).toThrow(message);
  });

  test("a config that is no object", () => {
    expect(() => parseLlamaConfig("config.json" as never)).toThrow(`Expected an object for 'config' but received "config.json"`);
  });
});

describe("rope scaling", () => {
  const scaling = (rope: object, keys: object = {}) =>
    parseLlamaConfig({ ...sizes, head_dim: 4, max_position_embeddings: 64, rope_scaling: rope, ...keys }).rope.scaling;

  test("the original context is the whole one unless another is given; one beside the entries wins", () => {
    const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
    expect(scaling(llama3)).toMatchObject({ originalMaxPositions: 64 });
    expect(scaling({ ...llama3, original_max_position_embeddings: 32 })).toMatchObject({ originalMaxPositions: 32 });
    expect(scaling({ ...llama3, original_max_position_embeddings: 32 }, { original_max_position_embeddings: 16 })).toMatchObject({
      originalMaxPositions: 16,
    });
  });

  test.each([
    [{ factor: 4 }, 0.1 * Math.log(4) + 1],
    [{ factor: null, original_max_position_embeddings: 16 }, 0.1 * Math.log(4) + 1],
    [{ factor: 1 }, 1],
    [{ factor: 4, attention_factor: 0.9 }, 0.9],
    [{ factor: 4, mscale: 1, mscale_all_dim: 1 }, 1],
    [{ factor: 4, mscale: 2 }, 0.1 * Math.log(4) + 1],
  ])("yarn %o scales the angles' cosines by %d", (entries, attentionFactor) => {
    expect(scaling({ rope_type: "yarn", ...entries })).toMatchObject({ attentionFactor });
  });

  test.each([
    [{ original_max_position_embeddings: 16 }, Math.sqrt(1 + Math.log(4) / Math.log(16))],
    [{ factor: 2, original_max_position_embeddings: 16 }, Math.sqrt(1 + Math.log(2) / Math.log(16))],
    [{}, 1],
    [{ attention_factor: 1.5 }, 1.5],
  ])("longrope %o scales them by %d", (entries, attentionFactor) => {
    const factors = { short_factor: [1, 1], long_factor: [2, 4] };
    expect(scaling({ rope_type: "longrope", ...factors, ...entries })).toMatchObject({ attentionFactor });
  });
});

describe("what each architecture has for keys that are not there", () => {
  const layers = { ...sizes, num_attention_heads: 8, hidden_size: 16 };

  test("Mistral: a window, unless it is null", () => {
    const { slidingWindow, numKeyValueHeads, rope } = parseMistralConfig(layers);
    expect([slidingWindow, numKeyValueHeads, rope.theta]).toEqual([4096, 8, 10_000]);
    expect(parseMistralConfig({ ...layers, sliding_window: null }).slidingWindow).toBeUndefined();
  });

  test("Mixtral: eight experts, two for a token, no window, another base", () => {
    const { slidingWindow, numLocalExperts, numExpertsPerTok, rope, rmsNormEps } = parseMixtralConfig(layers);
    expect([slidingWindow, numLocalExperts, numExpertsPerTok]).toEqual([undefined, 8, 2]);
    expect([rope.theta, rmsNormEps]).toEqual([1e6, 1e-5]);
  });

  test("Qwen: windows only when they are used, then in the later layers", () => {
    const heads = { ...layers, num_key_value_heads: 2 };
    const used = { ...heads, use_sliding_window: true, max_window_layers: 1 };
    expect(parseQwen2Config(heads).slidingWindows).toEqual([undefined, undefined]);
    expect(parseQwen2Config(used).slidingWindows).toEqual([undefined, 4096]);
    expect(parseQwen3Config({ ...used, sliding_window: null }).slidingWindows).toEqual([undefined, undefined]);
    expect(parseQwen3Config(heads).headDim).toBe(128);
  });

  test("Gemma 2: every other layer has a window; scores and logits are capped, unless null; the head is tied", () => {
    expect(parseGemma2Config(layers)).toMatchObject({
      slidingWindows: [4096, undefined],
      headDim: 256,
      hiddenAct: "gelu_pytorch_tanh",
      queryPreAttnScalar: 256,
      attnLogitSoftcapping: 50,
      finalLogitSoftcapping: 30,
      tieWordEmbeddings: true,
    });
    const uncapped = { attn_logit_softcapping: null, final_logit_softcapping: null };
    const { attnLogitSoftcapping, finalLogitSoftcapping } = parseGemma2Config({ ...layers, ...uncapped });
    expect([attnLogitSoftcapping, finalLogitSoftcapping]).toEqual([undefined, undefined]);
  });

  test("Gemma 3: each sixth layer has no window, and a larger base", () => {
    const { slidingWindows, rope, localRope, finalLogitSoftcapping, tieWordEmbeddings } = parseGemma3Config({
      ...layers,
      num_hidden_layers: 7,
    });
    expect(slidingWindows).toEqual([4096, 4096, 4096, 4096, 4096, undefined, 4096]);
    expect([rope.theta, localRope.theta]).toEqual([1e6, 1e4]);
    expect([finalLogitSoftcapping, tieWordEmbeddings]).toEqual([undefined, true]);
  });

  test("Phi-3: all tokens, all dimensions, and the original context of Phi-3-mini", () => {
    expect(parsePhi3Config(layers)).toMatchObject({ slidingWindow: undefined, rope: { theta: 10_000, dim: 2 } });
    const su = { type: "su", short_factor: [1], long_factor: [2] };
    expect(parsePhi3Config({ ...layers, rope_scaling: su, max_position_embeddings: 8192 }).rope.scaling).toMatchObject({
      type: "longrope",
      originalMaxPositions: 4096,
    });
  });
});

test("a layer with a window needs to know how long it is", () => {
  expect(() => parseGemma2Config({ ...sizes, sliding_window: null })).toThrow(
    "Expected a positive integer for 'sliding_window' but received nothing",
  );
});

test("entries that transformers declares as floats are written as floats", () => {
  const floats = { attn_logit_softcapping: 50, final_logit_softcapping: null, router_jitter_noise: 0 };
  expect(configText({ ...floats, rms_norm_eps: 1e-6, hidden_size: 8, nested: { initializer_range: 1 } })).toBe(
    `{
  "attn_logit_softcapping": 50.0,
  "final_logit_softcapping": null,
  "router_jitter_noise": 0.0,
  "rms_norm_eps": 0.000001,
  "hidden_size": 8,
  "nested": {
    "initializer_range": 1.0
  }
}
`,
  );
});

describe("what an architecture of transformers' would not apply, or is not supported, is named", () => {
  test.each<[parse: (json: HuggingFaceConfig) => unknown, keys: HuggingFaceConfig, message: string]>([
    [parseMistralConfig, { attention_bias: true }, "Expected false for 'attention_bias' but received true"],
    [parseMistralConfig, { layer_types: ["full_attention"] }, "Expected no 'layer_types'"],
    [parseMistralConfig, { sliding_window: 0 }, "Expected a positive integer for 'sliding_window' but received 0"],
    [parseMixtralConfig, { router_jitter_noise: 0.1 }, "Expected 0 for 'router_jitter_noise' but received 0.1"],
    [parseMixtralConfig, { output_router_logits: true }, "Expected false for 'output_router_logits'"],
    [parseMixtralConfig, { num_experts_per_tok: 9 }, "Expected a positive integer up to 8 for 'num_experts_per_tok'"],
    [
      parseQwen2Config,
      { layer_types: ["full_attention", "chunked_attention"] },
      `Expected 2 times "full_attention" or "sliding_attention" for 'layer_types'`,
    ],
    [parseQwen3Config, { layer_types: ["full_attention"] }, "Expected 2 times"],
    [parseGemma2Config, { use_bidirectional_attention: true }, "for 'use_bidirectional_attention' but received true"],
    [parseGemma2Config, { sliding_window: "8" }, `Expected a positive integer for 'sliding_window' but received "8"`],
    [parseGemma2Config, { hidden_activation: "relu" }, `for 'hidden_activation' but received "relu"`],
    [parseGemma3Config, { attn_logit_softcapping: 50 }, "Expected no 'attn_logit_softcapping' but received 50"],
    [parseGemma3Config, { rope_parameters: { rope_type: "default" } }, "Expected no 'rope_parameters.rope_type'"],
    [parsePhi3Config, { rope_scaling: { type: "linear", factor: 2 } }, `for 'rope_scaling.type' but received "linear"`],
    [parsePhi3Config, { resid_pdrop: 0.1 }, "Expected 0 for 'resid_pdrop' but received 0.1"],
  ])("%o, %o", (parse, keys, message) => {
    const heads = { num_attention_heads: 8, num_key_value_heads: 2, head_dim: 4 };
    expect(() => parse({ ...sizes, ...heads, ...keys })).toThrow(message);
  });

  test("Gemma 3 with images", () => {
    expect(() => architectureOf({ architectures: ["Gemma3ForConditionalGeneration"], model_type: "gemma3" })).toThrow(
      "it reads images too",
    );
  });
});
