/** Making tensors: factories, nested and typed arrays, every dtype (conversions against scripts/parity/binding.py). */
import { describe, expect, test } from "vitest";
import {
  arange,
  cat,
  type DType,
  empty,
  eye,
  fromTypedArray,
  full,
  linspace,
  type NestedArray,
  ones,
  rand,
  randn,
  stack,
  type Tensor,
  type TensorOptions,
  type TypedArray,
  tensor,
  zeros,
} from "../../src/torch";
import { fixture } from "../parity/fixture";
import { number } from "./encoded";

describe("factories", () => {
  test.each([
    {
      made: () => zeros([2, 2]),
      list: [
        [0, 0],
        [0, 0],
      ],
      dtype: "float32",
    },
    { made: () => ones([2], { dtype: "int16" }), list: [1, 1], dtype: "int16" },
    { made: () => full([2], 7), list: [7, 7], dtype: "float32" },
    { made: () => full([1], 7n), list: [7], dtype: "int64" },
    { made: () => full([1, 1], true), list: [[true]], dtype: "bool" },
    { made: () => full([], 2.5, { dtype: "float64" }), list: 2.5, dtype: "float64" },
    {
      made: () => eye(2),
      list: [
        [1, 0],
        [0, 1],
      ],
      dtype: "float32",
    },
    { made: () => eye(1, 3, { dtype: "bool" }), list: [[true, false, false]], dtype: "bool" },
    { made: () => linspace(0, 1, 3), list: [0, 0.5, 1], dtype: "float32" },
    { made: () => arange(3), list: [0, 1, 2], dtype: "int64" },
    { made: () => arange(2, 4), list: [2, 3], dtype: "int64" },
    { made: () => arange(5, 0, -2), list: [5, 3, 1], dtype: "int64" },
    { made: () => arange(0, 1, 0.25), list: [0, 0.25, 0.5, 0.75], dtype: "float32" },
    { made: () => arange(1.5), list: [0, 1], dtype: "float32" },
    { made: () => arange(2, { dtype: "bfloat16" }), list: [0, 1], dtype: "bfloat16" },
    { made: () => arange(1, 3, { dtype: "float64" }), list: [1, 2], dtype: "float64" },
    { made: () => arange(4, 1), list: undefined, dtype: undefined },
    { made: () => cat([tensor([1]), tensor([2])]), list: [1, 2], dtype: "float32" },
    { made: () => stack([tensor([1]), tensor([2])], 1), list: [[1, 2]], dtype: "float32" },
  ])("$made", ({ made, list, dtype }) => {
    if (list === undefined) return expect(made).toThrow("upper bound and lower bound inconsistent with step sign");
    const result = made();
    expect(result.toList()).toEqual(list);
    expect(result.dtype).toBe(dtype);
    expect(result.device).toBe("cpu");
    expect(result.requiresGrad).toBe(false);
  });

  const all: Record<string, (options: TensorOptions) => Tensor> = {
    empty: (options) => empty([2], options),
    zeros: (options) => zeros([2], options),
    ones: (options) => ones([2], options),
    full: (options) => full([2], 1, options),
    rand: (options) => rand([2], options),
    randn: (options) => randn([2], options),
    arange: (options) => arange(2, options),
    linspace: (options) => linspace(0, 1, 2, options),
    eye: (options) => eye(2, 2, options),
    tensor: (options) => tensor([1, 2], options),
    fromTypedArray: (options) => fromTypedArray(new Float32Array(2), [2], options),
  };

  test.each(Object.entries(all))("%s takes dtype, device and requiresGrad", (_name, make) => {
    const made = make({ dtype: "float64", device: "cpu", requiresGrad: true });
    expect([made.dtype, made.device, made.requiresGrad, made.isLeaf]).toEqual(["float64", "cpu", true, true]);
    expect(make({ dtype: "float64", device: "meta" }).device).toBe("meta");
    expect(() => make({ dtype: "float31" as DType })).toThrow(
      "Expected a dtype but received float31; the dtypes are uint8, int8",
    );
  });

  test.each([[[-1]], [[1.5]], [[NaN]], [[2 ** 53]], [["2"]], [[undefined]]])("refuse %j as a shape", (shape) => {
    expect(() => zeros(shape as number[])).toThrow("Expected non-negative integers for 'shape' but received [");
  });

  test("refuse what is no shape, and arange what are no numbers", () => {
    expect(() => zeros(3 as never)).toThrow("Expected an array of sizes for 'shape' but received 3");
    for (const args of [[NaN], [], ["3"], [3n], [null, 3], [0, {}, 3], [0, 1, 1, 1]])
      expect(() => (arange as (...all: unknown[]) => Tensor)(...args)).toThrow("Expected numbers for 'arange' but received");
    expect(() => arange(0, 5, 0)).toThrow("step must be nonzero");
  });
});

describe("tensor()", () => {
  test("takes numbers as float32, bigints as int64 and booleans as bool", () => {
    expect(
      [tensor([1, 2]), tensor([1n]), tensor([true]), tensor(1), tensor(1n), tensor(false), tensor([])].map(({ dtype }) => dtype),
    ).toEqual(["float32", "int64", "bool", "float32", "int64", "bool", "float32"]);
  });

  test("has the shape of the nesting", () => {
    const shapes: [NestedArray, number[]][] = [
      [5, []],
      [[], [0]],
      [
        [[], []],
        [2, 0],
      ],
      [
        [[1], [2]],
        [2, 1],
      ],
      [[[[1, 2]]], [1, 1, 2]],
    ];
    for (const [data, shape] of shapes) expect(tensor(data).shape).toEqual(shape);
  });

  test.each([
    { data: [[1, 2], [3]], message: "Expected rows of 2 values at depth 1 for 'tensor' but received [3]" },
    { data: [[1], 2], message: "Expected rows of 1 values at depth 1 for 'tensor' but received 2" },
    { data: [1, [2]], message: "in equally long rows for 'tensor' but received [2] at depth 1" },
    { data: [[[1]], [[]]], message: "Expected rows of 1 values at depth 2" },
    { data: ["1"], message: 'but received "1"' },
    { data: [null], message: "but received null" },
    { data: undefined, message: "but received undefined" },
    {
      data: [1, true],
      message: "Expected values of one kind for 'tensor' but received number and boolean; give a dtype",
    },
    { data: [1, 2n], message: "but received number and bigint" },
  ])("refuses $data", ({ data, message }) => {
    expect(() => tensor(data as NestedArray)).toThrow(message);
  });

  test("converts to the dtype asked for", () => {
    expect(tensor([1, 0, -2, NaN], { dtype: "bool" }).toList()).toEqual([true, false, true, true]);
    expect(tensor([1n, 2, true], { dtype: "int32" }).toList()).toEqual([1, 2, 1]);
    expect(tensor([1n, true], { dtype: "float16" }).toList()).toEqual([1, 1]);
    expect(tensor([1e300], { dtype: "float32" }).item()).toBe(Infinity);
    expect(tensor([3], { dtype: "complex64" }).item()).toEqual({ real: 3, imag: 0 });
    expect(tensor([2n ** 64n - 1n], { dtype: "uint64" }).item()).toBe(2n ** 64n - 1n);
  });

  test.each([
    { value: 256, dtype: "uint8" },
    { value: -1, dtype: "uint8" },
    { value: 128, dtype: "int8" },
    { value: -32769, dtype: "int16" },
    { value: 2 ** 31, dtype: "int32" },
    { value: 2n ** 63n, dtype: "int64" },
    { value: 2n ** 64n, dtype: "uint64" },
  ] as const)("refuses $value as $dtype rather than wrap it", ({ value, dtype }) => {
    expect(() => tensor([value], { dtype })).toThrow(`Expected integers that fit into ${dtype} but received ${value}`);
  });

  test("refuses fractions for an integer dtype", () => {
    expect(() => tensor([1.5], { dtype: "int64" })).toThrow("Expected integers for dtype int64 but received 1.5");
    expect(() => tensor([2 ** 53], { dtype: "int64" })).toThrow("Expected integers for dtype int64");
  });

  test("keeps int64 to the last bit", () => {
    const values = [2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 5n];
    const made = tensor(values);
    expect([...(made.toArray() as BigInt64Array)]).toEqual(values);
    expect(made.toList()).toEqual([2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 5]);
    expect(made.index(0).item()).toBe(2n ** 53n + 1n);
    expect(made.index(3).item()).toBe(5);
  });
});

describe("typed arrays", () => {
  const kinds: [TypedArray, DType][] = [
    [new Float32Array([1.5, -2]), "float32"],
    [new Float64Array([0.1, 2]), "float64"],
    [new BigInt64Array([1n, -(2n ** 60n)]), "int64"],
    [new BigUint64Array([1n, 2n ** 63n]), "uint64"],
    [new Int32Array([-1, 2]), "int32"],
    [new Uint32Array([1, 2 ** 32 - 1]), "uint32"],
    [new Int16Array([-1, 2]), "int16"],
    [new Uint16Array([1, 65535]), "uint16"],
    [new Int8Array([-1, 2]), "int8"],
    [new Uint8Array([1, 255]), "uint8"],
  ];

  test.each(kinds.map(([array, dtype]) => ({ array, dtype, kind: array.constructor.name })))(
    "$kind is $dtype, there and back",
    ({ array, dtype }) => {
      const made = fromTypedArray(array);
      expect(made.dtype).toBe(dtype);
      expect(made.toArray()).toEqual(array);
      expect(tensor(array).toArray()).toEqual(array);
    },
  );

  test("Buffer and Uint8ClampedArray are bytes", () => {
    expect(fromTypedArray(Buffer.from([1, 2])).toList()).toEqual([1, 2]);
    expect(fromTypedArray(new Uint8ClampedArray([1, 300]) as unknown as Uint8Array).toList()).toEqual([1, 255]);
  });

  test("a window on a larger buffer gives its own elements, and a copy of them", () => {
    const buffer = new Float32Array([0, 1, 2, 3]);
    const made = fromTypedArray(buffer.subarray(1, 3));
    buffer.fill(9);
    expect(made.toList()).toEqual([1, 2]);
    const read = made.toArray() as Float32Array;
    read.fill(9);
    expect(made.toList()).toEqual([1, 2]);
  });

  test("take the shape given, when it has as many elements", () => {
    expect(fromTypedArray(new Int32Array(6), [2, 3]).shape).toEqual([2, 3]);
    expect(fromTypedArray(new Int32Array(1), []).shape).toEqual([]);
    expect(fromTypedArray(new Int32Array(0), [2, 0]).shape).toEqual([2, 0]);
    expect(() => fromTypedArray(new Int32Array(5), [2, 3])).toThrow("Expected 6 values for shape [2, 3] but received 5");
  });

  test.each([[[1, 2]], [new DataView(new ArrayBuffer(8))], [new ArrayBuffer(8)], [null], ["ab"]])("refuse %o", (data) => {
    expect(() => fromTypedArray(data as never)).toThrow("Expected a typed array for 'data'");
  });
});

describe("conversions are PyTorch's, as numbers and as bits", () => {
  const { versions: _, ...expected } =
    fixture<Record<string, { from: (number | string)[]; values: string[]; bits: string[] }>>("torch/creation");

  test.each(Object.entries(expected))("%s", async (name, { from, values, bits }) => {
    const dtype = name as DType;
    const made = fromTypedArray(Float64Array.from(from, number), [from.length], { dtype });
    const wanted = values.map(number);
    expect(Array.from(made.toArray(), Number)).toEqual(wanted);
    expect(Array.from(await made.toArrayAsync(), Number)).toEqual(wanted);
    expect((made.toList() as number[]).map(Number)).toEqual(wanted);
    expect(wanted.map((_, i) => Number(made.index(i).item()))).toEqual(wanted);

    if (!/16$|float8/.test(dtype) || dtype === "int16") {
      expect(() => made.toBits()).toThrow(`but received ${dtype}; use toArray()`);
      return;
    }
    const raw = made.toBits();
    expect(Array.from(raw, String)).toEqual(bits);
    expect(fromTypedArray(raw, [raw.length], { dtype }).toArray()).toEqual(made.toArray());
  });
});
