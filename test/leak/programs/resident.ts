/** Resident memory of a training loop, in MB: `resident.ts tidy|yield`. Prints it after step 100 and after the last. */
import { setImmediate as turn } from "node:timers/promises";
import { LlamaForCausalLM } from "../../../src/models";
import { AdamW, clipGradNorm_ } from "../../../src/optim";
import { memory, ops, randint, tidy } from "../../../src/torch";
import { report } from "../../setup/report";

const resident = () => process.memoryUsage.rss() / 2 ** 20;

const model = new LlamaForCausalLM({
  vocab_size: 64,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
});
const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });

function step(): void {
  const ids = randint(0, 64, [4, 17]);
  const logits = model.forward(ids.narrow(1, 0, 16)); // [4, 16, 64]
  ops.crossEntropyLoss(logits.flatten(0, 1), ids.narrow(1, 1, 16).flatten()).backward();
  clipGradNorm_(model.parameters(), 1);
  optimizer.step();
  optimizer.zeroGrad();
}

async function main(): Promise<void> {
  const inScopes = process.argv[2] === "tidy";
  const steps = inScopes ? 1000 : 300;
  let [early, most] = [0, 0];
  for (let k = 1; k <= steps; k++) {
    if (inScopes) tidy(step);
    else {
      step();
      await turn();
    }
    if (k === 100) early = resident();
    if (k > 100 && k % 50 === 0) most = Math.max(most, resident());
  }
  report({ early, most, tensors: memory().tensors, live: memory().live / 2 ** 20, peak: memory().peak / 2 ** 20 });
}

void main();
