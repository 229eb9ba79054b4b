/** What a tensor prints: the values as PyTorch prints them (scripts/parity/binding.py), then our suffixes. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { fromTypedArray, memory, ones, ops, tensor, tidy, zeros } from "../../src/torch";
import { fixture } from "../parity/fixture";
import { type EncodedTensor, makeTensor } from "./encoded";

const { versions: _, ...printed } = fixture<Record<string, { tensor: EncodedTensor; text: string }>>("torch/display");

test.each(Object.entries(printed))("values: %s", (_name, { tensor: spec, text }) => {
  tidy(() => {
    const made = makeTensor(spec);
    const shown = String(made);
    expect(shown.slice("tensor(".length, shown.search(/,\s+shape=/))).toBe(text);
  });
});

describe("after the values", () => {
  test("stand shape, dtype and device", () => {
    expect(String(ones([2, 1], { dtype: "int64" }))).toBe("tensor([[1],\n        [1]], shape=[2, 1], dtype=int64, device=cpu)");
    expect(String(tensor(2.5))).toBe("tensor(2.5000, shape=[], dtype=float32, device=cpu)");
    expect(String(zeros([0]))).toBe("tensor([], shape=[0], dtype=float32, device=cpu)");
  });

  test("stands requiresGrad of a leaf, and gradFn of a result", () => {
    const leaf = tensor([1], { requiresGrad: true });
    expect(String(leaf)).toBe("tensor([1.], shape=[1], dtype=float32, device=cpu, requiresGrad=true)");
    expect(String(leaf.add(leaf))).toBe("tensor([2.], shape=[1], dtype=float32, device=cpu, gradFn=AddBackward0)");
    expect(String(leaf.detach())).toBe("tensor([1.], shape=[1], dtype=float32, device=cpu)");
  });

  test("a suffix that would pass column 80 starts a line", () => {
    expect(String(ones([11], { requiresGrad: true }))).toBe(
      "tensor([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.], shape=[11], dtype=float32,\n" +
        "       device=cpu, requiresGrad=true)",
    );
  });
});

test("console.log and util.inspect print the same, inside other objects too", () => {
  const shown = "tensor([1.], shape=[1], dtype=float32, device=cpu)";
  expect(inspect(tensor([1]))).toBe(shown);
  expect(inspect({ loss: tensor([1]) })).toBe(`{ loss: ${shown} }`);
  expect(`${tensor([1])}`).toBe(shown);
});

test("a disposed tensor says so", () => {
  const gone = tensor([1]);
  gone.dispose();
  expect(String(gone)).toBe("tensor(disposed)");
  expect(inspect([gone])).toBe("[ tensor(disposed) ]");
});

test("views, transposed, negated and conjugated tensors print their values", () => {
  const matrix = tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(String(matrix.t())).toContain("[[1., 3.],\n        [2., 4.]]");
  const complex = fromTypedArray(new Float32Array([1, 2]), [1, 2]).viewAsComplex();
  expect(String(complex.conj())).toContain("[1.-2.j]");
  expect(String(complex.conj().imag())).toContain("[-2.]");
});

test("values that are not laid out in memory are left out", () => {
  const suffix = "shape=[2, 2], dtype=float32, device";
  expect(
    String(
      tensor([
        [0, 1],
        [2, 0],
      ]).toSparse(),
    ),
  ).toBe(`tensor(..., ${suffix}=cpu)`);
  expect(String(zeros([2, 2], { device: "meta" }))).toBe(`tensor(..., ${suffix}=meta)`);
  const quantised = ops._makePerTensorQuantizedTensor(tensor([1, 2], { dtype: "int8" }), 0.5, 1);
  expect(String(quantised)).toMatch(/^tensor\(\.\.\., shape=\[2\]/);
});

test("printing leaves no tensor behind", () => {
  const large = ones([60, 60], { dtype: "bfloat16" });
  const before = memory().tensors;
  String(large);
  expect(memory().tensors).toBe(before);
});
