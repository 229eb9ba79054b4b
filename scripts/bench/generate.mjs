// Greedy generation: the Node side of generate.py, with the same work and the same lines in and out.
import { createInterface } from "node:readline";
import { generate, LlamaForCausalLM } from "smaug";
import { manualSeed, randint, setNumThreads } from "smaug/torch";

// SmolLM2-135M's shape, random weights.
const CONFIG = {
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
};
const PROMPT = 32;
const NEW_TOKENS = 64;

setNumThreads(1);
manualSeed(0);
const model = new LlamaForCausalLM(CONFIG).eval();
console.log(JSON.stringify({ node: process.version }));
for await (const line of createInterface(process.stdin)) {
  const { batch } = JSON.parse(line);
  const prompts = randint(1, CONFIG.vocab_size, [batch, PROMPT]).toList();
  const start = performance.now();
  const answers = await generate(model, prompts, { maxNewTokens: NEW_TOKENS });
  const seconds = (performance.now() - start) / 1e3;
  if (answers.some(({ tokens }) => tokens.length !== NEW_TOKENS)) throw new Error("an answer is short");
  console.log(JSON.stringify({ tokens_per_second: (batch * NEW_TOKENS) / seconds }));
}
