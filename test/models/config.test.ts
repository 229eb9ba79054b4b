import { describe, expect, test } from "vitest";
import { parseLlamaConfig } from "../../src/models";

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
    ropeTheta: 10_000,
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
    expect(parseLlamaConfig({ ...sizes, ...keys })).toMatchObject({ ropeTheta: 500, dtype: "bfloat16" });
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
    [
      { architectures: ["LlamaForTokenClassification"] },
      `Expected ["LlamaForCausalLM"] for 'architectures' but received`,
    ],
    [{ hidden_act: "gelu" }, `Expected "silu" for 'hidden_act' but received "gelu"`],
    [
      { rope_scaling: { rope_type: "llama3", factor: 8 } },
      `Expected "default" for 'rope_scaling.rope_type' but received "llama3"`,
    ],
    [
      { rope_scaling: { type: "linear", factor: 2 } },
      `Expected "default" for 'rope_scaling.type' but received "linear"`,
    ],
    [
      { rope_parameters: { rope_type: "yarn" } },
      `Expected "default" for 'rope_parameters.rope_type' but received "yarn"`,
    ],
    [{ partial_rotary_factor: 0.5 }, `Expected 1 for 'partial_rotary_factor' but received 0.5`],
    [
      { rope_parameters: { rope_type: "default", partial_rotary_factor: 0.5 } },
      `'rope_parameters.partial_rotary_factor'`,
    ],
    [
      { quantization_config: { bits: 4 } },
      `Expected no 'quantization_config' but received {"bits":4}; it is not supported`,
    ],
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
    [
      { num_key_value_heads: 3 },
      "Expected a divisor of num_attention_heads (4) for 'num_key_value_heads' but received 3",
    ],
    [{ head_dim: 5 }, "Expected an even number for 'head_dim' but received 5"],
    [{ rms_norm_eps: -1 }, "Expected a number from 0 for 'rms_norm_eps' but received -1"],
    [{ rope_theta: "1e4" }, `Expected a number from 1 for 'rope_theta' but received "1e4"`],
    [{ attention_dropout: 2 }, "Expected a number from 0 to 1 for 'attention_dropout' but received 2"],
    [{ tie_word_embeddings: "yes" }, `Expected true or false for 'tie_word_embeddings' but received "yes"`],
    [{ eos_token_id: ["</s>"] }, `Expected token ids for 'eos_token_id' but received ["</s>"]`],
    [{ bos_token_id: 1.5 }, "Expected a token id for 'bos_token_id' but received 1.5"],
    [{ dtype: "float12" }, `for 'dtype' but received "float12"`],
    [{ rope_parameters: [] }, "Expected an object for 'rope_parameters' but received []"],
  ])("%o", (keys, message) => {
    expect(() => parseLlamaConfig({ ...sizes, ...keys })).toThrow(message);
  });

  test("a config that is no object", () => {
    expect(() => parseLlamaConfig("config.json" as never)).toThrow(
      `Expected an object for 'config' but received "config.json"`,
    );
  });
});
