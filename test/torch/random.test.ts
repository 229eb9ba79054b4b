/** Random numbers: a seed gives PyTorch's own stream on the CPU (scripts/parity/binding.py); generators stand apart. */
import { describe, expect, test } from "vitest";
import {
  DeviceError,
  empty,
  fromTypedArray,
  Generator,
  getRngState,
  manualSeed,
  ops,
  rand,
  randint,
  randn,
  randperm,
  setRngState,
  type Tensor,
  zeros,
} from "../../src/torch";
import { fixture } from "../parity/fixture";
import { type Call, expectResult, make } from "./encoded";

const { versions: _, ...streams } = fixture<Record<string, { seed: string; calls: Call[] }>>("torch/random");

test.each(Object.entries(streams))("a seed gives PyTorch's numbers: %s", (_name, { seed, calls }) => {
  const bySeed = BigInt(seed);
  manualSeed(Number.isSafeInteger(Number(bySeed)) ? Number(bySeed) : bySeed);
  for (const call of calls) {
    const { result, tensors } = make(call);
    // Normal numbers pass through log and cos, which differ in the last bit from one processor to the next.
    if (call.after) expectResult(tensors, call.after, 1e-6);
    else expectResult(result, call.result, 1e-6);
  }
});

test("the factories draw from the same stream as the operators", () => {
  const viaOps = [() => ops.rand([3]), () => ops.randn([3]), () => ops.randint(2, 50, [3]), () => ops.randperm(6)];
  const viaFactories = [() => rand([3]), () => randn([3]), () => randint(2, 50, [3]), () => randperm(6)];
  const draw = (all: (() => Tensor)[]) => {
    manualSeed(5);
    return all.map((one) => one().toList());
  };
  expect(draw(viaFactories)).toEqual(draw(viaOps));
});

test("randint stays below its upper end, rand below 1, randperm is a permutation", () => {
  const drawn = randint(-2, 3, [500]);
  expect([...new Set(drawn.toList() as number[])].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  expect(drawn.dtype).toBe("int64");
  const uniform = rand([1000]);
  expect(uniform.lt(1).all().item()).toBe(true);
  expect(uniform.ge(0).all().item()).toBe(true);
  expect((randperm(50).toList() as number[]).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(randint(0, 5, [2], { dtype: "int32" }).dtype).toBe("int32");
  expect(() => randint(3, 3, [1])).toThrow("random_ expects 'from' to be less than 'to'");
});

describe("Generator", () => {
  test("gives the default generator's numbers for the same seed", () => {
    manualSeed(42);
    const expected = randn([5]).toList();
    expect(randn([5], { generator: new Generator().manualSeed(42) }).toList()).toEqual(expected);
  });

  test("is not disturbed by the default one or by another, nor disturbs them", () => {
    manualSeed(1);
    const [first, second] = [rand([2]).toList(), rand([2]).toList()];
    const own = new Generator().manualSeed(9);
    const other = new Generator().manualSeed(9);

    manualSeed(1);
    expect(rand([2]).toList()).toEqual(first);
    const drawn = [rand([3], { generator: own }).toList(), rand([3], { generator: own }).toList()];
    expect(rand([2]).toList()).toEqual(second);
    expect([rand([3], { generator: other }).toList(), rand([3], { generator: other }).toList()]).toEqual(drawn);
    expect(drawn[0]).not.toEqual(drawn[1]);
  });

  test("is taken by every factory and operator that draws", () => {
    const seeded = () => new Generator().manualSeed(3);
    const draws: ((generator: Generator) => Tensor)[] = [
      (generator) => rand([4], { generator }),
      (generator) => randn([4], { generator, dtype: "float64" }),
      (generator) => randint(0, 1000, [4], { generator }),
      (generator) => randperm(9, { generator }),
      (generator) => empty([4]).normal_(0, 1, { generator }),
      (generator) => empty([4]).uniform_(0, 1, { generator }),
      (generator) => rand([3], { generator }).multinomial(2, false, { generator }),
      (generator) => zeros([40]).add(0.5).bernoulli({ generator }),
      (generator) => ops.normal(0, 1, [3], { generator }),
    ];
    for (const draw of draws) expect(draw(seeded()).toList()).toEqual(draw(seeded()).toList());
  });

  test("starts over from the same seed each time it is set", () => {
    const generator = new Generator().manualSeed(7);
    const first = rand([3], { generator }).toList();
    rand([10], { generator });
    expect(rand([3], { generator: generator.manualSeed(7) }).toList()).toEqual(first);
  });

  test("a disposed one says so", () => {
    const generator = new Generator();
    generator.dispose();
    generator.dispose();
    expect(() => rand([1], { generator })).toThrow("this Generator has been disposed; create a new one");
    expect(() => generator.manualSeed(1)).toThrow("has been disposed");
  });

  test("`using` disposes it", () => {
    let outside: Generator;
    {
      using generator = new Generator().manualSeed(1);
      outside = generator;
      expect(rand([1], { generator }).shape).toEqual([1]);
    }
    expect(() => outside.getState()).toThrow("has been disposed");
  });

  test.each(["cuda:93", "potato"])("of %s, a device that is not there, is an error", (device) => {
    expect(() => new Generator(device)).toThrow(DeviceError);
  });
});

describe("state", () => {
  test("of the default generator comes back mid-stream, normal numbers kept in pairs included", () => {
    manualSeed(11);
    randn([3]); // an odd count: the second of a pair is kept in the state
    const state = getRngState();
    const expected = [randn([3]).toList(), rand([2]).toList()];
    setRngState(state);
    expect([randn([3]).toList(), rand([2]).toList()]).toEqual(expected);
    expect(state.dtype).toBe("uint8");
  });

  test("goes from one generator to another", () => {
    const source = new Generator().manualSeed(4);
    rand([7], { generator: source });
    const copy = new Generator().setState(source.getState());
    expect(rand([5], { generator: copy }).toList()).toEqual(rand([5], { generator: source }).toList());
  });

  test("is a copy: drawing on does not change it", () => {
    const generator = new Generator().manualSeed(4);
    const state = generator.getState();
    const before = state.toArray();
    rand([1], { generator });
    expect(state.toArray()).toEqual(before);
    expect(generator.getState().toArray()).not.toEqual(before);
  });

  test("survives a round trip through bytes", () => {
    manualSeed(8);
    const bytes = getRngState().toArray();
    const expected = rand([4]).toList();
    setRngState(fromTypedArray(Uint8Array.from(bytes)));
    expect(rand([4]).toList()).toEqual(expected);
  });

  test.each([
    { what: "a wrong size", state: () => zeros([3], { dtype: "uint8" }) },
    { what: "a wrong dtype", state: () => getRngState().to("float32") },
  ])("of $what is an error", ({ state }) => {
    expect(() => setRngState(state())).toThrow(/RNG state|ByteTensor/i);
  });
});

test.each([NaN, 0.5, Infinity, 2 ** 53, 2n ** 64n, -(2n ** 63n) - 1n, "7", undefined, null, {}])(
  "refuses %s as a seed",
  (seed) => {
    expect(() => manualSeed(seed as number)).toThrow("Expected an integer of 64 bits for 'seed'");
    expect(() => new Generator().manualSeed(seed as number)).toThrow(TypeError);
  },
);
