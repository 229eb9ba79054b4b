// The quickstart's small model and one training step of it, as in step.py.
import { AdamW, clipGradNorm_, LlamaForCausalLM } from "smaug";
import { manualSeed, ops, randint, setNumThreads, tidy } from "smaug/torch";

const VOCAB = 58;
const BATCH = 32;
const TOKENS = 55;

export function smallModel() {
  setNumThreads(1);
  manualSeed(0);
  const model = new LlamaForCausalLM({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: VOCAB,
    hidden_size: 64,
    intermediate_size: 192,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    rope_theta: 100,
    tie_word_embeddings: true,
    initializer_range: 0.05,
  });
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3, betas: [0.9, 0.98] });
  const ids = randint(0, VOCAB, [BATCH, TOKENS]);
  return function step() {
    tidy(() => {
      const logits = model.forward(ids);
      const predictions = logits.narrow(1, 0, TOKENS - 1).reshape([-1, VOCAB]);
      const loss = ops.crossEntropyLoss(predictions, ids.narrow(1, 1, TOKENS - 1).reshape([-1]));
      loss.backward();
      clipGradNorm_(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
    });
  };
}
