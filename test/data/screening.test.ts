import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { describeRejectedRows, expectSomeKept, reasonToRefuse, screen } from "../../src/data/rows/screening";

const row = { index: 0, prompt: "p", chosen: "a", rejected: "b" };
const tokens = { prompt: 3, chosen: 2, rejected: 5 };

test.each([
  [{}, tokens, 8, undefined],
  [{}, tokens, 7, "prompt and answer have 8 tokens, more than 7"],
  [{}, { prompt: 3, chosen: 9, rejected: 2 }, 11, "prompt and answer have 12 tokens, more than 11"],
  [{ prompt: "" }, tokens, 8, "the prompt is empty"],
  [{ chosen: " \n" }, tokens, 8, "the chosen answer is empty"],
  [{ rejected: "" }, tokens, 8, "the rejected answer is empty"],
  [{ rejected: "a" }, tokens, 8, "the two answers are identical"],
])("%j with %j of at most %d tokens: %s", (change, counts, limit, reason) => {
  expect(reasonToRefuse({ ...row, ...change }, counts, limit)).toBe(reason);
});

test("screen keeps order and loses no row", () => {
  const rows = Array.from({ length: 6 }, (_, index) => ({ index }));
  const { kept, refused } = screen(rows, ({ index }) => (index % 3 === 0 ? "a multiple of three" : undefined));
  expect(kept.map(({ index }) => index)).toEqual([1, 2, 4, 5]);
  expect(refused).toEqual([
    { index: 0, reason: "a multiple of three" },
    { index: 3, reason: "a multiple of three" },
  ]);
});

test("lists the first ten refusals and counts the others", () => {
  const refused = Array.from({ length: 13 }, (_, index) => ({ index, reason: `reason ${index}` }));
  const lines = describeRejectedRows(refused, 40).split("\n");
  expect(lines[0]).toMatch(/^13 of 40 rows cannot be trained on/);
  expect(lines.slice(1, 3)).toEqual(["  row 0: reason 0", "  row 1: reason 1"]);
  expect(lines.slice(10)).toEqual(["  row 9: reason 9", "  and 3 more"]);
  expect(describeRejectedRows(refused.slice(0, 2), 40).split("\n")).toHaveLength(3);
});

test("no row left is bad input", () => {
  const refused = [{ index: 0, reason: "the prompt is empty" }];
  const expectSome = () => expectSomeKept([], refused, "pairs.jsonl");
  expect(expectSome).toThrow(InputError);
  expect(expectSome).toThrow(/'pairs\.jsonl'.*1 of 1 rows[^]*row 0: the prompt is empty/);
  expect(() => expectSomeKept([1], refused, "pairs.jsonl")).not.toThrow();
});
