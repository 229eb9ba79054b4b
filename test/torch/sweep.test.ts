/** The operators a trainer of language models uses against PyTorch: results and gradients (scripts/parity/sweep.py). */
import { expect, test } from "vitest";
import { autograd, type Tensor, tidy } from "../../src/torch";
import { fixture, wave } from "../parity/fixture";
import { type Call, expectNumbers, expectResult, make, outputs } from "./encoded";

const { versions: _, ...calls } = fixture<Record<string, Call>>("torch/sweep");

/** 16-bit results differ in their last bit where libtorch sums in another order. */
function toleranceOf(call: Call): number {
  return /"(bfloat16|float16)"/.test(JSON.stringify(call)) ? 2 ** -7 : 1e-5;
}

test.each(Object.entries(calls))("%s", (_name, call) => {
  tidy(() => {
    const tolerance = toleranceOf(call);
    const { result, tensors } = make(call);
    if (call.after) return expectResult(tensors, call.after, tolerance);
    expectResult(result, call.result, tolerance);
    if (!call.grads) return;
    const recorded = outputs(result).filter((output) => output.requiresGrad);
    autograd.backward(
      recorded,
      recorded.map((output) => wave(output.shape, 1, 9, output.dtype)),
    );
    const wanted = tensors.filter((tensor) => tensor.requiresGrad);
    expect(wanted.map(({ grad }) => grad === null)).toEqual(call.grads.map((grad) => grad === null));
    call.grads.forEach((grad, i) => grad && expectNumbers(wanted[i]!.grad as Tensor, grad, tolerance, `gradient ${i}`));
  });
});
