import { describe, expect, test } from "vitest";
import { verdictOf } from "../../../src/paper/study/claims";
import { spreadOf } from "../../../src/paper/study/table";

test("mean and sample deviation", () => {
  // Mean 4; squares of the distances 4 + 0 + 4 = 8, over n − 1 = 2: 4, whose root is 2.
  expect(spreadOf([2, 4, 6])).toEqual({ mean: 4, std: 2 });
  expect(spreadOf([-1, -1])).toEqual({ mean: -1, std: 0 });
  expect(spreadOf([7])).toEqual({ mean: 7, std: null });
  expect(spreadOf([])).toBeNull();
});

describe("a claim is judged by two standard errors of the mean", () => {
  // 2, 4, 6: mean 4, standard error 2 / √3 = 1.1547, so the mean is sure to be above 1.69 and below 6.31.
  test.each([
    ["above", 1.6, "agree"],
    ["above", 1.8, "unclear"],
    ["above", 6.2, "unclear"],
    ["above", 6.4, "disagree"],
    ["below", 1.6, "disagree"],
    ["below", 1.8, "unclear"],
    ["below", 6.2, "unclear"],
    ["below", 6.4, "agree"],
  ] as const)("%s %d: %s", (side, limit, verdict) => {
    expect(verdictOf([2, 4, 6], side, limit)).toBe(verdict);
  });

  test("one seed or none has no spread to judge by", () => {
    expect(verdictOf([5], "above", 0)).toBe("unclear");
    expect(verdictOf([], "above", 0)).toBe("unclear");
  });

  test("equal values are sure unless they are the limit", () => {
    expect(verdictOf([1, 1], "above", 0)).toBe("agree");
    expect(verdictOf([0, 0], "above", 0)).toBe("unclear");
  });
});
