import { describe, expect, test } from "vitest";
import { type Shot, Unusable } from "../../../src/data/recipes/recipe";
import { POOL_SIZE, ShotPool } from "../../../src/data/recipes/shots";

function poolOf(count: number, maxShots: number, seed = 3): ShotPool {
  const pool = new ShotPool(seed, maxShots);
  for (let i = 0; i < count; i++) pool.offer(() => ({ subject: `q${i}`, prompt: `q${i}`, answer: " a", wrong: () => [] }));
  return pool;
}

const numbers = (shots: readonly Shot[]) => shots.map(({ text }) => Number(/^q(\d+) a\n\n$/.exec(text)![1]));

describe("a draw", () => {
  test("has each number of examples equally often, and each row", () => {
    const pool = poolOf(6, 4);
    const counts = new Array<number>(5).fill(0);
    const rows = new Array<number>(6).fill(0);
    const draws = 6000;
    for (let index = 0; index < draws; index++) {
      const drawn = numbers(pool.draw(index, "q0"));
      expect(new Set(drawn).size).toBe(drawn.length);
      counts[drawn.length]!++;
      for (const row of drawn) rows[row]!++;
    }
    expect(rows[0]).toBe(0);
    // Binomial: 1200 ± 31 of each number, 2400 ± 38 of each of the five other rows; five deviations are allowed.
    for (const count of counts) expect(Math.abs(count - draws / 5)).toBeLessThan(155);
    for (const count of rows.slice(1)) expect(Math.abs(count - (draws * 2) / 5)).toBeLessThan(190);
  });

  test("is the row's own, whatever was drawn before", () => {
    const drawn = poolOf(50, 4).draw(9, "q9");
    const pool = poolOf(50, 4);
    for (let index = 0; index < 9; index++) pool.draw(index, `q${index}`);
    expect(pool.draw(9, "q9")).toEqual(drawn);
  });

  test("is empty without rows, and with no examples wanted", () => {
    expect(poolOf(0, 4).draw(0, "q")).toEqual([]);
    expect(poolOf(5, 0).draw(0, "q")).toEqual([]);
  });
});

test("of many rows the pool is a uniform sample", () => {
  const total = 4 * POOL_SIZE;
  const pool = poolOf(total, 4);
  const drawn = Array.from({ length: 3000 }, (_, index) => numbers(pool.draw(index, ""))).flat();
  const quarters = [0, 0, 0, 0];
  for (const row of drawn) quarters[Math.floor(row / POOL_SIZE)]!++;
  // About 6000 examples: 1500 ± 34 from each quarter of the rows.
  for (const count of quarters) expect(Math.abs(count - drawn.length / 4)).toBeLessThan(170);
});

test("rows that are unusable are no examples, and rows out of the sample are not read", () => {
  const pool = new ShotPool(0, 1);
  let reads = 0;
  for (let i = 0; i < 2 * POOL_SIZE; i++)
    pool.offer(() => {
      reads++;
      return i % 2 === 0 ? new Unusable("even") : { subject: `q${i}`, prompt: `q${i}`, answer: " a", wrong: () => [] };
    });
  // The second half of the rows is taken with probability ln 2 on average: 5678 ± 42.
  expect(Math.abs(reads - POOL_SIZE * (1 + Math.LN2))).toBeLessThan(210);
  const drawn = Array.from({ length: 2000 }, (_, index) => numbers(pool.draw(index, ""))).flat();
  expect(drawn.length).toBeGreaterThan(900);
  for (const row of drawn) expect(row % 2).toBe(1);
});
