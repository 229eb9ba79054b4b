/** An operator for every kind of argument and of result in ATen's schemas; a kind new in a libtorch fails here. */
import { describe, expect, test } from "vitest";
import { binding } from "../../src/native/binding";
import { arange, empty, Generator, NotImplementedError, ones, op, ops, type Tensor, tensor, zeros } from "../../src/torch";

const float = (...values: number[]) => tensor(values);
const int = (...values: number[]) => tensor(values, { dtype: "int64" });
const grid = () => arange(6, { dtype: "float32" }).reshape([2, 3]);
const list = (value: Tensor | null) => value?.toList();

/** By kind, as `binding.describeOperator` names them: an operator that takes one. `[n]` is a list of a fixed size. */
const argumentKinds: Record<string, () => void> = {
  Tensor: () => expect(list(float(1).add(float(2)))).toEqual([3]),
  "Tensor?": () => {
    expect(list(ops.linear(float(1), tensor([[2]]), float(5)))).toEqual([7]);
    expect(list(ops.linear(float(1), tensor([[2]]), null))).toEqual([2]);
    expect(list(ops.linear(float(1), tensor([[2]])))).toEqual([2]);
  },
  "Tensor[]": () => expect(list(ops.cat([float(1), float(2)]))).toEqual([1, 2]),
  "Tensor?[]": () =>
    expect(list(ops.index(grid(), [null, int(2, 0)]))).toEqual([
      [2, 0],
      [5, 3],
    ]),
  Scalar: () => expect(list(float(1).add(2.5))).toEqual([3.5]),
  "Scalar?": () => expect(list(float(-1, 3).clamp(null, 2))).toEqual([-1, 2]),
  "Scalar[]": () => expect(ops._foreachAdd([float(1), int(1)], [0.5, 2]).map(list)).toEqual([[1.5], [3]]),
  int: () => expect(list(grid().select(1, -1))).toEqual([2, 5]),
  "int?": () => {
    expect(grid().argmax(null).item()).toBe(5);
    expect(list(grid().argmax(1))).toEqual([2, 2]);
  },
  "int[]": () => expect(grid().reshape([3, -1]).shape).toEqual([3, 2]),
  "int[]?": () => expect(ops.upsampleNearest2d(zeros([1, 1, 2, 2]), [4, 6], null).shape).toEqual([1, 1, 4, 6]),
  "int[n]": () => {
    expect(ops.maxPool2d(zeros([1, 4, 6]), 2).shape).toEqual([1, 2, 3]); // a number stands for all
    expect(ops.maxPool2d(zeros([1, 4, 6]), [2, 3]).shape).toEqual([1, 2, 2]);
  },
  "int[n]?": () => {
    expect(grid().sum(null).item()).toBe(15);
    expect(list(ops._testOptionalFilledIntlist(tensor([1, 2], { dtype: "int32" }), 3))).toEqual([4, 5]);
  },
  float: () => expect(list(ops.layerNorm(float(-1, 1), [2], null, null, 3))).toEqual([-0.5, 0.5]),
  "float?": () => {
    const one = ones([1, 1, 1]);
    expect(list(ops.scaledDotProductAttention(one, one, one, { scale: 0.5 }))).toEqual([[[1]]]);
    expect(list(ops.logit(float(0, 0.5), 0.5))).toEqual([0, 0]);
  },
  "float[]?": () => expect(ops.upsampleNearest2d(zeros([1, 1, 2, 2]), null, [2, 1.5]).shape).toEqual([1, 1, 4, 3]),
  bool: () => expect(grid().sum(1, true).shape).toEqual([2, 1]),
  "bool?": () => expect(ops.empty([2], { pinMemory: false }).shape).toEqual([2]),
  "bool[n]": () => {
    const x = grid();
    const [, mean, rstd] = ops.nativeLayerNorm(x, [3], null, null, 1e-5);
    const [input, weight, bias] = ops.nativeLayerNormBackward(ones([2, 3]), x, [3], mean, rstd, ones([3]), ones([3]), [
      false,
      true,
      true,
    ]);
    expect(input).toBeNull(); // not asked for: an undefined tensor
    expect([weight.shape, list(bias)]).toEqual([[3], [2, 2, 2]]);
  },
  str: () => expect(list(ops.einsum("i,i->", [float(1, 2), float(3, 4)]))).toBe(11),
  "str?": () => expect(list(float(7).div(2, { roundingMode: null }))).toEqual([3.5]),
  dtype: () => expect([ops.canCast("float32", "int64"), ops.canCast("int8", "float16")]).toEqual([false, true]),
  "dtype?": () => expect(int(1).sum({ dtype: "float16" }).dtype).toBe("float16"),
  layout: () => {
    const check = (indices: Tensor) =>
      ops._validateSparseCompressedTensorArgs(int(0, 1), indices, float(1), [1, 2], "sparse_csr");
    expect(check(int(1))).toBeUndefined();
    expect(() => check(int(5))).toThrow("`0 <= col_indices < ncols` is not satisfied");
  },
  "layout?": () => expect(list(ops.zeros([2], { layout: "sparse_coo" }).toDense())).toEqual([0, 0]),
  Device: () => expect(ops.to(float(1), "meta", "float64").device).toBe("meta"),
  "Device?": () => expect(ops.zeros([2], { device: "meta" }).device).toBe("meta"),
  MemoryFormat: () => expect(zeros([1, 2, 3, 4]).contiguous({ memoryFormat: "channels_last" }).strides).toEqual([24, 1, 8, 2]),
  "MemoryFormat?": () => expect(zeros([1, 2, 3, 4]).clone({ memoryFormat: "channels_last" }).strides).toEqual([24, 1, 8, 2]),
  "Generator?": () => {
    const drawn = [0, 1].map(() => list(ops.rand([3], { generator: new Generator().manualSeed(1) })));
    expect(drawn[0]).toEqual(drawn[1]);
    expect(ops.rand([3], { generator: null }).shape).toEqual([3]);
  },
  Storage: () => {
    const source = float(1, 2, 3, 4);
    const view = ops.set_(empty([0]), source, 1, [2], [2]); // a tensor stands for its storage
    source.fill_(9);
    expect(list(view)).toEqual([9, 9]);
  },
  Stream: () => expect(() => float(1).recordStream("cpu")).toThrow(NotImplementedError), // it arrived: CPUs have none
  "other[]": () => {
    const call = () => op("aten::quantized_gru.input")(float(1), float(1), [{}], true, 1, 0, false, false, false);
    expect(call).toThrow("a value JavaScript cannot make");
  },
};

const returnKinds: Record<string, () => void> = {
  Tensor: () => expect(list(float(1).neg())).toEqual([-1]),
  "Tensor[]": () =>
    expect(grid().unbind(1).map(list)).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]),
  int: () => expect(grid().denseDim()).toBe(2),
  SymInt: () => expect([ops.symSize(grid(), 1), ops.symNumel(grid())]).toEqual([3, 6]),
  float: () => expect(ops._chooseQparamsPerTensor(float(0, 255))).toEqual([1, 0]),
  bool: () => expect([grid().equal(grid()), grid().isComplex()]).toEqual([true, false]),
  SymBool: () => expect([ops.symIsContiguous(grid()), ops.symIsContiguous(grid().t())]).toEqual([true, false]),
  Scalar: () =>
    expect([ops.item(tensor(2.5)), ops.item(tensor(true)), ops.item(tensor(2n ** 62n))]).toEqual([2.5, true, 2n ** 62n]),
  ScalarType: () =>
    expect([ops.promoteTypes("float16", "bfloat16"), ops.resultType(int(1), 0.5)]).toEqual(["float32", "float32"]),
  QScheme: () =>
    expect(ops.qscheme(ops._makePerTensorQuantizedTensor(tensor([1], { dtype: "int8" }), 0.5, 1))).toBe("per_tensor_affine"),
  // Distributed autograd's, which libtorch for one machine does not have.
  "Dict(Tensor, Tensor)": () => expect(() => ops.getGradients(0)).toThrow(NotImplementedError),
};

describe("every kind in ATen's schemas", () => {
  const described = binding
    .operatorNames()
    .filter((name) => name.startsWith("aten::"))
    .map((name) => binding.describeOperator(binding.findOperator(name)));

  test("is in these tables", () => {
    const kinds = described.flatMap(({ arguments: all }) =>
      all.map(
        ({ kind, list: isList, optional, optionalElement, size }) =>
          `${kind}${optionalElement ? "?" : ""}${isList ? (size > 0 ? "[n]" : "[]") : ""}${optional ? "?" : ""}`,
      ),
    );
    const returned = described.flatMap(({ returns }) => returns.map(({ type }) => type));
    expect([...new Set(kinds)].filter((kind) => !(kind in argumentKinds))).toEqual([]);
    expect([...new Set(returned)].filter((kind) => !(kind in returnKinds))).toEqual([]);
    expect(described.length).toBeGreaterThan(3000);
  });

  test.each(Object.entries(argumentKinds))("goes in: %s", (_kind, check) => check());
  test.each(Object.entries(returnKinds))("comes back: %s", (_kind, check) => check());
});
