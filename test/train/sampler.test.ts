import { expect, test } from "vitest";
import { Sampler } from "../../src/train/schedule";

const steps = (sampler: Sampler, count: number) => Array.from({ length: count }, (_, step) => sampler.rowsOf(step));

test("sequential steps walk through the rows, the last one of an epoch with what is left", () => {
  const sampler = new Sampler({ rows: 5, rowsPerStep: 2, strategy: "sequential", seed: 0 });
  expect(sampler.stepsPerEpoch).toBe(3);
  expect(steps(sampler, 5)).toEqual([[0, 1], [2, 3], [4], [0, 1], [2, 3]]);
});

test("each random epoch has every row once, in an order of its own", () => {
  const sampler = new Sampler({ rows: 50, rowsPerStep: 8, strategy: "random", seed: 3 });
  const all = Array.from({ length: 50 }, (_, i) => i);
  const [first, second] = [0, 7].map((from) => Array.from({ length: 7 }, (_, i) => sampler.rowsOf(from + i)).flat());
  expect([...first!].sort((a, b) => a - b)).toEqual(all);
  expect([...second!].sort((a, b) => a - b)).toEqual(all);
  expect(first).not.toEqual(second);
  expect(first).not.toEqual(all);
});

test("a step's rows depend on the seed and the step alone, so a run can go on anywhere", () => {
  const options = { rows: 20, rowsPerStep: 3, strategy: "random", seed: 5 } as const;
  const walked = steps(new Sampler(options), 12);
  expect(new Sampler(options).rowsOf(11)).toEqual(walked[11]);
  expect(new Sampler({ ...options, seed: 6 }).rowsOf(11)).not.toEqual(walked[11]);
});

test("with whole batches, rows that would not fill the last one are dropped, as in transformers' drop_last", () => {
  // 11 rows in batches of 2 are 5 batches; 2 batches a step make steps of 4, 4 and 2 rows.
  const sampler = new Sampler({ rows: 11, rowsPerStep: 4, wholeBatches: 2, strategy: "sequential", seed: 0 });
  expect(sampler.stepsPerEpoch).toBe(3);
  expect(steps(sampler, 4)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
    [0, 1, 2, 3],
  ]);
  expect(new Sampler({ rows: 3, rowsPerStep: 4, wholeBatches: 4, strategy: "random", seed: 0 }).stepsPerEpoch).toBe(0);
});

test("a random epoch of whole batches drops different rows each time", () => {
  const sampler = new Sampler({ rows: 9, rowsPerStep: 4, wholeBatches: 4, strategy: "random", seed: 1 });
  const missing = (epoch: number) => {
    const taken = new Set([...sampler.rowsOf(2 * epoch), ...sampler.rowsOf(2 * epoch + 1)]);
    return Array.from({ length: 9 }, (_, row) => row).filter((row) => !taken.has(row));
  };
  const left = [0, 1, 2, 3, 4].map(missing);
  expect(left.every(({ length }) => length === 1)).toBe(true);
  expect(new Set(left.flat()).size).toBeGreaterThan(1);
});
