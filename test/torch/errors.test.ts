import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { binding } from "../../src/native/binding";
import {
  arange,
  autograd,
  cat,
  DeviceError,
  DisposedTensorError,
  enableGrad,
  fromTypedArray,
  full,
  Generator,
  getRngState,
  hasOp,
  IndexError,
  isGradEnabled,
  LinAlgError,
  memory,
  NotImplementedError,
  noGrad,
  OutOfMemoryError,
  ones,
  op,
  ops,
  rand,
  randint,
  randn,
  randperm,
  setNumThreads,
  Tensor,
  TorchError,
  tensor,
  tidy,
  zeros,
} from "../../src/torch";

type ErrorClass = new (...args: never[]) => Error;

// Bad input is what types refuse: here it comes in as `any`.
/* eslint-disable @typescript-eslint/no-explicit-any */
const bad = (value: unknown): any => value;
const anyOps = ops as any;
const [anyZeros, anyTensor, anyFromTypedArray, anyCat] = [zeros, tensor, fromTypedArray, cat] as any[];

const a = ones([2, 3]) as any;

function caught(fn: () => unknown): Error & { call?: string; nativeStack?: string } {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected an error");
}

/** Checks class, message and that nothing is left over. */
function fails(fn: () => unknown, Class: ErrorClass, message: RegExp): void {
  const before = memory();
  const error = tidy(() => caught(fn));
  expect(error.constructor).toBe(Class);
  expect(error.message).toMatch(message);
  expect(memory()).toMatchObject({ tensors: before.tensors, live: before.live });
}

describe("sizes", () => {
  test.each<[string, unknown, ErrorClass]>([
    ["NaN", [NaN], RangeError],
    ["a fraction", [1.5], RangeError],
    ["a negative number", [2, -1], RangeError],
    ["2^53", [2 ** 53], RangeError],
    ["infinity", [Infinity], RangeError],
    ["a string", ["2"], RangeError],
    ["a bigint", [2n], RangeError],
    ["a hole", [, 2], RangeError], // eslint-disable-line no-sparse-arrays
    ["an object with valueOf", [{ valueOf: () => 2 }], RangeError],
    ["no array", 2, TypeError],
    ["a typed array", new Int32Array([2]), TypeError],
    ["nothing", undefined, TypeError],
    ["a Tensor", ones([2]), TypeError],
  ])("cannot be %s", (_, shape, Class) => {
    for (const make of [zeros, ones, rand, randn, (s: number[]) => full(s, 1), (s: number[]) => randint(0, 2, s)])
      fails(() => make(bad(shape)), Class, /^Expected (an array of sizes|non-negative integers) for 'shape' but received \S/);
  });

  test.each<[string, () => unknown, RegExp]>([
    ["reshape", () => a.reshape([NaN]), /Expected an array \(an integer each\) for 'shape' but received \[NaN\]/],
    ["view", () => a.view([2 ** 53]), /no overload takes \(Tensor float32\[2, 3\], \[9007199254740992\]\)/],
    ["narrow", () => a.narrow(0, 0.5, 1), /'start' but received 0.5|no overload takes/],
    ["randperm", () => randperm(NaN), /'n' but received NaN/],
    ["sum", () => a.sum(1.5), /no overload takes \(Tensor float32\[2, 3\], 1.5\)/],
    ["topk", () => a.topk(2n ** 64n), /'k' but received 18446744073709551616n/],
  ])("are checked in operators too: %s", (_, fn, message) => fails(fn, TypeError, message));

  test("that do not match are libtorch's to refuse", () => {
    fails(
      () => a.view([5]),
      TorchError,
      /^shape '\[5\]' is invalid for input of size 6\n {2}in aten::view\(self: float32\[2, 3\] cpu, size: \[5\]\)$/,
    );
    fails(() => a.reshape([-1, 4]), TorchError, /shape '\[-1, 4\]' is invalid/);
  });
});

describe("arguments", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["too few", () => a.add(), /^add: Missing argument 'other'; there are\n {2}aten::add.Tensor\(/],
    [
      "too many",
      () => a.matmul(a, a),
      /^matmul: Expected at most 2 arguments by position, the tensor itself included .*; there is/,
    ],
    ["null for a tensor", () => anyOps.add(null, a), /^add: Expected a Tensor for 'self' but received null/],
    ["a number for a tensor", () => a.matmul(2), /^matmul: Expected a Tensor for 'other' but received 2/],
    ["a string for a number", () => full([2], bad("x")), /^full: Expected a number for 'fillValue' but received "x"/],
    ["a long string", () => a.matmul("x".repeat(1e6)), /received "x{40}…"; there is/],
    ["a symbol", () => a.matmul(Symbol("s")), /received Symbol\(s\)/],
    ["a function", () => a.matmul(() => 1), /received a function/],
    ["an instance of a class", () => a.matmul(new Date()), /received an object \(Date\)/],
    ["a plain object", () => a.matmul({ slot: 0 }), /Unknown option 'slot'/],
    [
      "a fake in a list",
      () => anyCat([a, { slot: 0, shape: [2, 3], dtype: "float32" }]),
      /received \[Tensor float32\[2, 3\], \{ slot, shape, dtype \}\]/,
    ],
    ["a fake by prototype", () => a.matmul(Object.create(Tensor.prototype)), /missing argument 'other'/],
    [
      "a tensor for a list",
      () => anyCat(a),
      /Expected an array \(a Tensor each\) for 'tensors' but received Tensor float32\[2, 3\]/,
    ],
    [
      "a list that holds itself",
      () => {
        const cycle: unknown[] = [];
        cycle.push(cycle);
        return anyCat(cycle);
      },
      /received \[\[\[…\]\]\]/,
    ],
    ["an unknown option", () => a.add(1, { alfa: 2 }), /Unknown option 'alfa'/],
    ["an option given by position too", () => a.matmul(a, { other: a }), /Unknown option 'other'/],
    ["a bigint beyond 64 bits", () => a.add(2n ** 70n), /expected an integer for argument 'other'/],
    ["a generator that is none", () => randn([2], { generator: bad({}) }), /no overload takes \(\[2\], \{ dtype, generator \}\)/],
    [
      "an unknown operator",
      () => op("aten::frobnicate"),
      /Expected an operator's name such as "aten::add.Tensor" for 'op' but received "aten::frobnicate"/,
    ],
    ["no name", () => op(bad(5)), /for 'op' but received 5/],
  ])("%s", (_, fn, message) => fails(fn, TypeError, message));

  test("are asked for by name: there is no method for an unknown operator", () => {
    expect(hasOp("frobnicate")).toBe(false);
    expect(a.frobnicate).toBeUndefined();
    expect(anyOps.frobnicate).toBeUndefined();
  });

  test.each<[string, () => unknown, RegExp]>([
    ["backward's gradient", () => a.sum().backward(1), /^Expected a Tensor for 'gradient' but received 1$/],
    ["options for a gradient", () => a.sum().backward({ retainGraph: true }), /'gradient' but received \{ retainGraph \}/],
    ["backward's inputs", () => a.sum().backward(null, { inputs: [7] }), /'inputs' but received 7/],
    ["an assigned gradient", () => (a.grad = 7), /'grad' but received 7/],
    ["requiresGrad", () => (a.requiresGrad = "yes"), /Expected a boolean for 'requiresGrad' but received "yes"/],
    ["a comparison", () => a.is({}), /'other' but received \{ {2}\}/],
    [
      "autograd.grad",
      () => autograd.grad(a, bad([5])),
      /Expected a Tensor or an array of Tensors for 'inputs' but received \[5\]/,
    ],
    ["a generator's state", () => new Generator().setState(bad(5)), /Expected a Tensor for 'state' but received 5/],
    ["a seed", () => new Generator().manualSeed(NaN), /for 'seed' but received NaN/],
    ["a target of to", () => a.to(5), /^Expected a dtype, a device, a Tensor or options .* for 'to' but received 5/],
    ["nothing for to", () => a.to(), /for 'to' but received undefined/],
    ["an option of to", () => a.to({ dtpye: "int64" }), /for 'to' but received \{ dtpye \}/],
    ["an index", () => a.index({}), /for an index but received/],
    ["a fractional index", () => a.index(0.5), /Expected an integer index but received 0.5/],
    [
      "toBits",
      () => a.toBits(),
      /Expected a float16, bfloat16 or float8 tensor for 'toBits' but received float32; use toArray\(\)/,
    ],
  ])("of hand-written methods: %s", (_, fn, message) => fails(fn, TypeError, message));

  test.each<[string, () => unknown, ErrorClass, RegExp]>([
    [
      "a string for options",
      () => anyZeros([2], "int64"),
      TypeError,
      /Expected an object of options for .a new tensor. but received "int64"/,
    ],
    ["null for options", () => anyZeros([2], null), TypeError, /but received null/],
    ["sizes by position", () => anyZeros([2], [3]), TypeError, /but received \[3\]/],
    [
      "a misspelt option",
      () => anyZeros([2], { dtpye: "int64" }),
      TypeError,
      /Expected options of .a new tensor. \(dtype, device, requiresGrad, generator\) but received .dtpye./,
    ],
    [
      "ragged rows",
      () => tensor([[1, 2], [3]]),
      TypeError,
      /Expected rows of 2 values at depth 1 for 'tensor' but received \[3\]/,
    ],
    ["a hole", () => anyTensor([1, , 3]), TypeError, /but received undefined at depth 1/], // eslint-disable-line no-sparse-arrays
    [
      "mixed kinds",
      () => anyTensor([1, true]),
      TypeError,
      /Expected values of one kind for 'tensor' but received number and boolean; give a dtype/,
    ],
    ["a string", () => anyTensor("abc"), TypeError, /but received "abc"/],
    ["nothing", () => anyTensor(), TypeError, /but received undefined/],
    [
      "an array that holds itself",
      () => {
        const cycle: unknown[] = [];
        cycle.push(cycle);
        return anyTensor(cycle);
      },
      RangeError,
      /nested at most 64 deep/,
    ],
    [
      "NaN as an integer",
      () => tensor([NaN], { dtype: "int64" }),
      TypeError,
      /Expected integers for dtype int64 but received NaN/,
    ],
    ["2^53 as an integer", () => tensor([2 ** 53], { dtype: "int64" }), TypeError, /but received 9007199254740992/],
    [
      "data of another length",
      () => fromTypedArray(new Float32Array(4), [3]),
      RangeError,
      /Expected 3 values for shape \[3\] but received 4/,
    ],
    [
      "an array for a typed array",
      () => anyFromTypedArray([1]),
      TypeError,
      /Expected a typed array for 'data' but received \[1\]/,
    ],
    ["a DataView", () => anyFromTypedArray(new DataView(new ArrayBuffer(4))), TypeError, /received an object \(DataView\)/],
    ["no numbers for arange", () => arange(NaN), TypeError, /Expected numbers for 'arange' but received NaN/],
    ["threads", () => setNumThreads(1e6), RangeError, /Expected an integer from 1 to 1024 for 'count' but received 1000000/],
    ["a dimension that is none", () => a.size(NaN), RangeError, /Expected a dimension from -2 to 1 for 'dim' but received NaN/],
    [
      "too many indices",
      () => a.index(0, 0, 0),
      RangeError,
      /Expected at most 2 indices for a tensor of 2 dimensions but received 3/,
    ],
  ])("of constructors: %s", (_, fn, Class, message) => fails(fn, Class, message));

  test.each(["float31", "", "toString", 6, null, {}])("an unknown dtype: %j", (dtype) => {
    fails(
      () => zeros([2], { dtype: bad(dtype) }),
      TypeError,
      /Expected a dtype but received .*; the dtypes are uint8, int8, .* bfloat16/,
    );
    fails(() => a.softmax(0, { dtype: dtype ?? 7 }), TypeError, /no overload takes|Expected a dtype for 'dtype' but received/);
  });
});

describe("what libtorch refuses", () => {
  test.each<[string, () => unknown, ErrorClass, RegExp]>([
    [
      "shapes that do not match",
      () => a.mm(a),
      TorchError,
      /^mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x3\)\n {2}in aten::mm\(self: float32\[2, 3\] cpu, mat2: float32\[2, 3\] cpu\)$/,
    ],
    [
      "shapes that do not broadcast",
      () => a.add(ones([4]), { alpha: 2 }),
      TorchError,
      /^The size of tensor a \(3\) must match .*\n {2}in aten::add.Tensor\(self: float32\[2, 3\] cpu, other: float32\[4\] cpu, alpha: 2\)$/,
    ],
    [
      "a wrong dtype",
      () => ops.embedding(a, ones([1])),
      TorchError,
      /in aten::embedding\(weight: float32\[2, 3\] cpu, indices: float32\[1\] cpu\)$/,
    ],
    [
      "a list",
      () => cat([a, ones([2, 3, 1])]),
      TorchError,
      /in aten::cat\(tensors: \[float32\[2, 3\] cpu, float32\[2, 3, 1\] cpu\], dim: 0\)$/,
    ],
    [
      "a long list",
      () => cat(Array.from({ length: 20 }, (_, i) => ones([2, 1 + (i % 2)])).concat(ones([3, 3, 3]))),
      TorchError,
      /float32\[2, 2\] cpu, …\]/,
    ],
    [
      "a dimension",
      () => a.sum(5),
      IndexError,
      /Dimension out of range \(expected to be in range of \[-2, 1\], but got 5\)\n {2}in aten::sum.dim_IntList/,
    ],
    ["an index", () => a.index(7), IndexError, /index 7 is out of bounds for dimension 0 with size 2/],
    ["an id", () => ops.embedding(a, tensor([5], { dtype: "int64" })), IndexError, /index out of range in self/],
    [
      "a singular matrix",
      () => ops.linalgInv(zeros([2, 2])),
      LinAlgError,
      /singular.*\n {2}in aten::linalg_inv\(A: float32\[2, 2\] cpu\)$/,
    ],
    ["an integer divided by zero", () => tensor([1n]).floorDivide(0), TorchError, /ZeroDivisionError\n {2}in aten::floor_divide/],
    [
      "an equation with half a character",
      () => ops.einsum("\ud800i->i", [a]),
      TorchError,
      /in aten::einsum\(equation: \ufffdi->i/,
    ],
    ["a long string", () => ops.einsum("i,".repeat(1000), [a]), TorchError, /equation: (i,){40}…, tensors/],
    [
      "a value of a meta tensor",
      () => zeros([3], { device: "meta" }).toArray(),
      NotImplementedError,
      /Cannot copy out of meta tensor; no data!$/,
    ],
    [
      "values of a sparse tensor",
      () => a.toSparse().toArray(),
      NotImplementedError,
      /Expected a dense tensor to read but received a Sparse one; toDense\(\) makes it one$/,
    ],
    [
      "item of several elements",
      () => a.item(),
      TorchError,
      /Expected a tensor of one element for 'item' but received one of 6; toArray\(\)/,
    ],
    [
      "a kernel that is missing",
      () => ones([2]).toSparse().sort(),
      NotImplementedError,
      /^Could not run 'aten::sort\S*' with arguments from the 'SparseCPU' backend\.\n {2}in/,
    ],
    [
      "gradients of integers",
      () => zeros([2], { dtype: "int64", requiresGrad: true }),
      TorchError,
      /Only Tensors of floating point/,
    ],
    ["backward without a graph", () => ones([1]).backward(), TorchError, /does not require grad/],
    [
      "backward of several elements",
      () => ones([2], { requiresGrad: true }).mul(2).backward(),
      TorchError,
      /only for scalar outputs/,
    ],
    [
      "a gradient of another shape",
      () =>
        ones([2], { requiresGrad: true })
          .mul(2)
          .backward(ones([3])),
      TorchError,
      /got \[3\] but expected shape compatible with \[2\]/,
    ],
    ["an assigned gradient of another shape", () => (ones([1]).grad = ones([2])), TorchError, /assigned grad has shape \[2\]/],
    ["writing into a leaf", () => ones([1], { requiresGrad: true }).add_(1), TorchError, /leaf Variable.*in-place/],
    ["a state of another size", () => new Generator().setState(zeros([3], { dtype: "uint8" })), TorchError, /state size to be 3/],
  ])("%s", (_, fn, Class, message) => fails(fn, Class, message));

  test("keeps its C++ trace out of the message and out of sight", () => {
    const error = caught(() => a.mm(a));
    expect(error.message).not.toMatch(/\.cpp|frame #|Exception raised/);
    expect(error.nativeStack).toMatch(/Exception raised from .*\.cpp/);
    expect(Object.keys(error)).not.toContain("nativeStack");
    expect(error.call).toBe("aten::mm(self: float32[2, 3] cpu, mat2: float32[2, 3] cpu)");
    expect(error.name).toBe("TorchError");
  });

  test("is a TorchError, whatever its class", () => {
    expect(caught(() => a.sum(5))).toBeInstanceOf(TorchError);
    expect(caught(() => zeros([2], { device: "cuda:99" }))).toBeInstanceOf(TorchError);
  });
});

describe("the JavaScript stack", () => {
  /** The first frame that is not smaug's own. */
  function caller(error: Error): string {
    const frames = error.stack!.split("\n").filter((line) => /^\s+at /.test(line));
    return frames.find((line) => !/[/\\]src[/\\](torch|native)[/\\]/.test(line))!;
  }

  test.each<[string, () => unknown]>([
    [
      "libtorch",
      function here() {
        return a.mm(a);
      },
    ],
    [
      "an operator's arguments",
      function here() {
        return a.mm(2);
      },
    ],
    [
      "a constructor",
      function here() {
        return zeros([-1]);
      },
    ],
    [
      "a device",
      function here() {
        return zeros([1], { device: "flubber" });
      },
    ],
    [
      "a disposed tensor",
      function here() {
        const t = ones([1]);
        t.dispose();
        return t.add(1);
      },
    ],
    [
      "backward",
      function here() {
        return ones([1]).backward();
      },
    ],
    [
      "inside tidy",
      function here() {
        return tidy(() => noGrad(() => a.mm(a)));
      },
    ],
    [
      "an index",
      function here() {
        return a.index(9);
      },
    ],
  ])("begins at the caller: %s", (_, here) => {
    expect(caller(caught(here))).toMatch(/errors\.test\.ts/);
  });

  test("names the waiting callers of an asynchronous read", async () => {
    async function reading(): Promise<void> {
      await zeros([3], { device: "meta" }).toArrayAsync();
    }
    const error = await reading().then(
      () => expect.unreachable(),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(NotImplementedError);
    expect(error.message).toMatch(/Cannot copy out of meta tensor/);
    expect(caller(error)).toMatch(/at (async )?reading .*errors\.test\.ts/);
  });
});

describe("devices that are not there", () => {
  const devices = [
    "cuda:99",
    "cuda:256",
    "flubber",
    "",
    "cpu:",
    "CUDA",
    "cuda:-1",
    "opengl",
    "xla",
    "lazy",
    "privateuseone",
    "\ud800",
  ];
  const here = memory("cpu") && binding.accelerator() ? [] : ["cuda", "cuda:0", "mps", "xpu"];

  test.each([...devices, ...here])("%j", (device) => {
    const message =
      /^Expected a device that is here \(cpu.*\) but received '.*'\n {2}`npx smaug doctor` shows which libtorch and which devices are in use/;
    fails(() => zeros([2], { device }), DeviceError, message);
    fails(() => a.to({ device }), DeviceError, message);
    fails(() => memory(device), DeviceError, message);
    fails(() => getRngState(device), DeviceError, message);
    fails(() => new Generator(device), DeviceError, message);
    expect(caught(() => zeros([2], { device })).message).toMatch(/in aten::zeros\(size: \[2\], dtype: float32, device: /);
  });

  test("meta has shapes and no values", () => {
    using shaped = tidy(() => zeros([2, 3], { device: "meta" }).matmul(zeros([3, 4], { device: "meta" })));
    expect(shaped.shape).toEqual([2, 4]);
    expect(String(shaped)).toBe("tensor(..., shape=[2, 4], dtype=float32, device=meta)");
    fails(() => memory("meta"), DeviceError, /received 'meta'/);
    fails(() => new Generator("meta"), DeviceError, /received 'meta'/);
  });
});

describe("out of memory", () => {
  test.each<[string, () => unknown]>([
    ["terabytes", () => zeros([2 ** 40])],
    ["more than an address space", () => zeros([2 ** 52])],
    [
      "what a view only promised",
      () =>
        ones([1])
          .expand([2 ** 40])
          .clone(),
    ],
    [
      "what a read would take",
      () =>
        ones([1])
          .expand([2 ** 40])
          .toArray(),
    ],
    ["an operator's result", () => arange(2 ** 45)],
  ])("is an error, and the next allocation works: %s", (_, fn) => {
    fails(fn, OutOfMemoryError, /^cannot allocate \d+ bytes on the CPU/);
    expect(tidy(() => ones([1000]).sum().item())).toBe(1000);
  });

  test("says what is in use and what there is", () => {
    expect(caught(() => zeros([2 ** 40])).message).toMatch(
      /^cannot allocate 4398046511104 bytes on the CPU: \d+ bytes are in use by tensors and \d+ bytes are available\n {2}in aten::zeros\(size: \[1099511627776\]/,
    );
  });

  test("is no overflow when sizes multiply to more than 64 bits", () => {
    fails(
      () => zeros([2 ** 31, 2 ** 31, 4]),
      TorchError,
      /Storage size calculation overflowed with sizes=\[2147483648, 2147483648, 4\]/,
    );
  });

  test("rejects an asynchronous read", async () => {
    using wide = tidy(() => ones([1]).expand([2 ** 40]));
    const { live, tensors } = memory();
    await expect(wide.toArrayAsync()).rejects.toThrow(OutOfMemoryError);
    expect(memory()).toMatchObject({ live, tensors });
  });
});

describe("code of the caller's that runs in the middle of a call", () => {
  test("may throw", () => {
    const mine = new Error("mine");
    const thrower = {
      enumerable: true,
      get: () => {
        throw mine;
      },
    };
    const throwing = (key: string, rest: object = {}) => Object.defineProperty(rest, key, thrower);
    const list = Object.defineProperty([a, a], 1, thrower);
    for (const fn of [
      () => a.add(1, throwing("alpha")),
      () => a.add(throwing("real", { imag: 0 })),
      () => zeros([2], throwing("dtype")),
      () => zeros([2], throwing("device")),
      () => zeros(Object.defineProperty([1, 2], 0, thrower)),
      () => anyCat(list),
      () => a.to(throwing("dtype")),
      () => a.matmul(Object.create(throwing("constructor"))),
      () => a.sum().backward(null, throwing("retainGraph")),
      () => a.index(Object.defineProperty([0, 1], 1, thrower)),
      () => fromTypedArray(new Float32Array(2), Object.defineProperty([2], 0, thrower)),
    ]) {
      const before = memory().tensors;
      expect(tidy(() => caught(fn))).toBe(mine);
      expect(memory().tensors).toBe(before);
    }
  });

  test("may call libtorch itself", () => {
    tidy(() => {
      const nested = {
        get real() {
          return tidy(() =>
            ones([4])
              .add(ones([4]))
              .sum()
              .item(),
          );
        },
        imag: 0,
      };
      expect(a.add(bad(nested)).toArray()[0]).toBe(9);
      const list = Object.defineProperty([a, null], 1, { enumerable: true, get: () => ones([1, 3]).mul(2) });
      expect(anyCat(list).sum().item()).toBe(12);
    });
  });

  test("may give another value at each look", () => {
    let looks = 0;
    const fickle = {
      get alpha() {
        return looks++ % 2 === 0 ? 2 : "two";
      },
    };
    for (let i = 0; i < 4; i++) {
      try {
        tidy(() => a.add(a, fickle));
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
  });

  test("may be a Proxy", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    fails(() => a.add(proxy), TypeError, /proxy that has been revoked/);
    fails(() => anyCat(new Proxy([a, a], { get: () => 7 })), TypeError, /./);
    expect(tidy(() => anyCat(new Proxy([a, a], {})).shape)).toEqual([4, 3]);
    expect(tidy(() => a.add(new Proxy(a, {})).sum().item())).toBe(12);
  });
});

describe("typed arrays", () => {
  test("whose buffer is gone are refused", () => {
    const data = new Float32Array(4);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    fails(() => fromTypedArray(data), TypeError, /detached/);
    fails(() => fromTypedArray(data, [4]), RangeError, /Expected 4 values for shape \[4\] but received 0/);
  });

  test.each([1, 2, 3, 4, 5])("may lose their buffer during the call: at look %i", (look) => {
    const length = 2 ** 20;
    const data = new Float32Array(length);
    let looks = 0;
    const shape = Object.defineProperty([0], 0, {
      get() {
        if (++looks === look) structuredClone(data.buffer, { transfer: [data.buffer] });
        return length;
      },
    });
    const attempt = () => tidy(() => fromTypedArray(data, shape).sum().item());
    if (look > 3)
      expect(attempt()).toBe(0); // it looks three times
    else expect(attempt).toThrow(Error);
  });

  test("on shared memory are copied", () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    using t = fromTypedArray(shared);
    shared[0] = 5;
    expect(t.toList()).toEqual([0, 0]);
  });

  test("of another realm are what they say", () => {
    tidy(() => expect(fromTypedArray(runInNewContext("new Float32Array([1.5])") as Float32Array).toList()).toEqual([1.5]));
  });

  test("on part of a buffer give that part", () => {
    using t = fromTypedArray(new Float32Array(new Float32Array([1, 2, 3, 4]).buffer, 4, 2));
    expect(t.toList()).toEqual([2, 3]);
  });
});

describe("after an error", () => {
  test("grad mode is what it was", () => {
    expect(() => noGrad(() => a.mm(a))).toThrow(TorchError);
    expect(isGradEnabled()).toBe(true);
    expect(() =>
      noGrad(() =>
        enableGrad(() => {
          throw new Error("mine");
        }),
      ),
    ).toThrow("mine");
    expect(isGradEnabled()).toBe(true);
    expect(() => noGrad(async () => undefined)).toThrow(/Expected a synchronous function for 'noGrad'/);
    expect(isGradEnabled()).toBe(true);
    noGrad(() => {
      expect(() => enableGrad(() => a.mm(a))).toThrow(TorchError);
      expect(isGradEnabled()).toBe(false);
    });
  });

  test("in the middle of backward, the graph can be freed and another used", () => {
    const before = memory();
    tidy(() => {
      const x = ones([3], { requiresGrad: true });
      const y = x.exp();
      const loss = y.mul(y).sum().add(x.sum());
      noGrad(() => y.add_(1)); // exp's gradient needs what it returned
      expect(() => loss.backward()).toThrow(/modified by an inplace operation/);
      x.grad = null;
      x.mul(3).sum().backward();
      expect(x.grad!.toList()).toEqual([3, 3, 3]);
    });
    expect(memory()).toMatchObject({ tensors: before.tensors, live: before.live });
  });

  test("a second backward says how to keep the graph", () => {
    tidy(() => {
      const loss = ones([1], { requiresGrad: true }).exp();
      loss.backward();
      expect(() => loss.backward()).toThrow(/backward through the graph a second time/);
    });
  });
});

test("a graph of 100,000 nodes runs backward, and is freed without", () => {
  const before = memory();
  tidy(() => {
    const x = tensor(2, { requiresGrad: true });
    let y = x.mul(1);
    for (let i = 0; i < 100_000; i++) {
      const next = y.add(x);
      y.dispose();
      y = next;
    }
    y.backward();
    expect(x.grad!.item()).toBe(100_001);
    let unused = x.mul(1);
    for (let i = 0; i < 100_000; i++) unused = unused.mul(unused);
  });
  expect(memory()).toMatchObject({ tensors: before.tensors, live: before.live });
});

test("a call from the end of the JavaScript stack is a RangeError or works", () => {
  const outcomes = new Set<unknown>();
  const recurse = (): void => {
    try {
      recurse();
    } catch (error) {
      if (outcomes.size < 3)
        // on the way back up, until the stack has room again for all of it
        for (const fn of [() => tidy(() => a.add(1).sum().item()), () => a.mm(a)]) {
          try {
            outcomes.add(fn());
          } catch (error) {
            outcomes.add((error as Error).constructor);
          }
        }
      throw error;
    }
  };
  expect(recurse).toThrow(RangeError);
  expect(outcomes).toEqual(new Set([RangeError, TorchError, 12]));
});

test("a tensor is not sent to another thread", () => {
  tidy(() => expect(() => structuredClone(ones([2]))).toThrow(/a Tensor cannot leave its thread: send toArray\(\)/));
  expect(() => structuredClone(a)).toThrow(/a Tensor cannot leave its thread/);
});

test("a disposed generator says so", () => {
  const generator = new Generator();
  generator.dispose();
  generator.dispose();
  fails(() => randn([2], { generator }), DisposedTensorError, /this Generator has been disposed; create a new one/);
  fails(() => generator.manualSeed(1), DisposedTensorError, /this Generator has been disposed/);
});
