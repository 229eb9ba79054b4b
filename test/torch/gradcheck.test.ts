/** Gradients of operators and of small compositions against finite differences. */
import { describe, expect, test } from "vitest";
import { autograd, enableGrad, noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import { wave } from "../parity/fixture";

const double = (shape: number[], phase = 0) => wave(shape, 1, phase, "float64").requiresGrad_();

/** Gradients of sum(fn * wave) by central differences of 1e-6 in float64, which are good to 1e-8 or so. */
function gradcheck(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): void {
  const loss = () => {
    const result = fn(...inputs);
    return result.mul(wave(result.shape, 1, 9, "float64")).sum();
  };
  const analytic = autograd.grad(loss(), inputs, { allowUnused: true });
  inputs.forEach((input, at) => {
    const flat = input.detach().view([-1]);
    const numeric = Array.from({ length: flat.numel() }, (_, i) => {
      const shifted = (by: number) =>
        tidy(() =>
          noGrad(() => {
            flat.index(i).add_(by);
            const value = loss().item();
            flat.index(i).sub_(by);
            return value;
          }),
        );
      return (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
    });
    const got = analytic[at] ? Array.from(analytic[at].toArray() as Float64Array) : numeric.map(() => 0);
    got.forEach((value, i) => expect(value, `input ${at}, element ${i}`).toBeCloseTo(numeric[i]!, 6));
  });
}

describe("gradients agree with finite differences in float64", () => {
  const mask = tensor([true, false, true]);
  test.each<[string, (...inputs: Tensor[]) => Tensor, Tensor[]]>([
    ["matmul with broadcasting", (a, b) => a.matmul(b), [double([2, 1, 2, 3]), double([2, 3, 2], 1)]],
    [
      "broadcast arithmetic",
      (a, b) =>
        a
          .mul(b)
          .add(a.div(b.add(3)))
          .sub(b, { alpha: 2 }),
      [double([2, 3]), double([3], 1)],
    ],
    ["softmax and logSoftmax", (a) => a.softmax(-1).add(a.logSoftmax(0)), [double([3, 4])]],
    ["logsumexp", (a) => a.logsumexp([0]), [double([3, 2])]],
    ["rmsNorm", (a, w) => ops.rmsNorm(a, [3], w, 1e-3), [double([2, 3]), double([3], 1)]],
    ["layerNorm", (a, w, b) => ops.layerNorm(a, [3], w, b), [double([2, 3]), double([3], 1), double([3], 2)]],
    ["silu, gelu and sigmoid", (a) => a.silu().mul(ops.gelu(a)).add(a.sigmoid()), [double([5])]],
    [
      "attention",
      (q, k, v) => ops.scaledDotProductAttention(q, k, v, { isCausal: true }),
      [double([1, 2, 3, 4]), double([1, 2, 3, 4], 1), double([1, 2, 3, 4], 2)],
    ],
    ["embedding with repeated rows", (w) => ops.embedding(w, tensor([2, 0, 2], { dtype: "int64" })), [double([3, 2])]],
    [
      "crossEntropyLoss with smoothing",
      (a) => ops.crossEntropyLoss(a, tensor([1, 0], { dtype: "int64" }), null, 1, -100, 0.1),
      [double([2, 3])],
    ],
    [
      "gather, cat and slices",
      (a, b) => ops.cat([a.gather(1, tensor([[0, 0, 2]], { dtype: "int64" })), b.index("1:", ":3")]),
      [double([2, 3]), double([3, 4], 1)],
    ],
    [
      "masks and where",
      (a, b) => ops.where(mask, a, b).maskedFill(tensor([false, false, true]), 3),
      [double([2, 3]), double([2, 3], 1)],
    ],
    [
      "indexPut_",
      (a, b) =>
        a.mul(1).indexPut_(
          [
            [0, 1],
            [1, 1],
          ],
          b,
        ),
      [double([2, 3]), double([2], 1)],
    ],
    ["in-place steps", (a) => a.sin().add_(a).mul_(2).tanh_(), [double([4])]],
    ["logsigmoid and softplus", (a) => ops.logSigmoid(a).add(ops.softplus(a)), [double([4])]],
    ["einsum", (a, b) => ops.einsum("bij,bj->bi", [a, b]), [double([2, 2, 3]), double([2, 3], 1)]],
    [
      "a gradient's gradient",
      (a) => enableGrad(() => autograd.grad(a.pow(3).mul(a.sin()).sum(), a, { createGraph: true })[0]!),
      [double([3])],
    ],
  ])("%s", (_name, fn, inputs) => gradcheck(fn, ...inputs));
});
