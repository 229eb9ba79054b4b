import { beforeEach, describe, expect, test } from "vitest";
import { Progress } from "../../src/base/terminal/progress";

let written: string[];
let time: number;
beforeEach(() => {
  written = [];
  time = 0;
});

const stream = (isTTY: boolean, columns = 80) => ({ isTTY, columns, write: (text: string) => written.push(text) });
const progress = (isTTY: boolean, total?: number, columns?: number) =>
  new Progress("DPO", total, stream(isTTY, columns), () => time);

describe("on a terminal", () => {
  test("rewrites one line, at most ten times a second, and leaves the last", () => {
    const dpo = progress(true, 60);
    for (let step = 1; step <= 60; step++) {
      time += 50;
      dpo.update(step, `loss 0.${step}`);
    }
    dpo.finish("60 steps");
    expect(written.length).toBe(31);
    expect(written.every((text) => text.startsWith("\r\x1b[2K"))).toBe(true);
    const lasting = written.filter((text) => text.endsWith("\n"));
    expect(lasting).toEqual([expect.stringMatching(/DPO +3\.0 s {2}60 steps\n$/)]);
  });

  test("shows rate, time left and details", () => {
    const dpo = progress(true, 60);
    time = 2000;
    dpo.update(20, "loss 0.5");
    expect(written[0]).toMatch(/DPO +20\/60 {2}10\.0\/s {2}4\.0 s left {2}loss 0\.5$/);
  });

  test("never runs over the width", () => {
    const dpo = progress(true, 60, 30);
    time = 2000;
    dpo.update(20, "x".repeat(100));
    expect(written[0]!.replace("\r\x1b[2K", "")).toHaveLength(29);
  });
});

describe("elsewhere", () => {
  test("writes a plain line every five seconds and at the end", () => {
    const reference = progress(false);
    for (let step = 1; step <= 120; step++) {
      time += 100;
      reference.update(step, "loss 0.2");
    }
    reference.finish("120 steps");
    expect(written).toEqual([
      expect.stringMatching(/^DPO +50 {2}10\.0\/s {2}loss 0\.2\n$/),
      expect.stringMatching(/^DPO +100 {2}10\.0\/s {2}loss 0\.2\n$/),
      expect.stringMatching(/^DPO +12 s {2}120 steps\n$/),
    ]);
  });

  test("a long phase is told in minutes", () => {
    const reference = progress(false);
    time = 125_000;
    reference.finish("done");
    expect(written).toEqual([expect.stringMatching(/2 min 5 s {2}done/)]);
  });
});
