// Questions of ARC by the second, with 25 examples before each: the Node side of eval.py. `make DIR` writes the model, its
// tokenizer and the questions that both sides read; `run DIR` scores them. Each prints one JSON line.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { evaluate, LlamaForCausalLM, loadModel, loadTokenizer, saveModel } from "smaug";
import { manualSeed, setNumThreads } from "smaug/torch";

// SmolLM2-135M's shape, random weights.
const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
  bos_token_id: 0,
  eos_token_id: 0,
};
const WORDS = 2000;
const QUESTIONS = 2;
const EXAMPLES = 40;
const QUESTION_WORDS = 24; // what ARC has, near enough
const ANSWER_WORDS = 6;

let state = 1;
const draw = (count) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % count;
const words = (count) => Array.from({ length: count }, () => `w${draw(WORDS)}`).join(" ");

function rows(count) {
  return Array.from({ length: count }, (_, i) => ({
    id: `q${i}`,
    question: words(QUESTION_WORDS),
    choices: { text: Array.from({ length: 4 }, () => words(ANSWER_WORDS)), label: ["A", "B", "C", "D"] },
    answerKey: "ABCD"[draw(4)],
  }));
}

/** One token a word, with the space before it, and one for each mark: the tokenizer is no part of what is measured. */
function tokenizer() {
  const numbered = Array.from({ length: WORDS }, (_, i) => `w${i}`);
  const pieces = ["<eos>", "Question", "Answer", ":", "\n", " ", ...numbered, ...numbered.map((word) => ` ${word}`)];
  return {
    version: "1.0",
    added_tokens: [
      { id: 0, content: "<eos>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: " ?\\w+|[^\\w]" }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: null,
    model: { type: "BPE", vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [], ignore_merges: true },
  };
}

const [what, folder] = process.argv.slice(2);
setNumThreads(1);
if (what === "make") {
  manualSeed(0);
  mkdirSync(join(folder, "data"));
  const lines = (list) => list.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(join(folder, "data", "train.jsonl"), lines(rows(EXAMPLES)));
  writeFileSync(join(folder, "data", "test.jsonl"), lines(rows(QUESTIONS)));
  await saveModel(new LlamaForCausalLM(CONFIG), join(folder, "model"));
  writeFileSync(join(folder, "model", "tokenizer.json"), JSON.stringify(tokenizer()));
  const names = {
    tokenizer_class: "PreTrainedTokenizerFast",
    eos_token: "<eos>",
    pad_token: "<eos>",
    clean_up_tokenization_spaces: false,
  };
  writeFileSync(join(folder, "model", "tokenizer_config.json"), JSON.stringify(names));
  console.log(JSON.stringify({ questions: QUESTIONS }));
} else {
  const model = await loadModel(join(folder, "model"), { dtype: "float32" });
  const tokenizer = await loadTokenizer(join(folder, "model"));
  const start = performance.now();
  const found = await evaluate(model, tokenizer, {
    tasks: ["arc_challenge"],
    data: { arc_challenge: join(folder, "data") },
    logSamples: true,
  });
  const seconds = (performance.now() - start) / 1e3;
  const likelihoods = found.samples.arc_challenge.flatMap(({ resps }) => resps.map(([[value]]) => value));
  console.log(JSON.stringify({ bench: "eval", questionsPerSecond: QUESTIONS / seconds, likelihoods }));
}
