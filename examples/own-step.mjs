import { AdamW, dpop, forwardBackward, LlamaForCausalLM, pack, policyLogProbs, scorePairs, upload } from "smaug";
import { tidy } from "smaug/torch";

const model = new LlamaForCausalLM({
  architectures: ["LlamaForCausalLM"],
  vocab_size: 32,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
});
// Pairs as token ids; 2 ends an answer. They differ in one token.
const answer = (prompt, completion) => ({ ids: Int32Array.of(...prompt, ...completion), start: prompt.length });
const pairs = [
  { index: 0, chosen: answer([1, 5, 9], [4, 7, 6, 2]), rejected: answer([1, 5, 9], [4, 8, 6, 2]) },
  { index: 1, chosen: answer([1, 8], [3, 3, 6, 2]), rejected: answer([1, 8], [3, 9, 6, 2]) },
];
const batch = upload(pack(pairs)); // end to end; what a pair's answers begin with is there once

const start = policyLogProbs(batch, scorePairs(model, batch)); // [pairs], sums over each answer
const reference = { referenceChosen: start.policyChosen, referenceRejected: start.policyRejected };
const loss = dpop({ beta: 0.3, lambda: 50 });
const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });

for (let step = 0; step <= 50; step++) {
  // tidy frees every tensor of the step
  const mean = tidy(() => {
    const { loss: mean } = forwardBackward(model, batch, (policy) => loss({ ...policy, ...reference }).mean());
    optimizer.step();
    optimizer.zeroGrad();
    return mean.item();
  });
  if (step % 10 === 0) console.log(step, mean.toFixed(4));
}
