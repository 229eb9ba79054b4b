import { describe, expect, test } from "vitest";
import { empty, emptyCache, memory, ones, resetPeakMemory, tidy, zeros } from "../../src/torch";
import { reportOf } from "../setup/program";

describe("memory is", () => {
  test.each([1, 15, 16, 17, 100, 1000, 4096, 4097, 100_003, 2 ** 20, 2 ** 20 + 1])(
    "counted for %i floats, with an eighth of waste at most",
    (count) => {
      const before = memory().live;
      using _ = empty([count]);
      const bytes = memory().live - before;
      expect(bytes).toBeGreaterThanOrEqual(4 * count);
      expect(bytes).toBeLessThanOrEqual(Math.max(64, 4.5 * count));
    },
  );

  test("not used by an empty tensor", () => {
    const before = memory().live;
    using _ = zeros([0, 3]);
    expect(memory().live).toBe(before);
  });

  test("kept for the next tensor of that size, whatever its shape", () => {
    tidy(() => void ones([1234]));
    const before = memory();
    tidy(() => {
      using _ = ones([2, 617]);
      expect(memory().cached).toBeLessThan(before.cached);
      expect(memory().cached + memory().live).toBe(before.cached + before.live);
    });
    expect(memory().cached).toBe(before.cached);
  });

  test("counted at its peak, from the last reset", () => {
    tidy(() => void ones([1_000_000]));
    resetPeakMemory();
    const { live, peak } = memory();
    expect(peak).toBe(live);
    tidy(() => void ones([1000]));
    expect(memory().peak).toBeGreaterThanOrEqual(peak + 4000);
    expect(memory().peak).toBeLessThan(peak + 100_000);
  });

  test("given back when asked for, except what is in use", () => {
    using x = ones([1000]);
    tidy(() => void ones([1_000_000]));
    emptyCache("cpu");
    expect(memory().cached).toBe(0);
    expect(x.sum().item()).toBe(1000);
  });
});

const program = new URL("programs/allocator.ts", import.meta.url);
const scenario = (name: string) => reportOf<Record<string, number>>(program, { args: [name] });

test("7.5 GB of tensors, 50 MB at a time, take no more than they need", async () => {
  const { before, peak, most } = await scenario("scopes");
  expect(most).toBeLessThan(60);
  expect(peak).toBeLessThan(before! + 120);
  expect(peak).toBeLessThan(400);
});

test("tensors of all sizes in any order leave little behind, and ever the same", async () => {
  const { early, late, most, cached } = await scenario("sizes");
  expect(late).toBeLessThan(1.1 * early!);
  expect(cached).toBeLessThan(most! + 65);
});

test("emptying the cache gives small blocks back to the system too", async () => {
  const { full, cached, after, left, intact } = await scenario("emptyCache");
  expect(cached).toBeGreaterThan(95);
  expect(after).toBeLessThan(full! - 80);
  expect(left).toBe(0);
  expect(intact).toBe(16);
});
