import { expect, test } from "vitest";
import { splitByDistance } from "../../../src/paper/study/subject";

const letters = ([chosen, rejected]: readonly [string, string]) => [[...chosen], [...rejected]] as const;
const source = (name: string, rows: readonly (readonly [string, string])[]) => ({ name, digest: name, rows });

test("one source is cut in the middle by edit distance, each half in the order of the source", () => {
  // Distances 1, 1/4, 3/4, 1/4 and 1: of five rows three are near.
  const rows = [
    ["abcd", "wxyz"],
    ["abcd", "abcx"],
    ["abcd", "axyz"],
    ["efgh", "efgx"],
    ["abcd", "stuv"],
  ] as const;
  const { low, high } = splitByDistance([source("pairs", rows)], letters);
  expect(low.rows).toEqual([rows[1], rows[2], rows[3]]);
  expect(high.rows).toEqual([rows[0], rows[4]]);
  expect(low.name).not.toBe(high.name);
});

test("of two sources the nearer one is low, in whatever order they come", () => {
  const near = source("near", [
    ["abcd", "abcx"],
    ["abcd", "abxx"],
  ]);
  const far = source("far", [
    ["abcd", "wxyz"],
    ["abcd", "abcx"],
  ]);
  for (const sources of [
    [near, far],
    [far, near],
  ])
    expect(splitByDistance(sources, letters)).toEqual({ low: near, high: far });
});

test("one row, and three sources, are refused", () => {
  expect(() => splitByDistance([source("pairs", [["a", "b"]])], letters)).toThrow(/at least two rows in 'pairs'/);
  expect(() =>
    splitByDistance(
      [1, 2, 3].map((n) => source(String(n), [])),
      letters,
    ),
  ).toThrow(/but received 3/);
});
