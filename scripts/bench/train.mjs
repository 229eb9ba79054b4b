// One optimizer step of DPO at the shape of SmolLM2-135M: the Node side of train.py, with the same work. The reference is
// taken as known, as in TRL's best configuration. `node train.mjs float32|bfloat16 [steps]`; prints one JSON line.
import {
  AdamW,
  applyLora,
  clipGradNorm_,
  forwardBackward,
  LlamaForCausalLM,
  lora,
  microBatches,
  packingStatistics,
  sigmoid,
  upload,
} from "smaug";
import { manualSeed, setNumThreads, tidy, zeros } from "smaug/torch";

const VOCAB = 49152;
const PAIRS = 4;
const PROMPT = 192;
const ANSWER = 40;
const THREADS = 2;
const MAX_TOKENS = 300; // of a micro-batch: one pair, which is as fast on a CPU and holds least

const [dtype = "float32", steps = "5"] = process.argv.slice(2);
setNumThreads(THREADS);
manualSeed(0);
const model = new LlamaForCausalLM(
  {
    vocab_size: VOCAB,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    max_position_embeddings: 8192,
    rope_theta: 100000,
    tie_word_embeddings: true,
  },
  { dtype },
);
applyLora(model, lora({ r: 16, targetModules: "all-linear", dropout: 0 })); // TRL's disable_dropout reaches the adapter
const trained = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
const optimizer = new AdamW(trained, { lr: 1e-5 });
const loss = sigmoid({ beta: 0.1 });

let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647; // Lehmer's generator
const some = (mean) => Array.from({ length: Math.round(mean * (0.8 + 0.4 * random())) }, () => Math.floor(random() * VOCAB));
function somePair(_, index) {
  const prompt = some(PROMPT);
  const answer = () => ({ ids: Int32Array.from([...prompt, ...some(ANSWER)]), start: prompt.length });
  return { index, chosen: answer(), rejected: answer() };
}

function step(pairs) {
  const batches = microBatches(pairs, { maxTokens: MAX_TOKENS });
  for (const packing of batches)
    tidy(() => {
      const unknown = zeros([packing.pairs.length], { dtype: "float64" }); // any reference costs the same
      const reference = { referenceChosen: unknown, referenceRejected: unknown };
      forwardBackward(
        model,
        upload(packing),
        (policy) =>
          loss({ ...policy, ...reference })
            .sum()
            .div(pairs.length),
        {
          statistics: ["entropy", "hits", "meanLogits"], // what TRL computes in each step
        },
      );
    });
  tidy(() => {
    clipGradNorm_(trained, 1);
    optimizer.step();
    optimizer.zeroGrad();
  });
  return batches;
}

const times = [];
const batches = [];
for (let k = 0; k < Number(steps); k++) {
  const pairs = Array.from({ length: PAIRS }, somePair);
  const start = performance.now();
  batches.push(...step(pairs));
  times.push((performance.now() - start) / 1e3);
}
const sorted = times.slice(1).sort((a, b) => a - b); // the first step is a warm-up
const { tokens, paddedTokens } = packingStatistics(batches);
console.log(
  JSON.stringify({
    bench: "train",
    dtype,
    steps: Number(steps),
    pairsPerSecond: PAIRS / sorted[Math.floor(sorted.length / 2)],
    peakMiB: process.resourceUsage().maxRSS / 1024,
    savedTokens: 1 - tokens / paddedTokens,
  }),
);
