import { expect, test } from "vitest";
import { constantSchedule, cosineSchedule, linearSchedule } from "../../src/optim";

const take = (schedule: (step: number) => number, steps: number) => Array.from({ length: steps }, (_, step) => schedule(step));

test("linear: step k of n has factor 1 - k/n, and 0 from n on", () => {
  expect(take(linearSchedule({ totalSteps: 4 }), 6)).toEqual([1, 0.75, 0.5, 0.25, 0, 0]);
});

test("warm-up rises from 0 and reaches the full rate in step warmupSteps", () => {
  expect(take(linearSchedule({ warmupSteps: 2, totalSteps: 4 }), 5)).toEqual([0, 0.5, 1, 0.5, 0]);
  expect(take(constantSchedule({ warmupSteps: 2 }), 4)).toEqual([0, 0.5, 1, 1]);
});

test("cosine: full, half, nothing", () => {
  const schedule = cosineSchedule({ totalSteps: 4 });
  expect([schedule(0), schedule(2), schedule(4)]).toEqual([1, expect.closeTo(0.5, 15), expect.closeTo(0, 15)]);
});

test.each([
  [() => linearSchedule({} as never), "'totalSteps' but received nothing"],
  [() => cosineSchedule({ totalSteps: Number.NaN }), "'totalSteps' but received NaN"],
  [() => constantSchedule({ warmupSteps: -1 }), "'warmupSteps' but received -1"],
])("steps that are no count are refused (%#)", (make, message) => {
  expect(make).toThrow(message);
});
