/**
 * A model's body over packed rows: from tokens to the normalised rows that predict scored tokens. With activation
 * checkpointing only each layer's input is kept, and a layer is run again, with gradient, when its output's gradient
 * has arrived.
 */
import type { CausalLM } from "../../models";
import type { AttentionContext, Module } from "../../nn";
import { autograd, enableGrad, fromTypedArray, getRngState, noGrad, setRngState, type Tensor, tidy } from "../../torch";
import { packedAttention } from "./attention";
import type { PackedBatch } from "./batch";

export interface BodyPass {
  /** Rows that predict the scored tokens, `[scored, hiddenSize]`, detached. */
  readonly rows: Tensor;
  /** Pushes the rows' gradient back into the parameters' `grad`. To be called once. */
  backward(gradient: Tensor): void;
}

/** Without gradient. */
export function predictingRows(model: CausalLM, batch: PackedBatch): Tensor {
  return tidy(() => noGrad(() => forwardWhole(model, batch)));
}

/** With gradient, ready for `backward`. Must be called inside a scope, which frees the pass's tensors. */
export function bodyPass(model: CausalLM, batch: PackedBatch, { checkpoint = false } = {}): BodyPass {
  if (checkpoint) return checkpointedPass(model, batch);
  const rows = tidy(() => enableGrad(() => forwardWhole(model, batch)));
  return {
    rows: rows.detach(),
    backward: (gradient) => {
      if (rows.requiresGrad) autograd.backward([rows], [gradient]);
      rows.dispose();
    },
  };
}

function forwardWhole(model: CausalLM, batch: PackedBatch): Tensor {
  const { layers } = model.model;
  let x = model.model.embed(batch.ids); // [1, rows, hiddenSize]
  const contexts = contextsOf(model, batch, x);
  layers.forEach((layer, i) => {
    const next = tidy(() => layer.forward(x, contexts[i]!));
    x.dispose(); // autograd holds what it needs
    x = next;
  });
  return lastStage(model, batch, x);
}

function checkpointedPass(model: CausalLM, batch: PackedBatch): BodyPass {
  const { layers, norm } = model.model;
  const { device } = batch.ids;
  const inputs = [tidy(() => noGrad(() => model.model.embed(batch.ids)))];
  const contexts = contextsOf(model, batch, inputs[0]!);
  const randomStates: Tensor[] = [];
  layers.forEach((layer, i) => {
    randomStates.push(getRngState(device)); // a replayed layer drops what it dropped
    inputs.push(tidy(() => noGrad(() => layer.forward(inputs[i]!, contexts[i]!))));
  });
  // Gradient is needed as far down as something trains: 0 is the embedding, i + 1 layer i.
  const stages = [model.model.embedTokens, ...layers, norm];
  const lowest = stages.findIndex(trains);

  /** Runs one stage with gradient and pushes `gradient` through it; the gradient of its input, if it is needed. */
  const throughStage = (stage: number, input: Tensor, forward: (x: Tensor) => Tensor, gradient: Tensor): Tensor =>
    tidy(() => {
      const leaf = input.detach();
      if (stage > lowest) leaf.requiresGrad_();
      const output = tidy(() => enableGrad(() => forward(leaf)));
      autograd.backward([output], [gradient]);
      const arrived = leaf.grad ?? gradient;
      leaf.grad = null;
      return arrived;
    });

  return {
    rows: tidy(() => noGrad(() => lastStage(model, batch, inputs.at(-1)!))),
    backward: (gradient) => {
      if (lowest === -1) return;
      const stateAfter = getRngState(device);
      let arrived = throughStage(stages.length - 1, inputs.pop()!, (x) => lastStage(model, batch, x), gradient);
      for (let i = layers.length - 1; i >= 0 && i + 1 >= lowest; i--) {
        setRngState(randomStates[i]!, device);
        const input = inputs.pop()!;
        const below = throughStage(i + 1, input, (x) => layers[i]!.forward(x, contexts[i]!), arrived);
        input.dispose();
        arrived.dispose();
        arrived = below;
      }
      if (lowest === 0) tidy(() => autograd.backward([enableGrad(() => model.model.embed(batch.ids))], [arrived]));
      setRngState(stateAfter, device);
    },
  };
}

function contextsOf(model: CausalLM, batch: PackedBatch, x: Tensor): AttentionContext[] {
  const lengths = model.model.dependsOnLength ? textLengths(batch) : undefined;
  return model.model.contexts(batch.positions, x.dtype, { lengths, attend: packedAttention(batch) });
}

/** Tokens of the text each row is in, its last one included, `[1, rows]`. */
function textLengths({ packing: { ids, branches }, positions }: PackedBatch): Tensor {
  const lengths = new Int32Array(ids.length);
  for (const { first, length, sequence } of branches) {
    if (length < sequence.length)
      throw new TypeError(
        "Expected a packing without shared prefixes for a model whose rotary angles depend on the text's length; " +
          "pack with packOptionsOf(model)",
      );
    lengths.fill(length + 1, first, first + length);
  }
  return fromTypedArray(lengths, [1, ids.length], { device: positions.device });
}

/** The norm, only where a token is predicted: `[1, rows, hiddenSize]` to `[scored, hiddenSize]`. */
function lastStage(model: CausalLM, batch: PackedBatch, x: Tensor): Tensor {
  return model.model.norm.forward(x.squeeze(0).indexSelect(0, batch.predictors));
}

function trains(module: Module): boolean {
  return [...module.parameters()].some((parameter) => parameter.requiresGrad);
}
