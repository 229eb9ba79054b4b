import { describe, expect, test } from "vitest";
import type { TokenizedPair } from "../../src/data/tokenize/tokenizedPair";
import { maskedAttention } from "../../src/nn";
import { type PackedBatch, pack, packedAttention, upload } from "../../src/preference";
import { branchOffsets } from "../../src/preference/packed/attention";
import { autograd, cat, manualSeed, noGrad, randn, type Tensor, tensor, tidy } from "../../src/torch";
import "../setup/leaks";

const answer = (prompt: number[], completion: number[]) => ({
  ids: Int32Array.from([...prompt, ...completion]),
  start: prompt.length,
});
const pair = (index: number, prompt: number[], chosen: number[], rejected: number[]): TokenizedPair => ({
  index,
  chosen: answer(prompt, chosen),
  rejected: answer(prompt, rejected),
});
const pairs = [
  pair(0, [1, 2, 3], [4, 5, 6], [4, 7, 8, 9]),
  pair(1, [1, 2, 3], [4, 5, 6], [9, 9]),
  pair(2, [1, 8], [4, 3], [5, 3, 2]),
];

const HEADS = 4;
const KV_HEADS = 2;
const HEAD_DIM = 8;
manualSeed(3);
const inputs = (batch: PackedBatch) =>
  [HEADS, KV_HEADS, KV_HEADS].map((heads) =>
    randn([1, heads, batch.packing.ids.length, HEAD_DIM], { dtype: "float64", requiresGrad: true }),
  ) as [Tensor, Tensor, Tensor];

const rules = [
  { dropout: 0 },
  { dropout: 0, scale: 0.3 },
  { dropout: 0, window: 2 },
  { dropout: 0, softcap: 0.5 },
  { dropout: 0, softcap: 0.5, window: 3 },
];

/** Every sequence by itself, by the ordinary kernel; each row's output is that of the sequence that laid it. */
function bySequence(batch: PackedBatch, [q, k, v]: [Tensor, Tensor, Tensor], rule: (typeof rules)[number]): Tensor {
  return cat(
    batch.packing.branches.map(({ length, sequence }) => {
      const of = (x: Tensor) => x.indexSelect(2, tensor([...sequence], { dtype: "int64" }));
      const out = maskedAttention()(of(q), of(k), of(v), rule);
      return out.narrow(2, sequence.length - length, length);
    }),
    2,
  );
}

describe.each([true, false])("packedAttention, prefixes shared: %s", (sharePrefixes) => {
  test.each(rules)("is each sequence's own attention: %o", (rule) => {
    tidy(() => {
      const batch = upload(pack(pairs, { sharePrefixes }));
      const qkv = inputs(batch);
      const ours = packedAttention(batch)(...qkv, rule);
      const theirs = bySequence(batch, qkv, rule);
      expect(ours.sub(theirs).abs().max().item()).toBeLessThan(1e-12);
      const weights = randn(ours.shape, { dtype: "float64" });
      const gradients = (out: Tensor) => autograd.grad(out.mul(weights).sum(), qkv);
      gradients(ours).forEach((gradient, i) =>
        expect(
          gradient!
            .sub(gradients(bySequence(batch, qkv, rule))[i]!)
            .abs()
            .max()
            .item(),
        ).toBeLessThan(1e-12),
      );
    });
  });
});

test("the offsets for variable-length attention describe the same attention", () => {
  tidy(() => {
    const batch = upload(pack(pairs));
    const [q, k, v] = inputs(batch);
    const { cumQueries, cumKeys, maxQueries, maxKeys } = branchOffsets(batch.packing.branches);
    const keys = k.indexSelect(2, batch.keyRows);
    const values = v.indexSelect(2, batch.keyRows);
    // What flash attention does with them: each run of queries with its run of keys, causal, aligned to the end.
    const runs = Array.from({ length: cumQueries.length - 1 }, (_, i) => {
      const range = (x: Tensor, cumulative: Int32Array) => x.narrow(2, cumulative[i]!, cumulative[i + 1]! - cumulative[i]!);
      expect(range(q, cumQueries).size(2)).toBeLessThanOrEqual(maxQueries);
      expect(range(keys, cumKeys).size(2)).toBeLessThanOrEqual(maxKeys);
      return maskedAttention()(range(q, cumQueries), range(keys, cumKeys), range(values, cumKeys), { dropout: 0 });
    });
    const ours = packedAttention(batch)(q, k, v, { dropout: 0 });
    expect(cat(runs, 2).sub(ours).abs().max().item()).toBeLessThan(1e-12);
    expect(cumQueries.at(-1)).toBe(batch.packing.ids.length);
    expect(cumKeys.at(-1)).toBe(batch.keyRows.numel());
  });
});

test("leaves nothing behind", () => {
  expect(() => {
    const batch = upload(pack(pairs));
    const qkv = inputs(batch);
    noGrad(() => packedAttention(batch)(...qkv, { dropout: 0 }));
  }).toLeakNothing();
});
