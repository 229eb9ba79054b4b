/** Every architecture against transformers, from folders it saved (scripts/parity/models.py). */
import { describe, expect, test } from "vitest";
import { type CausalLM, loadModel } from "../../src/models";
import { KvCache } from "../../src/nn";
import { arange, cat, type DType, noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import { expectClose, fixture, folderOf, leakedBy, wave } from "./fixture";

interface Variant {
  /** At `rows` of the whole pass. */
  logits: number[];
  /** What bfloat16 makes of them in transformers: the mean absolute difference. */
  bfloat16: number;
  /** At the last column of two rows, the second one left-padded. */
  padded: number[];
  /** The sum of gradient * wave, by name. */
  gradients: Record<string, number>;
  greedy: number[];
}

const {
  ids,
  rows,
  short,
  prompt,
  versions: _,
  ...variants
} = fixture<{ ids: number[][]; rows: number[]; short: number; prompt: number; versions: unknown } & Record<string, never>>(
  "models",
);
const cases = Object.entries(variants as Record<string, Variant>).map(([name, expected]) => ({ name, expected }));
const int64 = { dtype: "int64" } as const;
const length = ids[0]!.length;

const load = (name: string, dtype?: DType) => loadModel(folderOf("models", name), { dtype });

/** `[1, length]` */
const sequence = () => tensor(ids, int64);

/** Two rows that end in the same column, the second one with `length - short` columns of padding. */
function leftPadded(model: CausalLM): Tensor {
  const pads = length - short;
  const second = cat([tensor([Array<number>(pads).fill(0)], int64), sequence().narrow(1, 0, short)], 1);
  const count = arange(0, length);
  const positions = cat([count.unsqueeze(0), count.sub(pads).clamp(0).unsqueeze(0)], 0);
  const real = cat([count.ge(0).unsqueeze(0), count.ge(pads).unsqueeze(0)], 0); // [2, keys]
  const causal = count.unsqueeze(1).ge(count.unsqueeze(0)); // [queries, keys]
  const itself = count.unsqueeze(1).eq(count.unsqueeze(0));
  const mask = real.view([2, 1, 1, length]).logicalAnd(causal).logicalOr(itself);
  return model.forward(cat([sequence(), second], 0), { positions, mask }).narrow(1, length - 1, 1);
}

/** The whole sequence's logits, half of it at once, some more, and then token by token. */
function incremental(model: CausalLM): Tensor {
  using cache = new KvCache();
  const steps = [length / 2, 3, ...Array<number>(length / 2 - 3).fill(1)];
  const starts = steps.map((_, i) => steps.slice(0, i).reduce((sum, step) => sum + step, 0));
  return cat(
    steps.map((step, i) => model.forward(sequence().narrow(1, starts[i]!, step), { cache })),
    1,
  );
}

/** Each next token from a cache. */
function greedy(model: CausalLM, count: number): number[] {
  using cache = new KvCache();
  const answer: number[] = [];
  let fed = sequence().narrow(1, 0, prompt);
  while (answer.length < count) {
    const logits = model.forward(fed, { cache });
    fed = logits.narrow(1, fed.size(1) - 1, 1).argmax(-1); // [1, 1]
    answer.push(Number(fed.item()));
  }
  return answer;
}

describe.each(cases)("$name", ({ name, expected }) => {
  test("logits and every gradient are transformers'", async () => {
    const model = await load(name);
    const leaked = leakedBy(() => {
      const logits = model.forward(sequence());
      expectClose(logits.index(0, rows), expected.logits, 1e-5, "logits");
      const loss = ops.crossEntropyLoss(logits.index(0, `:${length - 1}`), sequence().index(0, "1:"));
      loss.backward();
      const names = [...model.namedParameters()].map(([parameter]) => parameter);
      expect(names.sort()).toEqual(Object.keys(expected.gradients).sort());
      for (const [parameter, { grad, shape }] of model.namedParameters())
        expectClose(grad!.mul(wave(shape)).sum(), [expected.gradients[parameter]!], 3e-5, parameter); // 2.2e-5 with AVX-512
      model.zeroGrad();
    });
    expect(leaked).toBe(0);
    model.dispose();
  });

  test("in bfloat16 about as exact as transformers", async () => {
    const model = await load(name, "bfloat16");
    tidy(() => {
      const logits = noGrad(() => model.forward(sequence())).index(0, rows);
      expect(logits.dtype).toBe("bfloat16");
      const exact = tensor(expected.logits).view(logits.shape);
      expect(logits.to("float32").sub(exact).abs().mean().item()).toBeLessThan(2 * expected.bfloat16);
    });
    model.dispose();
  });

  test("padding on the left changes nothing", async () => {
    const model = await load(name);
    tidy(() => noGrad(() => expectClose(leftPadded(model), expected.padded, 1e-5, "logits")));
    model.dispose();
  });

  test("decoding with a cache gives transformers' answer", async () => {
    const model = await load(name);
    tidy(() => noGrad(() => expect(greedy(model, expected.greedy.length)).toEqual(expected.greedy)));
    model.dispose();
  });
});

const byLength = cases.filter(({ name }) => /dynamic|longrope/.test(name));

describe.each(cases.filter((each) => !byLength.includes(each)))("$name", ({ name, expected }) => {
  test("in parts, with a cache, the logits are those of the whole pass", async () => {
    const model = await load(name);
    tidy(() => noGrad(() => expectClose(incremental(model).index(0, rows), expected.logits, 1e-5, "logits")));
    model.dispose();
  });
});

/** The first tokens of the sequence, then all of it, in one row. */
function packed(model: CausalLM): Tensor {
  const count = arange(0, length);
  const joined = (first: Tensor, second: Tensor) => cat([first, second], 0).unsqueeze(0); // [1, short + length]
  const text = joined(count.narrow(0, 0, short).mul(0), count.mul(0).add(1)); // which of the two
  const positions = joined(count.narrow(0, 0, short), count);
  const lengths = text.mul(length - short).add(short);
  const seen = positions.unsqueeze(-1).ge(positions.unsqueeze(1)); // [1, queries, keys]
  const mask = text.unsqueeze(-1).eq(text.unsqueeze(1)).logicalAnd(seen);
  return model.forward(cat([sequence().narrow(1, 0, short), sequence()], 1), { positions, lengths, mask });
}

describe.each(byLength)("$name, whose frequencies depend on the length", ({ name, expected }) => {
  test("texts of other lengths in one row are each on its own, when their lengths are given", async () => {
    const model = await load(name);
    tidy(() =>
      noGrad(() => {
        const logits = packed(model);
        const alone = model.forward(sequence().narrow(1, 0, short));
        expectClose(logits.narrow(1, 0, short), Array.from(alone.toArray() as Float32Array), 1e-5, "first");
        expectClose(logits.narrow(1, short, length).index(0, rows), expected.logits, 1e-5, "second");
      }),
    );
    model.dispose();
  });

  test("a longer text before changes nothing", async () => {
    const model = await load(name);
    tidy(() => {
      const beginning = () => model.forward(sequence().narrow(1, 0, short)).toArray();
      const before = beginning();
      const logits = model.forward(sequence());
      expect(beginning()).toEqual(before);
      // And the beginning itself is not what it is as a part of the longer text.
      expect(ops.allclose(logits.narrow(1, 0, short), model.forward(sequence().narrow(1, 0, short)), 0, 1e-2)).toBe(false);
    });
    model.dispose();
  });
});
