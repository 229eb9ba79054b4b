import { expect, test } from "vitest";
import { byPosition, summarise } from "../../src/paper/measure";

const pair = (difference: number) => ({ prompt: [1], chosen: [], rejected: [], difference });

test("sums answers, and averages tokens before, at and after the first difference", () => {
  const scores = [
    { chosen: [-1, -2, -3, -4], rejected: [-5] },
    { chosen: [-10, -20], rejected: [-7, -8] },
  ];
  // Differences at 2 and at 0: before -1, -2; at -3, -10; after -4, -20.
  expect(summarise(scores, [pair(2), pair(0)])).toEqual({
    chosen_logp: -20,
    rejected_logp: -10,
    token_logp_before: -1.5,
    token_logp_at: -6.5,
    token_logp_after: -12,
  });
});

test("a part that no pair has is null", () => {
  expect(summarise([{ chosen: [-1], rejected: [-2] }], [pair(0)])).toMatchObject({
    token_logp_before: null,
    token_logp_at: -1,
    token_logp_after: null,
  });
});

test("averages by distance from the first difference, in order, leaving rare distances out", () => {
  const common = Array.from({ length: 20 }, () => ({ chosen: [-1, -3], rejected: [] }));
  const scores = [...common, { chosen: [-2, -4, -6], rejected: [] }];
  const pairs = [...common.map(() => pair(1)), pair(1)];
  expect(byPosition(scores, pairs)).toEqual([
    { position: -1, logp: -22 / 21, tokens: 21 },
    { position: 0, logp: -64 / 21, tokens: 21 },
  ]); // position 1 has one pair of 21
});
