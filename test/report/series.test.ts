import { describe, expect, test } from "vitest";
import { curve, pointsOf, runningMean, thinned } from "../../src/report/metrics";

const points = (...values: number[]) => values.map((y, x) => ({ x, y }));

test("points are of the lines that have the metric, scaled", () => {
  expect(
    pointsOf(
      [
        { step: 1, a: 2 },
        { step: 2, b: 3 },
        { step: 5, a: 4 },
      ],
      "a",
      0.5,
    ),
  ).toEqual([
    { x: 1, y: 1 },
    { x: 5, y: 2 },
  ]);
});

describe("a running mean", () => {
  test("is over as many neighbours on both sides, fewer at the ends", () => {
    expect(runningMean(points(0, 3, 6, 3), 1).map(({ y }) => y)).toEqual([1.5, 3, 4, 4.5]);
  });

  test("is only drawn of metrics that were logged often", () => {
    expect(curve(points(1, 2, 3))).toEqual({ points: points(1, 2, 3) });
    const noisy = points(...Array.from({ length: 60 }, (_, i) => i % 2));
    const drawn = curve(noisy);
    expect(drawn.behind).toEqual(noisy);
    expect(Math.max(...drawn.points.slice(5, -5).map(({ y }) => Math.abs(y - 0.5)))).toBeLessThan(0.1);
  });
});

test("thinning keeps first and last point, and the mean of the others", () => {
  const long = points(...Array.from({ length: 1002 }, (_, i) => i));
  const few = thinned(long, 12);
  expect(few).toHaveLength(12);
  expect([few[0], few.at(-1)]).toEqual([long[0], long.at(-1)]);
  expect(few[1]).toEqual({ x: 50.5, y: 50.5 }); // 1 to 100
  expect(few[10]).toEqual({ x: 950.5, y: 950.5 }); // 901 to 1000
  expect(thinned(long.slice(0, 12), 12)).toEqual(long.slice(0, 12));
});
