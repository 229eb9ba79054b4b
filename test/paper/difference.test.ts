import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, firstDifference, normalisedEditDistance } from "../../src/paper/difference";

const letters = (text: string) => [...text];

test.each([
  ["28 + 10 = 38", "28 + 10 = 54", 10],
  ["same", "same", 4],
  ["begins", "begins and goes on", 6],
  ["", "x", 0],
])("firstDifference of %j and %j is %d", (a, b, index) => {
  expect(firstDifference(letters(a), letters(b))).toBe(index);
});

test.each([
  ["kitten", "sitting", 3],
  ["flaw", "lawn", 2],
  ["", "abc", 3],
  ["abc", "abc", 0],
])("editDistance of %j and %j is %d", (a, b, distance) => {
  expect(editDistance(letters(a), letters(b))).toBe(distance);
});

test("editDistance is a metric", () => {
  const list = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 8 });
  fc.assert(fc.property(list, list, list, (a, b, c) => {
    expect(editDistance(a, b)).toBe(editDistance(b, a));
    expect(editDistance(a, b) === 0).toBe(a.join("") === b.join(""));
    expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
  }));
});

test("normalisedEditDistance divides by the longer list", () => {
  expect(normalisedEditDistance(letters("kitten"), letters("sitting"))).toBeCloseTo(3 / 7, 12);
  expect(normalisedEditDistance([], [])).toBe(0);
});
