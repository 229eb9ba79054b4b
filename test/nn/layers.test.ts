import { describe, expect, test } from "vitest";
import { Attention, causalMask, Embedding, KvCache, Linear, RmsNorm, RotaryEmbedding } from "../../src/nn";
import { arange, cat, Generator, noGrad, randn, tensor, tidy } from "../../src/torch";
import { leakedBy } from "../parity/fixture";

describe("linear", () => {
  test("keeps the bias out when bias is false", () => {
    const layer = new Linear(2, 3, { bias: false });
    expect(layer.bias).toBeNull();
    expect([...layer.namedParameters()].map(([name]) => name)).toEqual(["weight"]);
  });

  test("draws from U(-1/sqrt(in), 1/sqrt(in)), reproducibly from a generator", () => {
    const draw = () => new Linear(16, 200, { generator: new Generator().manualSeed(3) });
    const { weight, bias } = draw();
    for (const drawn of [weight, bias!]) {
      const largest = drawn.abs().max().item();
      expect(largest).toBeLessThanOrEqual(0.25);
      expect(largest).toBeGreaterThan(0.24);
    }
    expect(draw().weight.toArray()).toEqual(weight.toArray());
  });

  test("takes any number of leading dimensions", () => {
    const layer = new Linear(2, 3);
    expect(layer.forward(tensor([1, 2])).shape).toEqual([3]);
    expect(layer.forward(randn([4, 5, 2])).shape).toEqual([4, 5, 3]);
  });

  test("is made in the dtype asked for", () => {
    expect(new Linear(2, 3, { dtype: "bfloat16" }).weight.dtype).toBe("bfloat16");
  });
});

test("the padding row of an embedding starts as zero; one outside the table is an error", () => {
  expect(new Embedding(4, 2, { paddingIdx: -1 }).weight.index(3).toList()).toEqual([0, 0]);
  expect(() => new Embedding(4, 2, { paddingIdx: 4 })).toThrow("Expected a row of 4 for 'paddingIdx' but received 4");
});

test("rmsNorm in float64 is x / sqrt(mean(x^2) + eps) to the last digits", () => {
  const norm = new RmsNorm(2, { eps: 0.5, dtype: "float64" });
  const [x1, x2] = norm.forward(tensor([1, 3], { dtype: "float64" })).toList() as [number, number];
  expect(x1).toBeCloseTo(1 / Math.sqrt(5.5), 15);
  expect(x2).toBeCloseTo(3 / Math.sqrt(5.5), 15);
});

describe("rotary", () => {
  test("turns the pair (i, i + d/2) by position * theta^(-2i/d)", () => {
    const { cos, signedSin } = new RotaryEmbedding(4, { theta: 100 }).forward(tensor([[3]], { dtype: "int64" }), "float32");
    const [fast, slow] = [3, 0.3];
    const close = (values: number[]) => values.map((value) => expect.closeTo(value, 6) as number);
    expect(cos.flatten().toList()).toEqual(close([fast, slow, fast, slow].map(Math.cos)));
    expect(signedSin.flatten().toList()).toEqual(close([-Math.sin(fast), -Math.sin(slow), Math.sin(fast), Math.sin(slow)]));
  });

  test("computes angles in float32 for a 16-bit model", () => {
    const rotary = new RotaryEmbedding(2);
    const { cos } = rotary.to({ dtype: "bfloat16" }).forward(tensor([[1001]], { dtype: "int64" }), "bfloat16");
    expect(cos.dtype).toBe("bfloat16");
    expect(cos.index(0, 0, 0, 0).item()).toBeCloseTo(Math.cos(1001), 2); // bfloat16 has no 1001
  });

  test.each([3, 0, NaN])("refuses a head of %s dimensions", (headDim) => {
    expect(() => new RotaryEmbedding(headDim)).toThrow(`Expected an even, positive number for 'headDim' but received ${headDim}`);
  });
});

describe("attention", () => {
  const layer = new Attention({
    hiddenSize: 8,
    numHeads: 4,
    numKeyValueHeads: 2,
    generator: new Generator().manualSeed(1),
  });
  const rotary = new RotaryEmbedding(2);
  const angles = (from: number, to: number) => rotary.forward(arange(from, to).unsqueeze(0), "float32");
  const x = randn([2, 5, 8], { generator: new Generator().manualSeed(2) });
  const whole = noGrad(() => layer.forward(x, { rotary: angles(0, 5) }));

  test.each([{ chunks: [5] }, { chunks: [1, 1, 1, 1, 1] }, { chunks: [2, 3] }, { chunks: [3, 1, 1] }])(
    "in chunks of $chunks through a cache gives what the whole row gives",
    ({ chunks }) => {
      const leaked = leakedBy(() => {
        using kv = new KvCache();
        const parts = noGrad(() =>
          chunks.map((size) => {
            const seen = kv.length;
            return layer.forward(x.narrow(1, seen, size), {
              rotary: angles(seen, seen + size),
              cache: { kv, layer: 0 },
            });
          }),
        );
        expect(kv.length).toBe(5);
        expect(cat(parts, 1).sub(whole).abs().max().item()).toBeLessThan(1e-6);
      });
      expect(leaked).toBe(0);
    },
  );

  test("no query sees a later key", () => {
    const changed = x.clone();
    changed.narrow(1, 4, 1).fill_(9);
    const after = noGrad(() => layer.forward(changed, { rotary: angles(0, 5) }));
    expect(after.narrow(1, 0, 4).toList()).toEqual(whole.narrow(1, 0, 4).toList());
    expect(after.narrow(1, 4, 1).toList()).not.toEqual(whole.narrow(1, 4, 1).toList());
  });

  test("drops attention weights in training only", () => {
    const dropping = new Attention({ hiddenSize: 8, numHeads: 4, dropout: 0.5 });
    const twice = () => [0, 1].map(() => tidy(() => dropping.forward(x, { rotary: angles(0, 5) }).toList()));
    const [first, second] = twice();
    expect(first).not.toEqual(second);
    dropping.eval();
    const [third, fourth] = twice();
    expect(third).toEqual(fourth);
  });

  test("refuses key heads that do not divide the query heads", () => {
    expect(() => new Attention({ hiddenSize: 8, numHeads: 4, numKeyValueHeads: 3 })).toThrow(
      "Expected a divisor of 4 heads for 'numKeyValueHeads' but received 3",
    );
  });

  test("a causal mask is aligned to the last key", () => {
    expect(causalMask(2, 4).toList()).toEqual([
      [true, true, true, false],
      [true, true, true, true],
    ]);
  });
});

test("a cache belongs to its maker: tidy leaves it, dispose frees it", () => {
  const kv = new KvCache();
  tidy(() => void kv.append(0, randn([1, 2, 3, 4]), randn([1, 2, 3, 4])));
  tidy(() => {
    const [keys] = kv.append(0, randn([1, 2, 1, 4]), randn([1, 2, 1, 4]));
    expect(keys.shape).toEqual([1, 2, 4, 4]);
  });
  expect(kv.length).toBe(4);
  kv.dispose();
  expect(kv.length).toBe(0);
});
