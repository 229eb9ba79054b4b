/** Calling operators: the overload a call takes, what comes back, what numbers mean. Kinds of argument: kinds.test. */
import { describe, expect, test } from "vitest";
import {
  arange,
  type DType,
  empty,
  fromTypedArray,
  hasOp,
  memory,
  ones,
  op,
  ops,
  type Scalar,
  Tensor,
  tensor,
  tidy,
  zeros,
} from "../../src/torch";

const float = (...values: number[]) => tensor(values);
const int = (...values: number[]) => tensor(values, { dtype: "int64" });
const grid = () => arange(6, { dtype: "float32" }).reshape([2, 3]);
const condition = () => tensor([true, false]);

describe("the overload", () => {
  test.each<[string, () => Tensor, unknown, DType?]>([
    ["a tensor before a scalar", () => float(1, 2).add(float(3, 4)), [4, 6]],
    ["a scalar", () => float(1, 2).add(3), [4, 5]],
    ["tensor to the power of a tensor", () => float(2, 3).pow(float(3, 2)), [8, 9]],
    ["tensor to the power of a number", () => float(2, 3).pow(2), [4, 9]],
    ["number to the power of a tensor", () => ops.pow(2, float(2, 3)), [4, 8]],
    ["where of two tensors", () => ops.where(condition(), float(1, 2), float(3, 4)), [1, 4]],
    ["where as a method keeps this tensor where the condition holds", () => float(1, 2).where(condition(), float(3, 4)), [1, 4]],
    ["where as a method with a number", () => float(1, 2).where(condition(), 7), [1, 7]],
    ["a single number for a list of dimensions", () => float(1, 2).flip(0), [2, 1]],
    ["a reduction by name", () => ops.mseLoss(float(1, 2), float(3, 5), { reduction: "none" }), [4, 9]],
    ["where of a tensor and a number", () => ops.where(condition(), float(1, 2), 0), [1, 0]],
    ["where of a number and a tensor", () => ops.where(condition(), 5, float(1, 2)), [5, 2]],
    ["where of two numbers", () => ops.where(condition(), 5, 6), [5, 6], "int64"],
    ["sum of all", () => grid().sum(), 15],
    ["sum over one dimension", () => grid().sum(1), [3, 12]],
    ["sum over several", () => grid().sum([0, 1]), 15],
    ["sum with keepdim by position", () => grid().sum(-1, true), [[3], [12]]],
    ["sum with dim by name", () => grid().sum({ dim: 0 }), [3, 5, 7]],
    ["sum with names in any order", () => grid().sum({ keepdim: true, dim: [0] }), [[3, 5, 7]]],
    ["sum with a keyword only", () => grid().sum({ dtype: "float64" }), 15, "float64"],
    ["max of all", () => grid().max(), 5],
    [
      "max with another tensor",
      () => grid().max(tensor(2)),
      [
        [2, 2, 2],
        [3, 4, 5],
      ],
    ],
    ["max over a dimension", () => grid().max(1)[1], [2, 2], "int64"],
    [
      "view of a shape",
      () => grid().view([3, 2]),
      [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
    ],
    ["view of a dtype", () => float(1).view("int32"), [0x3f800000], "int32"],
    ["div", () => float(7, -7).div(2), [3.5, -3.5]],
    ["div of a number with a mode", () => float(7, -7).div(2, { roundingMode: "floor" }), [3, -4]],
    ["div of a tensor with a mode", () => float(7, -7).div(float(2, 2), { roundingMode: "trunc" }), [3, -3]],
    ["a keyword beside a tensor", () => float(1, 2).sub(float(1, 1), { alpha: 2 }), [-1, 0]],
    ["softmax by position", () => float(0, 0).softmax(0, "float64"), [0.5, 0.5], "float64"],
    ["softmax by name", () => float(0, 0).softmax({ dim: 0, dtype: "float64" }), [0.5, 0.5], "float64"],
    ["a function's arguments by name", () => ops.softmax(float(0, 0), { dim: 0 }), [0.5, 0.5]],
    ["var with a boolean", () => float(1, 3).var(true), 2],
    ["var with a dimension", () => float(1, 3).var(0), 2],
    ["var with a dimension and a boolean", () => float(1, 3).var([0], false), 1],
    ["var with a correction", () => float(1, 3).var({ correction: 0 }), 1],
    ["squeeze of all", () => zeros([1, 2, 1]).squeeze(), [0, 0]],
    ["squeeze of one dimension", () => zeros([1, 2, 1]).squeeze(0), [[0], [0]]],
    ["squeeze of several", () => zeros([1, 2, 1]).squeeze([0, 2]), [0, 0]],
    ["split into equal parts", () => grid().split(1)[1]!, [[3, 4, 5]]],
    [
      "split into sizes",
      () => grid().split([1, 2], 1)[1]!,
      [
        [1, 2],
        [4, 5],
      ],
    ],
    ["repeats as a number", () => float(1, 2).repeatInterleave(2), [1, 1, 2, 2]],
    ["repeats as a tensor", () => float(1, 2).repeatInterleave(int(2, 1)), [1, 1, 2]],
    ["scatter of a number", () => zeros([2]).scatter(0, int(1), 5), [0, 5]],
    ["scatter of a tensor", () => zeros([2]).scatter(0, int(1), float(6)), [0, 6]],
    ["scatter with a reduction", () => ones([2]).scatter(0, int(1), 6, { reduce: "multiply" }), [1, 6]],
    ["norm without an order", () => float(3, -4).norm(), 5],
    ["norm of an order", () => float(3, -4).norm(1), 7],
    ["clamp between numbers", () => float(-1, 5).clamp(0, 2), [0, 2]],
    ["clamp with one bound by name", () => float(-1, 5).clamp({ max: 2 }), [-1, 2]],
    ["clamp between tensors", () => float(-1, 5).clamp(float(0, 6)), [0, 6]],
    ["a factory's size first", () => ops.randint(1, [2]), [0, 0], "int64"],
    ["null for an optional argument", () => grid().argmax(null), 5, "int64"],
    ["undefined for a default", () => grid().argmax(undefined, true), [[5]], "int64"],
    [
      "an empty options object",
      () => grid().cumsum(1, {}),
      [
        [0, 1, 3],
        [3, 7, 12],
      ],
    ],
    ["undefined in the options", () => grid().sum(1, { keepdim: undefined, dtype: null }), [3, 12]],
  ])("%s", (_name, call, gives, dtype = "float32") => {
    const result = call();
    expect(result.toList()).toEqual(gives);
    expect(result.dtype).toBe(dtype);
  });

  const anyOps = ops as unknown as Record<string, (...args: unknown[]) => unknown>;

  test("every argument may be given by name", () => {
    const added = anyOps.add!({ other: float(2), self: float(1), alpha: 3 }) as Tensor;
    expect(added.toList()).toEqual([7]);
  });

  test("none: the error says what was given and what there is", () => {
    expect(() => anyOps.add!(float(1), "x")).toThrow(
      /^add: no overload takes \(Tensor float32\[1\], "x"\); there are\n {2}aten::add\.Tensor/,
    );
    expect(() => anyOps.matmul!(float(1))).toThrow(/^matmul: Missing argument 'other'; there is\n {2}aten::matmul\(/);
    expect(() => anyOps.matmul!(float(1), 2)).toThrow("Expected a Tensor for 'other' but received 2");
    expect(() => anyOps.relu!(float(1), 2)).toThrow("Expected at most 1 arguments by position");
    expect(() => anyOps.softmax!(float(1), { dimension: 0 })).toThrow("'dimension'");
    expect(() => anyOps.softmax!(float(1), 0, { dim: 0 })).toThrow("'dim'");
    expect(() => anyOps.reshape!(float(1), [0.5])).toThrow("Expected an array (an integer each) for 'shape' but received [0.5]");
    expect(() => anyOps.gelu!(float(1), { approximate: 3 })).toThrow("Expected a string for 'approximate' but received 3");
  });
});

describe("in place", () => {
  test("the very same tensor comes back, from methods and functions, and no handle is made", () => {
    const x = float(1, -2);
    const before = memory().tensors;
    expect(x.mul_(2)).toBe(x);
    expect(ops.relu_(x)).toBe(x);
    expect(x.unsqueeze_(0)).toBe(x);
    expect(memory().tensors).toBe(before);
    expect(x.add_(1).fill_(3).copy_(float(7, 8))).toBe(x);
    expect(x.requiresGrad_()).toBe(x);
    expect(x.toList()).toEqual([[7, 8]]);
  });

  test("a result survives the scope of the call, being what it was called on", () => {
    const x = float(1);
    const returned = tidy(() => x.add_(float(1)));
    expect(returned).toBe(x);
    expect(x.item()).toBe(2);
  });

  test("operators on lists change them and return nothing", () => {
    const [a, b] = [float(1), float(2)];
    expect(ops._foreachAdd_([a, b], [a.clone(), b.clone()], { alpha: 2 })).toBeUndefined();
    expect([a.item(), b.item()]).toEqual([3, 6]);
  });

  test("out is written to and comes back", () => {
    const out = empty([2]);
    expect(ops.add(float(1, 2), float(3, 4), { out })).toBe(out);
    expect(out.toList()).toEqual([4, 6]);
    expect(ops.add(float(1, 2), 1, { alpha: 2, out })).toBe(out);
    expect(out.toList()).toEqual([3, 4]);
    const [values, indices] = [empty([2]), empty([2], { dtype: "int64" })];
    const returned = ops.max(grid(), 1, { max: values, maxValues: indices });
    expect([returned[0] === values, returned[1] === indices]).toEqual([true, true]);
    expect([values.toList(), indices.toList()]).toEqual([
      [2, 5],
      [2, 2],
    ]);
    expect(() => ops.add(float(1), float(2), { out: empty([1], { dtype: "bool" }) })).toThrow(
      "can't be cast to the desired output type",
    );
  });
});

describe("returns", () => {
  test("several come as an array, nested where the schema nests them", () => {
    const [values, indices] = grid().topk(2);
    expect([values.toList(), indices.toList()]).toEqual([
      [
        [2, 1],
        [5, 4],
      ],
      [
        [2, 1],
        [2, 1],
      ],
    ]);
    const [variance, mean] = grid().varMean([1], { correction: 0 });
    expect([mean.toList(), variance.shape]).toEqual([[1, 4], [2]]);
    const [histogram, edges] = ops.histogramdd(grid(), [2, 1, 1]);
    expect([histogram.shape, edges.map((edge) => edge.shape)]).toEqual([
      [2, 1, 1],
      [[3], [2], [2]],
    ]);
    const [output, hidden, cell] = ops.lstm(
      zeros([1, 1, 2]),
      [zeros([1, 1, 3]), zeros([1, 1, 3])],
      [zeros([12, 2]), zeros([12, 3])],
      false,
      1,
      0,
      false,
      false,
      false,
    );
    expect([output.shape, hidden.shape, cell.shape]).toEqual([
      [1, 1, 3],
      [1, 1, 3],
      [1, 1, 3],
    ]);
  });

  test("an undefined tensor is null", () => {
    const [weight, mean, deviation] = [ones([3]), zeros([2, 1]), ones([2, 1])];
    const grads = ops.nativeLayerNormBackward(grid(), grid(), [3], mean, deviation, weight, weight, [false, false, true]);
    expect(grads.map((grad) => grad === null)).toEqual([true, true, false]);
  });

  test("each is a tensor of its own, freed by its scope", () => {
    const before = memory().tensors;
    tidy(() => void grid().unbind(0).concat(grid().sort(1)));
    expect(memory().tensors).toBe(before);
  });
});

describe("numbers", () => {
  test.each<[string, Tensor, Scalar, DType, unknown]>([
    ["a whole number keeps int64", int(1), 1, "int64", [2]],
    ["a fraction promotes int64", int(1), 0.5, "float32", [1.5]],
    ["a whole number keeps uint8", tensor([1], { dtype: "uint8" }), 2, "uint8", [3]],
    ["a whole number keeps float16", tensor([1], { dtype: "float16" }), 2, "float16", [3]],
    ["a fraction keeps bfloat16", tensor([1], { dtype: "bfloat16" }), 0.5, "bfloat16", [1.5]],
    ["a whole number promotes bool", condition(), 1, "int64", [2, 1]],
    ["a boolean keeps bool", condition(), true, "bool", [true, true]],
    ["a boolean is 0 or 1 to numbers", int(1), true, "int64", [2]],
    ["a bigint is whole", int(1), 2n, "int64", [3]],
    ["a bigint counts to 2^63 - 1", int(0), 2n ** 63n - 1n, "int64", [2n ** 63n - 1n]],
    ["a bigint counts down to -2^63", int(0), -(2n ** 63n), "int64", [-(2n ** 63n)]],
    ["the largest safe integer is whole", int(0), Number.MAX_SAFE_INTEGER, "int64", [Number.MAX_SAFE_INTEGER]],
    ["a number beyond is a double, as it may have been rounded", int(0), 2 ** 53, "float32", [2 ** 53]],
    ["negative zero is a double", float(-0), -0, "float32", [-0]],
    ["negative zero promotes int64", int(1), -0, "float32", [1]],
    ["NaN promotes", int(1), NaN, "float32", [NaN]],
    ["infinity", float(1), -Infinity, "float32", [-Infinity]],
    ["a number does not promote float32", float(1), 1e-300, "float32", [1]],
  ])("%s", (_name, x, scalar, dtype, gives) => {
    const result = x.add(scalar);
    expect(result.dtype).toBe(dtype);
    expect(result.toList()).toEqual(gives);
  });

  test("a complex number promotes", () => {
    const result = float(1).add({ real: 1, imag: -2 });
    expect([result.dtype, result.item()]).toEqual(["complex64", { real: 2, imag: -2 }]);
    expect(float(2).mul({ imag: 1, real: 0 }).item()).toEqual({ real: 0, imag: 2 });
  });

  test("fill takes each kind at the ends of its range", () => {
    const filled = (dtype: DType, value: Scalar) => zeros([1], { dtype }).fill_(value).item();
    expect(filled("int64", 2n ** 63n - 1n)).toBe(2n ** 63n - 1n);
    expect(filled("uint64", 2n ** 64n - 1n)).toBe(2n ** 64n - 1n);
    expect(filled("float64", Number.MIN_VALUE)).toBe(Number.MIN_VALUE);
    expect(filled("bool", 2)).toBe(true);
    expect(() => filled("int8", 200)).toThrow("value cannot be converted to type int8_t without overflow");
    expect(() => filled("int64", 2n ** 64n)).toThrow(TypeError);
    expect(() => filled("int64", -(2n ** 63n) - 1n)).toThrow(TypeError);
  });
});

describe("by name", () => {
  test.each([
    ["add", true],
    ["aten::add", true],
    ["add.Tensor", true],
    ["aten::add.Tensor", true],
    ["rmsNorm", true],
    ["rms_norm", true],
    ["relu_", true],
    ["_fusedAdamw_", true],
    ["_fused_adamw_", true],
    ["__and__", true],
    ["prims::add", false],
    ["add.Nothing", false],
    ["addd", false],
    ["", false],
    ["::", false],
    ["toString", false],
    ["constructor", false],
    ["item", true],
    ["shape", false],
  ])("hasOp(%j) is %s", (name, expected) => {
    expect(hasOp(name)).toBe(expected);
    if (/^\w+$/.test(name) && expected && !/[a-z]_[a-z]/.test(name)) expect(name in ops).toBe(true);
  });

  test("op() gives the very overload", () => {
    expect((op("aten::add.Tensor")(float(1), float(2)) as Tensor).item()).toBe(3);
    expect(() => op("aten::add.Scalar")(float(1), float(2))).toThrow(
      "Expected a number for 'other' but received Tensor float32[1]",
    );
    expect(() => op("aten::adx")).toThrow(
      'Expected an operator\'s name such as "aten::add.Tensor" for \'op\' but received "aten::adx"',
    );
  });

  test("op() reaches other namespaces", () => {
    const packed = op("quantized::embedding_bag_byte_prepack")(fromTypedArray(new Float32Array([0, 1]), [1, 2])) as Tensor;
    expect([packed.dtype, packed.shape]).toEqual(["uint8", [1, 10]]);
  });

  test("private operators are functions only, and what is written by hand stays", () => {
    expect("_softmax" in Tensor.prototype).toBe(false);
    expect(ops._softmax(float(0, 0), 0, false).toList()).toEqual([0.5, 0.5]);
    expect(
      condition()
        .__and__(tensor([true, true]))
        .toList(),
    ).toEqual([true, false]);
    expect(float(1, 2).index(1).item()).toBe(2);
    expect(ops.index(float(1, 2), [int(1)]).toList()).toEqual([2]);
    expect("matmul" in Tensor.prototype).toBe(true);
  });
});
