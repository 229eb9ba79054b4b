import fc from "fast-check";
import { expect, test } from "vitest";
import { firstDifference, normalisedDistance } from "../../src/data/rows/editDistance";
import { levenshtein } from "./levenshtein";

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
  ["kitten", "sitting", 3 / 7],
  ["flaw", "lawn", 2 / 4],
  ["", "abc", 1],
  ["abc", "abc", 0],
  ["", "", 0],
])("normalisedDistance of %j and %j is %d", (a, b, distance) => {
  expect(normalisedDistance(letters(a), letters(b))).toBeCloseTo(distance, 12);
});

test("normalisedDistance is Levenshtein's over the longer list", () => {
  const list = fc.array(fc.constantFrom("a", "b", "cd", ""), { maxLength: 8 });
  fc.assert(
    fc.property(list, list, (a, b) => {
      expect(normalisedDistance(a, b)).toBeCloseTo(levenshtein(a, b) / Math.max(a.length, b.length, 1), 12);
    }),
  );
});
