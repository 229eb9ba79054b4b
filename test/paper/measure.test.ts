import { expect, test } from "vitest";
import { toMethodResult } from "../../src/paper/measure";

const pair = (difference: number) => ({ difference });
const answer = (...logps: number[]) => Float64Array.from(logps);
type Scores = Parameters<typeof toMethodResult>[0]["scores"];

const resultOf = (scores: Scores, pairs: { difference: number }[]) =>
  toMethodResult({ scores, answers: [{ text: "", correct: true }], curve: [] }, pairs);

test("sums answers, and averages tokens before, at and after the first difference", () => {
  const scores = [
    { chosen: answer(-1, -2, -3, -4), rejected: answer(-5) },
    { chosen: answer(-10, -20), rejected: answer(-7, -8) },
  ];
  // Differences at 2 and at 0: before -1, -2; at -3, -10; after -4, -20.
  expect(resultOf(scores, [pair(2), pair(0)]).measures).toEqual({
    chosen_logp: -20,
    rejected_logp: -10,
    token_logp_before: -1.5,
    token_logp_at: -6.5,
    token_logp_after: -12,
    accuracy: 1,
  });
});

test("a part that no pair has is null", () => {
  expect(resultOf([{ chosen: answer(-1), rejected: answer(-2) }], [pair(0)]).measures).toMatchObject({
    token_logp_before: null,
    token_logp_at: -1,
    token_logp_after: null,
  });
});

test("averages by distance from the first difference, in order, leaving rare distances out", () => {
  const common = Array.from({ length: 20 }, () => ({ chosen: answer(-1, -3), rejected: answer() }));
  const scores = [...common, { chosen: answer(-2, -4, -6), rejected: answer() }];
  const pairs = [...common.map(() => pair(1)), pair(1)];
  expect(resultOf(scores, pairs).positions).toEqual([
    { position: -1, logp: -22 / 21, tokens: 21 },
    { position: 0, logp: -64 / 21, tokens: 21 },
  ]); // position 1 has one pair of 21
});
