import { expect, test } from "vitest";
import { fits, integer, type NumberRange, nullable, number, rangeInWords } from "../../src/base/arguments";
import { quotedChoices } from "../../src/base/values";

test.each<[NumberRange, string]>([
  [{}, "a number"],
  [{ min: 0 }, "a number from 0"],
  [{ min: 0, max: 1 }, "a number from 0 to 1"],
  [{ min: 0, below: 1 }, "a number from 0 to below 1"],
  [{ above: 0 }, "a number above 0"],
  [{ above: 0, max: 1 }, "a number above 0 and at most 1"],
  [{ max: 1 }, "a number at most 1"],
  [{ below: 1 }, "a number below 1"],
  [{ min: 0, above: 0, max: 1, below: 2 }, "a number above 0 and at most 1"],
  [{ min: -Infinity, max: Infinity }, "a number"],
])("the range %j is said as %s", (range, words) => expect(rangeInWords(range)).toBe(words));

test("a value fits as it is, not by what it spells", () => {
  const share = number(0, "", { min: 0, below: 1 });
  expect([0, 0.5].every((value) => fits(value, share))).toBe(true);
  expect([1, -1, NaN, "0.5", undefined].some((value) => fits(value, share))).toBe(false);
  expect([2, null, "null", 1.5].map((value) => fits(value, nullable(integer(0, ""))))).toEqual([true, true, false, false]);
});

test.each([
  [["a"], '"a"'],
  [["a", "b"], '"a" or "b"'],
  [["a", "b", "c"], '"a", "b" or "c"'],
])("%j are quoted as %s", (choices, words) => expect(quotedChoices(choices)).toBe(words));
