/** Indexing against PyTorch's `x[...]` and `x[...] = value` (scripts/parity/binding.py). */
import { describe, expect, test } from "vitest";
import { arange, full, type Index, memory, ones, Slice, slice, Tensor, tensor, tidy, zeros } from "../../src/torch";
import { fixture, wave } from "../parity/fixture";
import { type EncodedTensor, expectNumbers, expectResult, makeTensor, type Result } from "./encoded";

type EncodedIndex = (number | string | boolean | null | unknown[] | EncodedTensor)[];

type Get = { index: EncodedIndex; view: boolean; result: Result; grad: number[] };
type Put = { index: EncodedIndex; value: number | EncodedTensor; accumulate: boolean; result: number[] };
type OutOfRange = { index: EncodedIndex; error: string };

const { versions: _, ...cases } = fixture<Record<string, Get | Put | OutOfRange>>("torch/indexing");

/** The cases that have a field. */
function casesOf<C>(field: string): [string, C][] {
  return Object.entries(cases).filter((one): one is [string, C & (Get | Put | OutOfRange)] => field in one[1]);
}

function decodeIndex(index: EncodedIndex): Index[] {
  return index.map((one) => (typeof one === "object" && one !== null && !Array.isArray(one) ? makeTensor(one) : (one as Index)));
}

describe("x[...] gives PyTorch's values, gradient and sharing of memory", () => {
  test.each(casesOf<Get>("view"))("%s", (_name, { index, view, result, grad }) => {
    tidy(() => {
      const x = wave([2, 3, 4]).requiresGrad_();
      const got = x.index(...decodeIndex(index));
      expectResult(got, result, 1e-6);
      got
        .mul(wave(result.shape, 1, 9))
        .sum()
        .backward();
      expectNumbers(x.grad!, grad, 1e-6, "gradient");

      if (result.values.length === 0) return;
      const base = arange(24).reshape([2, 3, 4]);
      base.index(...decodeIndex(index)).fill_(-1);
      expect(base.min().item() === -1, "writes to the result reach x").toBe(view);
    });
  });
});

describe("out of range", () => {
  test.each(casesOf<OutOfRange>("error"))("%s", (_name, { index, error }) => {
    const x = wave([2, 3, 4]);
    const message = error.startsWith("too many indices")
      ? "Expected at most 3 indices for a tensor of 3 dimensions but received 4"
      : error;
    expect(() => x.index(...decodeIndex(index))).toThrow(message);
    expect(() => x.indexPut_(decodeIndex(index), 1)).toThrow(message);
  });

  test("a tensor without dimensions takes no number", () => {
    expect(() => tensor(3).index(0)).toThrow("Expected at most 0 indices for a tensor of 0 dimensions but received 1");
    expect(tensor(3).index("...").item()).toBe(3);
    expect(tensor(3).index(null).shape).toEqual([1]);
  });
});

describe("x[...] = value", () => {
  test.each(casesOf<Put>("value"))("%s", (_name, { index, value, accumulate, result }) => {
    tidy(() => {
      const x = tensor([
        [0, 1, 2],
        [3, 4, 5],
      ]);
      const what = typeof value === "number" ? value : makeTensor(value);
      expect(x.indexPut_(decodeIndex(index), what, accumulate)).toBe(x);
      expect([...x.toArray()]).toEqual(result);
    });
  });

  test("a number is converted to the dtype of the tensor", () => {
    expect(zeros([2], { dtype: "int64" }).indexPut_([0], 1.9).toList()).toEqual([1, 0]);
    expect(
      zeros([2], { dtype: "int64" })
        .indexPut_([[1]], 2n ** 62n)
        .toList(),
    ).toEqual([0, 2n ** 62n]);
    expect(zeros([3], { dtype: "bool" }).indexPut_(["1:"], true).toList()).toEqual([false, true, true]);
    expect(
      zeros([2], { dtype: "bfloat16" })
        .indexPut_([tensor([true, false])], 1.1)
        .toList(),
    ).toEqual([1.1015625, 0]);
  });

  test("a tensor of another dtype fits a slice, not advanced indices", () => {
    const x = zeros([2, 2]);
    x.indexPut_([0], ones([2], { dtype: "float64" }));
    expect(x.toList()).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect(() => x.indexPut_([[0]], ones([2], { dtype: "float64" }))).toThrow("source and destination dtypes match");
  });

  test("a value that does not fit is an error and changes nothing", () => {
    const x = zeros([2, 3]);
    expect(() => x.indexPut_([0], ones([2]))).toThrow("size of tensor a (3) must match the size of tensor b (2)");
    expect(() => x.indexPut_([[0, 1]], ones([2]))).toThrow("shape mismatch");
    expect(x.sum().item()).toBe(0);
  });

  test("gradients reach the value and leave what was overwritten", () => {
    const x = ones([3], { requiresGrad: true });
    const value = tensor([5], { requiresGrad: true });
    const y = x.mul(2).indexPut_([[1]], value);
    y.mul(tensor([1, 10, 100]))
      .sum()
      .backward();
    expect(x.grad!.toList()).toEqual([2, 0, 200]);
    expect(value.grad!.toList()).toEqual([10]);
  });

  test("a leaf that takes gradients is not written to", () => {
    const x = ones([3], { requiresGrad: true });
    expect(() => x.indexPut_([0], 1)).toThrow(
      "a view of a leaf Variable that requires grad is being used in an in-place operation",
    );
  });
});

describe("slices", () => {
  test("are written as slice(), or as text", () => {
    const x = arange(10);
    const list = (index: Index) => x.index(index).toList();
    expect(list(slice(2))).toEqual(list(":2"));
    expect(list(slice(1, 3))).toEqual(list("1:3"));
    expect(list(slice(null, null, 3))).toEqual(list("::3"));
    expect(list(slice(-3, null))).toEqual(list(" -3 : "));
    expect(list(slice(null))).toEqual(list(":"));
    expect(list(slice(8, 2))).toEqual([]);
    expect(slice(1, 3)).toBeInstanceOf(Slice);
  });

  test.each([
    { what: "a fraction", make: () => slice(1.5), message: "Expected an integer for 'end' but received 1.5" },
    { what: "NaN", make: () => slice(NaN, 2), message: "Expected an integer for 'start' but received NaN" },
    { what: "a step of 0", make: () => slice(0, 2, 0), message: "Expected a positive step for 'slice' but received 0" },
    { what: "a step backwards", make: () => arange(3).index("::-1"), message: "flip() reverses a dimension" },
  ])("refuse $what", ({ make, message }) => {
    expect(make).toThrow(message);
  });
});

test.each([
  { index: ["1"], message: 'Expected a slice such as "1:3" or "..." for an index but received "1"' },
  { index: [1.5], message: "Expected an integer index but received 1.5" },
  { index: [NaN], message: "Expected an integer index but received NaN" },
  {
    index: [undefined],
    message: "Expected a number, slice, null, boolean, Tensor or array for an index but received undefined",
  },
  { index: [{ start: 1 }], message: "received { start }" },
  { index: [[0.5]], message: "Expected integers for dtype int64 but received 0.5" },
  { index: ["...", "..."], message: 'Expected at most one "..." among the indices' },
])("refuses $index as indices", ({ index, message }) => {
  expect(() => zeros([2, 2]).index(...(index as Index[]))).toThrow(message);
});

test("views of views write through, and their gradients arrive", () => {
  const x = zeros([3, 4]);
  x.index("1:").index(0, "::2").fill_(7);
  expect(x.toList()).toEqual([
    [0, 0, 0, 0],
    [7, 0, 7, 0],
    [0, 0, 0, 0],
  ]);

  const leaf = full([2, 3], 2, { requiresGrad: true });
  leaf.index(0, "1:").square().sum().backward();
  expect(leaf.grad!.toList()).toEqual([
    [0, 4, 4],
    [0, 0, 0],
  ]);
});

test("an index taken twice gathers its gradient twice", () => {
  const x = tensor([1, 2, 3], { requiresGrad: true });
  x.index([1, 1, 0]).sum().backward();
  expect(x.grad!.toList()).toEqual([1, 2, 0]);
});

test("makes one tensor and no more", () => {
  const x = zeros([2, 3, 4]);
  const before = memory().tensors;
  const made = [x.index(0, "1:", [0, 1]), x.index(0, null, "::2"), x.index([true, false], 1)];
  expect(memory().tensors - before).toBe(made.length);
  x.indexPut_([0, [1, 2], "1:"], 3, true);
  expect(memory().tensors - before).toBe(made.length);
  expect(made.every((one) => one instanceof Tensor && one.slot !== -1)).toBe(true);
});
