/** Gradients without `.grad`, and switching recording off. Grad mode belongs to the thread: each worker has its own. */
import { receivedInCode } from "../base/values";
import { binding } from "../native/binding";
import { synchronously } from "./scope";
import { Tensor } from "./tensor";

export interface GradOptions {
  /** One tensor per output, of its shape; null or left out for single elements. */
  gradOutputs?: Tensor | readonly (Tensor | null)[];
  retainGraph?: boolean;
  createGraph?: boolean;
  /** Return null instead of throwing for an input the outputs do not depend on. */
  allowUnused?: boolean;
}

function list(tensors: Tensor | readonly Tensor[], name: string): number[] {
  const all = tensors instanceof Tensor ? [tensors] : tensors;
  if (!Array.isArray(all) || all.some((tensor) => !(tensor instanceof Tensor)))
    throw new TypeError(`Expected a Tensor or an array of Tensors for '${name}' but received ${receivedInCode(tensors)}`);
  return all.map((tensor: Tensor) => tensor.live(name));
}

/** One slot per output, -1 for none; nothing at all when none is given. */
function gradientList(gradients: Tensor | readonly (Tensor | null)[], outputs: number[], name: string): number[] {
  const all = gradients instanceof Tensor ? [gradients] : gradients;
  if (Array.isArray(all) && all.length !== 0 && all.length !== outputs.length)
    throw new RangeError(`Expected one gradient per output (${outputs.length}) for '${name}' but received ${all.length}`);
  if (!Array.isArray(all) || all.some((gradient) => gradient !== null && !(gradient instanceof Tensor)))
    throw new TypeError(
      `Expected a Tensor or an array of Tensors and nulls for '${name}' but received ${receivedInCode(gradients)}`,
    );
  return all.map((gradient: Tensor | null) => (gradient === null ? -1 : gradient.live(name)));
}

export const autograd = {
  /** The gradients of the sum of `outputs` with respect to each of `inputs`, as `torch.autograd.grad`. */
  grad(outputs: Tensor | readonly Tensor[], inputs: Tensor | readonly Tensor[], options: GradOptions = {}): (Tensor | null)[] {
    const { gradOutputs = [], createGraph = false, retainGraph = createGraph, allowUnused = false } = options;
    const from = list(outputs, "outputs");
    const slots = binding.grad(
      from,
      list(inputs, "inputs"),
      gradientList(gradOutputs, from, "gradOutputs"),
      retainGraph,
      createGraph,
      allowUnused,
    );
    return slots.map((slot) => (slot === -1 ? null : new Tensor(slot)));
  },

  /** Accumulates into the leaves' `grad`, from several outputs at once, each with its own gradient. */
  backward(
    outputs: readonly Tensor[],
    gradients: readonly (Tensor | null)[] = [],
    options: { retainGraph?: boolean; createGraph?: boolean; inputs?: readonly Tensor[] } = {},
  ): void {
    const { createGraph = false, retainGraph = createGraph, inputs = [] } = options;
    const from = list(outputs, "outputs");
    binding.backward(from, gradientList(gradients, from, "gradients"), retainGraph, createGraph, list(inputs, "inputs"));
  },
};

export function isGradEnabled(): boolean {
  return binding.gradEnabled();
}

function withGrad<T>(enabled: boolean, name: string, fn: () => T): T {
  const before = binding.gradEnabled();
  binding.setGradEnabled(enabled);
  try {
    return synchronously(name, fn, "other code would run in this mode while it waits. Wrap the synchronous parts instead");
  } finally {
    binding.setGradEnabled(before);
  }
}

/** Runs `fn` without recording operations for backward. */
export function noGrad<T>(fn: () => T): T {
  return withGrad(false, "noGrad", fn);
}

/** Runs `fn` with recording on, inside `noGrad`. */
export function enableGrad<T>(fn: () => T): T {
  return withGrad(true, "enableGrad", fn);
}
