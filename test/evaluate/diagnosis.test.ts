import { describe, expect, test } from "vitest";
import type { AnswerPair } from "../../src/data/tokenize/tokenizedPair";
import { correlation, diagnose } from "../../src/evaluate/diagnosis/diagnose";
import type { Measurement } from "../../src/evaluate/diagnosis/measure";
import { positionMeans, stageMeans } from "../../src/preference/difference";

const logps = (...values: number[]) => Float64Array.from(values);
const answer = (...completion: number[]) => ({ ids: Int32Array.from([1, 2, ...completion]), start: 2 });
const pair = (index: number, chosen: number[], rejected: number[]): AnswerPair => ({
  index,
  chosen: answer(...chosen),
  rejected: answer(...rejected),
});

/** The answers part at 1 and at 0; of 4 tokens 1 differs, of 2 one. */
const measurement: Measurement = {
  pairs: [pair(3, [5, 6, 7, 9], [5, 8, 7, 9]), pair(7, [4, 9], [3, 9])],
  ches: [
    { plain: -8, normalised: -1 },
    { plain: 4, normalised: 2 },
  ],
  reference: [
    { chosen: logps(-1, -2, -3, -4), rejected: logps(-1, -4, -3, -2) },
    { chosen: logps(-2, -6), rejected: logps(-3, -1) },
  ],
  runs: [
    {
      name: "dpo",
      scores: [
        { chosen: logps(-1, -1, -5, -6), rejected: logps(-1, -9, -3, -2) },
        { chosen: logps(-1, -4), rejected: logps(-5, -1) },
      ],
    },
  ],
};

describe("diagnose", () => {
  const { models, pairs } = diagnose(measurement);
  const [reference, dpo] = models;

  test("says of each pair where its answers part, how far they are apart, and what each run did to them", () => {
    expect(pairs).toEqual([
      { index: 3, difference: 1, distance: 0.25, ches: { plain: -8, normalised: -1 }, chosen: [-3], rejected: [-5] },
      { index: 7, difference: 0, distance: 0.5, ches: { plain: 4, normalised: 2 }, chosen: [3], rejected: [-2] },
    ]);
  });

  test("has means over pairs, and over tokens before, at and after the first difference, micro and macro", () => {
    expect(reference).toMatchObject({
      name: "reference",
      chosen: {
        logp: -9, // (-10 - 8) / 2
        change: 0,
        error: 0,
        fell: 0,
        before: { micro: -1, macro: -1, tokens: 1 },
        at: { micro: -2, macro: -2, tokens: 2 },
        after: { micro: -13 / 3, macro: -4.75, tokens: 3 }, // tokens -3, -4 and -6; means -3.5 and -6
      },
      distance: { pearson: null, spearman: null },
    });
    expect(dpo).toMatchObject({
      name: "dpo",
      chosen: {
        logp: -9,
        change: 0,
        error: expect.closeTo(3, 12),
        fell: 0.5, // -3 and 3: s = √18, over √2
        at: { micro: -1, macro: -1 },
        after: { micro: -5, macro: -4.75 },
      },
      rejected: { logp: -10.5, change: -3.5, fell: 1, at: { micro: -7, macro: -7, tokens: 2 } },
    });
  });

  test("says how the change of the chosen answer goes with distance and CHES", () => {
    expect(dpo!.distance).toEqual({ pearson: 1, spearman: 1 });
    expect(dpo!.ches).toEqual({ pearson: 1, spearman: 1 });
  });
});

test("no token before or after a difference is no mean", () => {
  expect(stageMeans([logps(-2)], [0])).toEqual({
    before: { micro: null, macro: null, tokens: 0 },
    at: { micro: -2, macro: -2, tokens: 1 },
    after: { micro: null, macro: null, tokens: 0 },
  });
});

test("positions are counted from the first difference; those that few pairs reach are left out", () => {
  const answers = [logps(-1, -2, -3), logps(-4, -6), logps(-5), logps(-7), logps(-9)];
  // 0 is the difference: of the five pairs one has a token at -1 and at 1, one more at 1.
  expect(positionMeans(answers, [1, 0, 0, 0, 0], 0.25)).toEqual([
    { position: 0, logp: -27 / 5, pairs: 5 },
    { position: 1, logp: -4.5, pairs: 2 },
  ]);
});

describe("correlation", () => {
  test("Pearson's is of the values, Spearman's of the ranks", () => {
    // From the means 2.5 and 22.5.
    const { pearson, spearman } = correlation([1, 2, 3, 4], [1, 2, 9, 78]);
    const [xy, xx, yy] = [1.5 * 21.5 + 0.5 * 20.5 - 0.5 * 13.5 + 1.5 * 55.5, 5, 21.5 ** 2 + 20.5 ** 2 + 13.5 ** 2 + 55.5 ** 2];
    expect(pearson).toBeCloseTo(xy / Math.sqrt(xx * yy), 12);
    expect(spearman).toBe(1);
  });

  test("equal values share a rank", () => {
    // Ranks 0.5 0.5 2 against 0 1 2: (-0.5 * -1 + 1 * 1) / sqrt(1.5 * 2)
    expect(correlation([5, 5, 8], [1, 2, 3]).spearman).toBeCloseTo(1.5 / Math.sqrt(3), 12);
  });

  test("there is none with what does not vary", () => {
    expect(correlation([1, 1, 1], [1, 2, 3])).toEqual({ pearson: null, spearman: null });
    expect(correlation([1], [2])).toEqual({ pearson: null, spearman: null });
  });
});
