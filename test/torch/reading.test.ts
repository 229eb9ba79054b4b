/** Reading tensors: single values, arrays and lists, waiting or not, from any layout; conversion with `to`. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { arange, DeviceError, type DType, dtypes, full, memory, ops, type Tensor, tensor, tidy, zeros } from "../../src/torch";

describe("reading", () => {
  test("item gives a number, a boolean, a bigint beyond 2^53, or both parts of a complex number", () => {
    expect(tensor([[2.5]]).item()).toBe(2.5);
    expect(tensor(true).item()).toBe(true);
    expect(tensor(NaN).item()).toBeNaN();
    expect(Object.is(tensor(-0).item(), -0)).toBe(true);
    expect(tensor(2n ** 53n).item()).toBe(2n ** 53n);
    expect(tensor(-(2n ** 63n)).item()).toBe(-(2n ** 63n));
    expect(ops.complex(tensor(1), tensor(-2)).item()).toEqual({ real: 1, imag: -2 });
    expect(() => zeros([2]).item()).toThrow("Expected a tensor of one element for 'item' but received one of 2");
    expect(() => zeros([0]).item()).toThrow("but received one of 0");
  });

  test("complex numbers lie as real, imaginary, real, imaginary", async () => {
    const made = ops.complex(tensor([1, 3], { dtype: "float64" }), tensor([2, -4], { dtype: "float64" }));
    expect(made.dtype).toBe("complex128");
    expect(made.toArray()).toEqual(new Float64Array([1, 2, 3, -4]));
    expect(await made.conj().toArrayAsync()).toEqual(new Float64Array([1, -2, 3, 4]));
    expect(made.to("complex64").toArray()).toEqual(new Float32Array([1, 2, 3, -4]));
    expect(made.to("complex32").toArray()).toEqual(new Float32Array([1, 2, 3, -4]));
    expect(() => made.toList()).toThrow("Expected a real tensor for 'toList' but received complex128; use toArray()");
  });

  test("follows strides: transposed, stepped, expanded and narrowed views", async () => {
    const base = arange(6).reshape([2, 3]);
    const views: [Tensor, number[][]][] = [
      [
        base.t(),
        [
          [0, 3],
          [1, 4],
          [2, 5],
        ],
      ],
      [
        base.index(":", "::2"),
        [
          [0, 2],
          [3, 5],
        ],
      ],
      [
        base.index(0).expand([2, 3]),
        [
          [0, 1, 2],
          [0, 1, 2],
        ],
      ],
      [
        base.narrow(1, 1, 2).to("bfloat16").t(),
        [
          [1, 4],
          [2, 5],
        ],
      ],
    ];
    for (const [view, list] of views) {
      expect(view.isContiguous()).toBe(false);
      expect(view.toList()).toEqual(list);
      expect(Array.from(view.toArray(), Number)).toEqual(list.flat());
      expect(Array.from(await view.toArrayAsync(), Number)).toEqual(list.flat());
    }
  });

  test("an empty tensor gives an empty array, and lists as nested as its shape", async () => {
    expect(zeros([0]).toArray()).toEqual(new Float32Array(0));
    expect(await zeros([3, 0]).toArrayAsync()).toEqual(new Float32Array(0));
    expect(zeros([2, 0]).toList()).toEqual([[], []]);
    expect(zeros([0, 2]).toList()).toEqual([]);
  });

  test("JSON holds the values", () => {
    expect(JSON.stringify({ loss: tensor(0.5), mask: tensor([[true], [false]]), ids: tensor([1n, 2n]) })).toBe(
      '{"loss":0.5,"mask":[[true],[false]],"ids":[1,2]}',
    );
  });

  test("a tensor that takes gradients is read as it stands, and reading is not recorded", () => {
    const x = tensor([1, 2], { requiresGrad: true, dtype: "bfloat16" });
    expect(x.mul(2).toArray()).toEqual(new Float32Array([2, 4]));
    expect(x.sum().item()).toBe(3);
  });

  test("a meta tensor holds no values to read", async () => {
    const meta = zeros([2], { device: "meta" });
    expect(() => meta.toArray()).toThrow(/meta tensor/);
    await expect(meta.toArrayAsync()).rejects.toThrow(/meta tensor/);
  });

  test("many asynchronous reads run at once, each with its own values, and outlive dispose", async () => {
    const before = memory().tensors;
    const reads = Array.from({ length: 24 }, (_, i) => {
      using made = full([1000 + i], i, { dtype: i % 2 === 0 ? "float32" : "bfloat16" });
      return made.toArrayAsync();
    });
    expect(memory().tensors).toBe(before);
    const arrays = await Promise.all(reads);
    arrays.forEach((array, i) => {
      expect(array).toHaveLength(1000 + i);
      expect(array[0]).toBe(i);
      expect(array.at(-1)).toBe(i);
    });
  });

  test("an asynchronous read may start inside tidy and end outside", async () => {
    const read = tidy(() => ({ values: tensor([1, 2], { dtype: "float16" }).toArrayAsync() }));
    expect(await read.values).toEqual(new Float32Array([1, 2]));
  });
});

describe("to", () => {
  test("goes from every dtype to every other and back", () => {
    for (const from of dtypes) {
      for (const dtype of dtypes)
        expect(tensor([0, 1], { dtype: from }).to(dtype).to("float64").toArray(), `${from} to ${dtype}`).toEqual(
          new Float64Array([0, 1]),
        );
    }
  });

  test("takes a dtype, a device, a tensor to resemble, or options", () => {
    const x = tensor([1.5]);
    expect(x.to("int32").toList()).toEqual([1]);
    expect(x.to("meta").device).toBe("meta");
    expect(x.to(zeros([1], { dtype: "float64" })).dtype).toBe("float64");
    expect(x.to({ dtype: "float16", device: "cpu" }).dtype).toBe("float16");
    expect(() => x.to("float99" as DType)).toThrow('received "float99"; the dtypes are uint8, int8');
    expect(() => x.to("cuda:93")).toThrow(DeviceError);
  });

  test("is another handle on the same tensor when nothing changes, unless a copy is asked for", () => {
    const x = tensor([1], { requiresGrad: true });
    expect(x.to("float32").is(x)).toBe(true);
    expect(x.to({ copy: true }).is(x)).toBe(false);
    x.to("float64").mul(3).backward();
    expect(x.grad!.dtype).toBe("float32");
    expect(x.grad!.toList()).toEqual([3]);
  });
});

test("shape, strides, size, dim and numel tell the layout", () => {
  const x = zeros([2, 3, 4]).transpose(0, 2);
  expect([x.shape, x.strides, x.size(), x.size(0), x.size(-1), x.dim(), x.numel()]).toEqual([
    [4, 3, 2],
    [1, 4, 12],
    [4, 3, 2],
    4,
    2,
    3,
    24,
  ]);
  expect([tensor(1).shape, tensor(1).dim(), tensor(1).numel(), zeros([3, 0]).numel()]).toEqual([[], 0, 1, 0]);
  expect(() => x.size(3)).toThrow("Expected a dimension from -3 to 2 for 'dim' but received 3");
});

test("the type of what is read follows the type of the tensor", () => {
  expectTypeOf((x: Tensor<"int64">) => x.toArray()).returns.toEqualTypeOf<BigInt64Array>();
  expectTypeOf((x: Tensor<"bfloat16">) => x.toArray()).returns.toEqualTypeOf<Float32Array>();
  expectTypeOf((x: Tensor<"bfloat16">) => x.toBits()).returns.toEqualTypeOf<Uint16Array>();
});

test("an asynchronous read gives the values of its call, whatever is written or resized before it ends", async () => {
  const x = full([1 << 20], 3);
  const read = x.toArrayAsync();
  x.fill_(4);
  x.resize_([1 << 22]);
  const values = await read;
  expect(values).toHaveLength(1 << 20);
  expect(values.every((value) => value === 3)).toBe(true);
});

test("to takes a device and a dtype, in PyTorch's order", () => {
  expect(tensor([1]).to("cpu", "float64").dtype).toBe("float64");
});
