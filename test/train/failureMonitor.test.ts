import { describe, expect, test } from "vitest";
import { createLoss } from "../../src/preference";
import { FailureMonitor } from "../../src/train/observers/failureMonitor";

const ROWS = 400;
/** Of eight pairs, so that five lines have forty. */
const line = (chosen: number, loss = 0.5, std = 0.01) => ({
  loss,
  "rewards/chosen": chosen,
  "rewards/chosen_std": std,
  "rewards/chosen_pairs": 8,
});
const each = (monitor: FailureMonitor, lines: readonly ReturnType<typeof line>[]) =>
  lines.map((one) => monitor.after(one).length);

describe("chosen answers below the reference", () => {
  test("are told once, after five lines, in nats and with the way out", () => {
    const monitor = new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS);
    expect(each(monitor, Array(4).fill(line(-0.2)))).toEqual([0, 0, 0, 0]);
    const [warning, ...more] = monitor.after(line(-0.3)); // -0.3 = β · nats: 3 nats
    expect(more).toEqual([]);
    expect(warning).toMatch(/for 5 logged lines, now by 3\.00 nats per answer.*Train with loss_type dpop instead of sigmoid/);
    expect(each(monitor, Array(20).fill(line(-0.4)))).toEqual(Array(20).fill(0));
  });

  test("are counted anew after a line that is not below", () => {
    const monitor = new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS);
    const below = Array(4).fill(line(-0.2));
    expect(each(monitor, [...below, line(0), ...below, line(0.1), ...below])).toEqual(Array(14).fill(0));
    expect(each(monitor, [line(-0.2)])).toEqual([1]);
  });

  test("are not told again after they were above", () => {
    const monitor = new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS);
    expect(each(monitor, [...Array(5).fill(line(-0.2)), line(1), ...Array(6).fill(line(-0.2))])).toEqual([
      0,
      0,
      0,
      0,
      1,
      ...Array(7).fill(0),
    ]);
  });

  test("are reported once there are enough pairs", () => {
    const few = { ...line(-0.2), "rewards/chosen_pairs": 4 };
    // 4 a line: the eighth line has the 32nd pair.
    expect(each(new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS), Array(9).fill(few))).toEqual([
      0, 0, 0, 0, 0, 0, 0, 1, 0,
    ]);
    // Of n lines s² = 7 n · 0.75² / (8 n - 1), so four standard errors, 4 s / √(8 n), are 0.354 of eight and 0.333 of nine.
    const spread = Array(12).fill(line(-0.35, 0.5, 0.75));
    expect(each(new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS), spread)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  test("are not reported when chance alone puts lines that far below", () => {
    // Lines of eight pairs with deviation 1 whose mean is 0 by expectation: those below 0 are there by √(2/π) / √8 on average.
    const byChance = line(-Math.sqrt(2 / Math.PI / 8), 0.5, 1);
    expect(each(new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS), Array(20).fill(byChance))).toEqual(Array(20).fill(0));
  });

  test("are not reported of few rows, however often they come up", () => {
    expect(each(new FailureMonitor({ name: "sigmoid", beta: 0.1 }, 29), Array(20).fill(line(-0.2)))).toEqual(Array(20).fill(0));
    expect(each(new FailureMonitor({ name: "sigmoid", beta: 0.1 }, 30), Array(5).fill(line(-0.2)))).toEqual([0, 0, 0, 0, 1]);
  });

  test("under DPOP ask for more of it, not for it", () => {
    const monitor = new FailureMonitor({ name: "dpop", beta: 0.3 }, ROWS);
    const warnings = Array.from({ length: 5 }, () => monitor.after(line(-0.3))).flat();
    expect(warnings).toEqual([expect.stringMatching(/now by 1\.00 nats per answer.*Raise dpop_lambda, or lower learning_rate$/)]);
  });

  test("are nothing where the loss has no reference to be below", () => {
    for (const lossType of ["sft", "slic", "simpo", "cpo", "orpo"] as const)
      expect(each(new FailureMonitor(createLoss({ lossType }), ROWS), Array(9).fill(line(-3)))).toEqual(Array(9).fill(0));
    expect(each(new FailureMonitor(createLoss({ lossType: ["dpop", "sft"] }), ROWS), Array(5).fill(line(-3)))).toEqual([
      0, 0, 0, 0, 1,
    ]);
  });

  test("are nats as they stand where the loss has no β", () => {
    const monitor = new FailureMonitor({ name: "of my own" }, ROWS);
    const warnings = Array.from({ length: 5 }, () => monitor.after(line(-0.25))).flat();
    expect(warnings).toEqual([expect.stringContaining("by 0.25 nats")]);
  });
});

describe("a loss at ln 2", () => {
  test("is told once, after five lines", () => {
    const monitor = new FailureMonitor({ name: "dpop", beta: 0.3 }, ROWS);
    expect(each(monitor, Array(12).fill(line(0, 0.69315)))).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("says that nothing is learnt", () => {
    const monitor = new FailureMonitor({ name: "dpop", beta: 0.3 }, ROWS);
    const warnings = Array.from({ length: 5 }, () => monitor.after(line(0, 0.6931))).flat();
    expect(warnings).toEqual([expect.stringMatching(/ln 2 = 0\.6931 for 5 logged lines.*smaug data inspect/)]);
  });

  test("is counted anew after a line that moved, by 1e-4 or more", () => {
    const monitor = new FailureMonitor({ name: "dpop", beta: 0.3 }, ROWS);
    const stuck = Array(4).fill(line(0, 0.69315));
    expect(each(monitor, [...stuck, line(0, 0.6929), ...stuck, line(0, 0.6934), ...stuck])).toEqual(Array(14).fill(0));
  });

  test("and falling chosen answers are two things", () => {
    const monitor = new FailureMonitor({ name: "sigmoid", beta: 0.1 }, ROWS);
    expect(each(monitor, Array(6).fill(line(-0.01, 0.69315)))).toEqual([0, 0, 0, 0, 2, 0]);
  });
});
