/**
 * Log-probs of completions. The head runs only on the rows that predict a completion token, never on prompt or padding;
 * log-sum-exp is in float32 whatever the model's dtype.
 */
import { received } from "../base/received";
import { isObject } from "../base/values";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import { type Tensor, ops, zeros } from "../torch";
import type { Batch } from "./batch";

/** `[rows, longest]` float32: the log-prob of each completion token, 0 after a completion's end. Differentiable. */
export function completionLogProbs(model: CausalLM, batch: Batch): Tensor {
  expectModel(model);
  if (!isObject(batch) || !("places" in batch))
    throw new TypeError(`Expected a batch from collate for 'batch' but received ${received(batch)}`);
  const { vocabSize } = model.config;
  if (batch.largestId >= vocabSize)
    // on CUDA it would end in an assertion of the device
    throw new RangeError(`Expected token ids below the model's ${vocabSize} for 'batch' but received ${batch.largestId}`);
  const hidden = model.hidden(batch.ids); // [rows, length, hiddenSize]
  const predicting = hidden.flatten(0, 1).indexSelect(0, batch.predictors); // [tokens, hiddenSize]
  const logits = model.head(predicting); // [tokens, vocabSize]
  const logProbs = ops.crossEntropyLoss(logits.to(atLeastFloat32(logits)), batch.targets, { reduction: "none" }).neg();
  return zeros([batch.rows * batch.longest], { dtype: logProbs.dtype, device: logProbs.device })
    .indexCopy(0, batch.places, logProbs)
    .reshape([batch.rows, batch.longest]);
}

/** `[rows]`: the sum over each completion's tokens, log π(y|x). */
export function sequenceLogProbs(model: CausalLM, batch: Batch): Tensor {
  return completionLogProbs(model, batch).sum(1);
}

function atLeastFloat32({ dtype }: Tensor): "float32" | "float64" {
  return dtype === "float64" ? "float64" : "float32";
}
