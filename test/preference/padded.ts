/**
 * Log-probs the plain way, to check the packed engine against: every answer whole behind its prompt, rows padded on the
 * right, logits of all positions, autograd through everything.
 */
import type { TokenizedAnswer } from "../../src/data/tokenize/tokenizedPair";
import type { CausalLM } from "../../src/models";
import { type Tensor, tensor } from "../../src/torch";

/** `[answers, longest]`: the log-prob of each completion token, 0 after a completion's end. Differentiable. */
export function paddedTokenLogProbs(model: CausalLM, answers: readonly TokenizedAnswer[]): Tensor {
  const length = Math.max(...answers.map(({ ids }) => ids.length));
  const longest = Math.max(...answers.map(({ ids, start }) => ids.length - start));
  const row = (of: (at: number) => number, length: number) => Array.from({ length }, (_, at) => of(at));
  const ids = answers.map(({ ids }) => row((at) => ids[at] ?? 0, length));
  // Where each completion token is predicted, which one it is, and whether it is there.
  const places = answers.map(({ ids, start }) => row((at) => Math.min(start + at, ids.length - 1) - 1, longest));
  const targets = answers.map(({ ids, start }) => row((at) => ids[start + at] ?? 0, longest));
  const exists = answers.map(({ ids, start }) => row((at) => Number(start + at < ids.length), longest));
  const { device } = model.parameters().next().value!;
  const integers = (values: number[][]) => tensor(values, { dtype: "int64", device });

  const logits = model.forward(integers(ids)); // [answers, length, vocabSize]
  const logProbs = logits.to(logits.dtype === "float64" ? "float64" : "float32").logSoftmax(-1);
  const vocabSize = logProbs.size(2);
  const predicting = logProbs.gather(1, integers(places).unsqueeze(-1).expand([-1, -1, vocabSize]));
  const ofTargets = predicting.gather(2, integers(targets).unsqueeze(-1)).squeeze(-1); // [answers, longest]
  return ofTargets.mul(tensor(exists, { dtype: logProbs.dtype, device }));
}

/** `[answers]`: the sum over each completion's tokens, log π(y|x). */
export function paddedLogProbs(model: CausalLM, answers: readonly TokenizedAnswer[]): Tensor {
  return paddedTokenLogProbs(model, answers).sum(1);
}

/** An answer of token ids. */
export function answerOf(prompt: readonly number[], completion: readonly number[]): TokenizedAnswer {
  return { ids: Int32Array.from([...prompt, ...completion]), start: prompt.length };
}
