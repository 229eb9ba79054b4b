import { expect, test } from "vitest";
import { Random } from "../../src/base/random";

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.bits());

test("the same seed and stream give the same numbers, another of either gives others", () => {
  const numbers = draw(new Random(7, "problems"), 5);
  expect(draw(new Random(7, "problems"), 5)).toEqual(numbers);
  expect(draw(new Random(8, "problems"), 5)).not.toEqual(numbers);
  expect(draw(new Random(7, "batches"), 5)).not.toEqual(numbers);
  expect(draw(new Random(7 + 2 ** 32, "problems"), 5)).not.toEqual(numbers);
});

test("follows xoshiro128**", () => {
  // The first outputs for the state 1, 2, 3, 4, as the reference implementation in C gives them.
  const random = new Random(0);
  (random as unknown as { state: Int32Array }).state.set([1, 2, 3, 4]);
  expect(draw(random, 5)).toEqual([11520, 0, 5927040, 70819200, 2031721883]);
});

test("integers keep within their bounds and are uniform", () => {
  const random = new Random(1);
  const counts = new Map<number, number>();
  for (let i = 0; i < 19_000; i++) {
    const value = random.integer(2, 20);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 19 }, (_, i) => i + 2));
  // 1,000 expected each, standard deviation 31.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(160);
});

test("shuffled keeps every element, and the list it was given", () => {
  const list = Array.from({ length: 50 }, (_, i) => i);
  const shuffled = new Random(3).shuffled(list);
  expect(shuffled).not.toEqual(list);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(list);
  expect(list[0]).toBe(0);
});

test.each([-1, 0.5, NaN, 2 ** 53])("refuses %d as a seed", (seed) => {
  expect(() => new Random(seed)).toThrow(new RegExp(`non-negative integer for 'seed' but received ${seed}`));
});
