/** A tiny model and pairs in tokens for tests of training. */
import { type CausalLM, LlamaForCausalLM } from "../../src";
import { Random } from "../../src/base/random";
import type { AnswerPair } from "../../src/data/tokenize/tokenizedPair";
import { Generator } from "../../src/torch";

export const tinyConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 48,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  initializer_range: 0.2,
  max_position_embeddings: 128,
};

export function tinyModel(changes: object = {}): CausalLM {
  return new LlamaForCausalLM({ ...tinyConfig, ...changes }, { generator: new Generator().manualSeed(1) }).eval();
}

/** Answers that share a beginning, of different lengths; 2 ends them. */
export function tinyPairs(count: number, seed = 0): AnswerPair[] {
  const random = new Random(seed, "pairs");
  const tokens = (n: number) => Array.from({ length: n }, () => random.integer(3, 47));
  return Array.from({ length: count }, (_, index) => {
    const prompt = [1, ...tokens(random.integer(2, 8))];
    const common = tokens(random.integer(0, 3));
    const answer = () => ({
      ids: Int32Array.of(...prompt, ...common, ...tokens(random.integer(1, 6)), 2),
      start: prompt.length,
    });
    return { index, chosen: answer(), rejected: answer() };
  });
}
