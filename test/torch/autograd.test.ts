/** Recording and backward: gradients, graphs kept and freed, modes. Gradients of operators: sweep and gradcheck. */
import { describe, expect, test } from "vitest";
import {
  autograd,
  enableGrad,
  isGradEnabled,
  memory,
  noGrad,
  ones,
  type Tensor,
  TorchError,
  tensor,
  tidy,
  zeros,
} from "../../src/torch";
import { wave } from "../parity/fixture";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const list = (value: Tensor | null) => value?.toList();

describe("backward", () => {
  test("adds to the gradients of the leaves", () => {
    const x = leaf(1, 2);
    x.square().sum().backward();
    expect(list(x.grad)).toEqual([2, 4]);
    x.mul(10).sum().backward();
    expect(list(x.grad)).toEqual([12, 14]);
    x.grad = null;
    expect(x.grad).toBeNull();
  });

  test("starts from the gradient given", () => {
    const x = leaf(1, 2, 3);
    x.mul(2).backward(tensor([1, 0, -1]));
    expect(list(x.grad)).toEqual([2, 0, -2]);
    expect(() => x.mul(2).backward()).toThrow("grad can be implicitly created only for scalar outputs");
    expect(() => x.mul(2).backward(ones([2]))).toThrow(/Mismatch in shape|invalid gradient/);
  });

  test("reaches only the leaves named in inputs", () => {
    const [x, y] = [leaf(2), leaf(3)];
    x.mul(y).backward(null, { inputs: [y] });
    expect([x.grad, list(y.grad)]).toEqual([null, [2]]);
  });

  test("frees the graph unless it is kept", () => {
    const x = leaf(3);
    const y = x.square();
    y.backward(null, { retainGraph: true });
    y.backward();
    expect(list(x.grad)).toEqual([12]);
    expect(() => y.backward()).toThrow("Trying to backward through the graph a second time");
  });

  test("of several outputs, each with its gradient, in one pass", () => {
    const x = leaf(1, 2);
    const shared = x.mul(3);
    autograd.backward([shared.mul(2), shared.sum()], [tensor([1, 10]), null]);
    expect(list(x.grad)).toEqual([9, 63]);
    expect(() => autograd.backward([x.mul(1)], [null, null])).toThrow(
      "Expected one gradient per output (1) for 'gradients' but received 2",
    );
    expect(() => autograd.backward(x.mul(1) as never, [3 as never])).toThrow(
      "Expected a Tensor or an array of Tensors and nulls for 'gradients'",
    );
  });

  test("without a graph is an error", () => {
    expect(() => tensor([1]).sum().backward()).toThrow("does not require grad and does not have a grad_fn");
    expect(() => noGrad(() => leaf(1).sum()).backward()).toThrow(TorchError);
  });

  test("does not need the handles between: disposing them changes nothing", () => {
    const gradient = (free: boolean) => {
      const [x, w] = [wave([4, 3]).requiresGrad_(), wave([3, 3], 1, 1).requiresGrad_()];
      const steps = [x.matmul(w)];
      for (const activate of [
        (t: Tensor) => t.silu(),
        (t: Tensor) => t.softmax(-1),
        (t: Tensor) => t.exp(),
        (t: Tensor) => t.matmul(w),
      ])
        steps.push(activate(steps.at(-1)!));
      const loss = steps.at(-1)!.square().sum();
      if (free) steps.forEach((step) => step.dispose());
      loss.backward();
      return [x.grad!.toArray(), w.grad!.toArray()];
    };
    expect(gradient(true)).toEqual(gradient(false));
    const x = leaf(2);
    const loss = tidy(() => x.mul(3).square().sum());
    loss.backward();
    expect(list(x.grad)).toEqual([36]);
  });

  test("leaves no tensor behind but the gradients", () => {
    const x = leaf(1, 2);
    const before = memory().tensors;
    tidy(() => x.exp().log().square().sum().backward());
    expect(memory().tensors).toBe(before);
  });
});

describe("autograd.grad", () => {
  test("returns gradients and touches no .grad", () => {
    const [x, y] = [leaf(2), leaf(3)];
    expect(autograd.grad(x.mul(y).square(), [x, y]).map(list)).toEqual([[36], [24]]);
    expect([x.grad, y.grad]).toEqual([null, null]);
  });

  test("takes gradOutputs as a tensor, a list, or null for single elements", () => {
    const x = leaf(1, 2);
    expect(autograd.grad(x.mul(2), x, { gradOutputs: tensor([1, 3]) }).map(list)).toEqual([[2, 6]]);
    expect(autograd.grad([x.mul(2), x.sum()], [x], { gradOutputs: [ones([2]), null] }).map(list)).toEqual([[3, 3]]);
    expect(() => autograd.grad(x.mul(2), x, { gradOutputs: [ones([2]), ones([2])] })).toThrow(
      "Expected one gradient per output (1) for 'gradOutputs' but received 2",
    );
    expect(() => autograd.grad([x.mul(2), "y"] as never, x)).toThrow("Expected a Tensor or an array of Tensors for 'outputs'");
  });

  test("an input that is not used is an error, or null where that is allowed", () => {
    const [x, unused] = [leaf(2), leaf(3)];
    expect(() => autograd.grad(x.square(), [x, unused])).toThrow("appears to not have been used in the graph");
    expect(autograd.grad(x.square(), [x, unused], { allowUnused: true }).map((one) => one && list(one))).toEqual([[4], null]);
  });

  test("towards a result in the middle of the graph", () => {
    const x = leaf(2);
    const middle = x.mul(5);
    expect(autograd.grad(middle.square(), middle).map(list)).toEqual([[20]]);
  });

  test("createGraph makes gradients of gradients", () => {
    const x = leaf(2);
    const [first] = autograd.grad(x.pow(4), x, { createGraph: true });
    const [second] = autograd.grad(first!, x, { createGraph: true });
    const [third] = autograd.grad(second!, x);
    expect([first, second, third].map((one) => list(one!))).toEqual([[32], [48], [48]]);
    expect(third!.requiresGrad).toBe(false);
  });

  test("backward through a gradient: a penalty on its norm", () => {
    const [w, x] = [leaf(1, -2), tensor([3, 4])];
    const [slope] = autograd.grad(w.mul(x).sum().square(), w, { createGraph: true }); // 2 (w.x) x
    slope!.square().sum().backward(); // 4 (w.x)^2 |x|^2
    expect(list(w.grad)).toEqual([8 * -5 * 25 * 3, 8 * -5 * 25 * 4]);
  });
});

describe("a tensor", () => {
  test("of whole numbers takes no gradient", () => {
    expect(() => tensor([1n]).requiresGrad_()).toThrow(/floating point and complex/);
    expect(() => zeros([1], { dtype: "bool", requiresGrad: true })).toThrow(/floating point and complex/);
  });

  test("that is a result knows its operation; a leaf has none", () => {
    const x = leaf(1);
    const y = x.exp();
    expect([x.isLeaf, x.gradFn, y.isLeaf, y.gradFn, y.requiresGrad]).toEqual([true, null, false, "ExpBackward0", true]);
    expect([tensor([1]).isLeaf, tensor([1]).exp().requiresGrad]).toEqual([true, false]);
    expect(() => (y.requiresGrad = false)).toThrow("you can only change requires_grad flags of leaf tensors; use detach()");
  });

  test("that is a result keeps its gradient when told to", () => {
    const x = leaf(2);
    const kept = x.mul(3);
    kept.retainGrad();
    kept.mul(x.mul(5)).backward();
    expect([list(kept.grad), list(x.grad)]).toEqual([[10], [60]]);
    expect(() => tensor([1]).retainGrad()).toThrow(TorchError);
  });

  test("detached shares values and no history", () => {
    const x = leaf(2);
    const cut = x.mul(3).detach();
    expect([cut.requiresGrad, cut.isLeaf]).toEqual([false, true]);
    x.mul(cut).backward();
    expect(list(x.grad)).toEqual([6]);
    x.detach().fill_(9);
    expect(x.item()).toBe(9);
  });

  test("takes an assigned gradient of its shape, dtype and device", () => {
    const x = leaf(1, 2);
    x.grad = tensor([5, 6]);
    x.sum().backward();
    expect(list(x.grad)).toEqual([6, 7]);
    expect(() => (x.grad = tensor([1]))).toThrow("assigned grad has shape [1] but the tensor has shape [2]");
    expect(() => (x.grad = tensor([1, 2], { dtype: "float64" }))).toThrow("assigned grad is float64 but the tensor is float32");
    expect(() => (x.grad = zeros([2], { device: "meta" }))).toThrow("assigned grad is on meta but the tensor is on cpu");
    expect(list(x.grad)).toEqual([6, 7]);
  });

  test("gives its gradient as a new handle each time, on one tensor", () => {
    const x = leaf(1);
    x.sum().backward();
    const [first, second] = [x.grad!, x.grad!];
    expect([first === second, first.is(second)]).toEqual([false, true]);
    first.mul_(4);
    first.dispose();
    expect(list(x.grad)).toEqual([4]);
    expect(second.item()).toBe(4);
  });

  test("that is a leaf is not written to in place while recording", () => {
    const x = leaf(1);
    expect(() => x.add_(1)).toThrow("a leaf Variable that requires grad is being used in an in-place operation");
    noGrad(() => x.add_(1));
    expect(x.item()).toBe(2);
  });

  test("overwritten after backward needs it is an error", () => {
    const y = leaf(1).exp();
    const z = y.square();
    y.mul_(2);
    expect(() => z.backward()).toThrow("has been modified by an inplace operation");
  });
});

describe("modes", () => {
  test("nest, and end as they were found", () => {
    const seen: boolean[] = [];
    const look = () => seen.push(isGradEnabled());
    look();
    noGrad(() => {
      look();
      enableGrad(() => (look(), noGrad(look), look()));
      look();
    });
    look();
    expect(seen).toEqual([true, false, true, false, true, false, true]);
  });

  test("return what the function returns", () => {
    expect(noGrad(() => leaf(1).mul(2)).requiresGrad).toBe(false);
    expect(noGrad(() => enableGrad(() => leaf(1).mul(2))).requiresGrad).toBe(true);
    expect([noGrad(() => 7), noGrad(() => undefined), enableGrad(() => null)]).toEqual([7, undefined, null]);
  });

  test("end when the function throws, in JavaScript or in libtorch", () => {
    expect(() =>
      noGrad(() => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(isGradEnabled()).toBe(true);
    expect(() => noGrad(() => enableGrad(() => zeros([2]).matmul(zeros([3]))))).toThrow(TorchError);
    expect(isGradEnabled()).toBe(true);
  });

  test.each([
    ["noGrad", noGrad],
    ["enableGrad", enableGrad],
  ])("%s refuses an asynchronous function", async (name, mode) => {
    let during: boolean | undefined;
    expect(() =>
      mode(async () => {
        during = isGradEnabled();
      }),
    ).toThrow(`Expected a synchronous function for '${name}' but received one that returns a promise`);
    expect(isGradEnabled()).toBe(true);
    expect(during).toBe(name === "enableGrad");
  });

  test("gradients recorded outside stay recorded through noGrad", () => {
    const x = leaf(3);
    const y = x.square();
    noGrad(() => y.mul(100));
    y.backward();
    expect(list(x.grad)).toEqual([6]);
  });
});
