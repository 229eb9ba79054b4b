import { describe, expect, test } from "vitest";
import { planMemory, smallerPlan } from "../../src/train/memory";
import "../setup/leaks";
import { tinyModel } from "./tiny";

/*
 * By hand for the tiny model (hidden 32, intermediate 48, 4 query and 2 key heads of 8, float32), a layer and token:
 * norms and residuals 6 · 32 = 192; q 32 + 32, k and v 2 · (32 + 16), o 32 + 32 = 224; gate and up 2 · (32 + 48),
 * down 48 + 32 = 240. That is 656 numbers, 2624 bytes; both layers 5248. Checkpointed: two inputs of 32 numbers, and one
 * layer while it is computed again: 2 · 32 · 4 + 2624 = 2880. Half the free memory is for activations.
 */
const KEPT = 5248;
const AGAIN = 2880;
const open = { device: "cpu", longestPair: 100, maxTokens: null, checkpoint: null } as const;
const model = tinyModel();
const plan = (free: number, settled: object = {}) => planMemory(model, { ...open, free, ...settled });

describe("planMemory", () => {
  test("keeps activations where they fit, with the most tokens that do", () => {
    expect(plan(2 * KEPT * 300)).toMatchObject({ maxTokens: 300, checkpoint: false });
  });

  test("keeps them down to the longest pair, and computes them again below", () => {
    expect(plan(2 * KEPT * 100)).toMatchObject({ maxTokens: 100, checkpoint: false });
    expect(plan(2 * KEPT * 100 - 2)).toMatchObject({ maxTokens: Math.floor((KEPT * 100 - 1) / AGAIN), checkpoint: true });
  });

  test("takes no more tokens than bring speed", () => {
    expect(plan(2 ** 40)).toMatchObject({ maxTokens: 1024, checkpoint: false });
    expect(plan(2 ** 40, { device: "cuda" })).toMatchObject({ maxTokens: 65_536, checkpoint: false });
    expect(plan(2 ** 40, { longestPair: 2000 })).toMatchObject({ maxTokens: 2000, checkpoint: false });
  });

  test("always lets the longest pair through, and says that it may not fit", () => {
    const tight = plan(2 * AGAIN * 40);
    expect(tight).toMatchObject({ maxTokens: 100, checkpoint: true });
    expect(tight.reason).toContain("up to 100 tokens at once, more than the 40 that seem to fit, activations computed again");
  });

  test("leaves the tokens as the user has settled them", () => {
    expect(plan(2 * KEPT * 300, { maxTokens: 200 })).toMatchObject({ maxTokens: 200, checkpoint: false });
    expect(plan(2 * KEPT * 300, { maxTokens: 301 })).toMatchObject({ maxTokens: 301, checkpoint: true });
    expect(plan(2 ** 40, { maxTokens: 5000 })).toMatchObject({ maxTokens: 5000, checkpoint: false });
  });

  test("leaves checkpointing as the user has settled it", () => {
    expect(plan(2 ** 40, { checkpoint: true })).toMatchObject({ maxTokens: 1024, checkpoint: true });
    const kept = plan(2 * KEPT * 50, { checkpoint: false });
    expect(kept).toMatchObject({ maxTokens: 100, checkpoint: false });
    expect(kept.reason).toContain("more than the 50 that seem to fit, activations kept");
  });

  test("says in GiB what is free and what is needed", () => {
    const gib = 2 ** 30;
    expect(plan(8 * gib, { maxTokens: Math.ceil(gib / KEPT) }).reason).toMatch(
      / at once, activations kept \(8\.0 GiB free, about 1\.0 GiB needed\)$/,
    );
  });

  test("counts every layer, and keeps nothing of its own", () => {
    const deeper = tinyModel({ num_hidden_layers: 4 }); // 2 · KEPT a token
    expect(() => expect(planMemory(deeper, { ...open, free: 2 * KEPT * 300 })).toMatchObject({ maxTokens: 150 })).toLeakNothing();
  });

  test("asks the device where nothing is given", () => {
    const { maxTokens, reason } = planMemory(model, open);
    expect(maxTokens).toBeGreaterThanOrEqual(100);
    expect(reason).toMatch(/\(\d+\.\d GiB free/);
  });
});

describe("smallerPlan", () => {
  const batch = (tokens: number, pairs: number) => ({ ids: new Int32Array(tokens), pairs: Array(pairs).fill(0) });
  const start = { maxTokens: 1000, checkpoint: false, reason: "" };

  test("halves what ran, not what was allowed", () => {
    const next = smallerPlan(start, [batch(300, 2), batch(601, 4)])!;
    expect(next).toMatchObject({ maxTokens: 300, checkpoint: false });
    expect(next.reason).toContain("up to 300 tokens at once, as memory ran out with 601");
  });

  test("halves what was allowed where a pair alone was longer", () => {
    expect(smallerPlan({ ...start, maxTokens: 400 }, [batch(900, 1), batch(300, 2)])).toMatchObject({ maxTokens: 200 });
  });

  test("goes down to single pairs, then computes activations again, then ends", () => {
    const single = smallerPlan(start, [batch(600, 1), batch(500, 1)])!;
    expect(single).toMatchObject({ maxTokens: 1000, checkpoint: true });
    expect(single.reason).toContain("with a single pair");
    expect(smallerPlan(single, [batch(600, 1)])).toBeUndefined();
    expect(smallerPlan({ ...single, maxTokens: 1 }, [batch(8, 2)])).toMatchObject({ maxTokens: 1, checkpoint: true });
  });

  test("keeps checkpointing while it halves", () => {
    expect(smallerPlan({ ...start, checkpoint: true }, [batch(800, 3)])).toMatchObject({ maxTokens: 400, checkpoint: true });
  });
});
