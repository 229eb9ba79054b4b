import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chosenAnswers } from "../../src/report/chosenAnswers";
import { headline, outcome, warnings } from "../../src/report/findings";
import { type LoggedRun, readRuns } from "../../src/report/run";
import { temporaryFolders } from "../models/folders";
import { header, type RunFixture, writeRun } from "./runs";

const folder = temporaryFolders();
const runOf = (options: RunFixture, name = "dpo"): LoggedRun => readRuns([writeRun(join(folder(), name), options)])[0]!;
/** β is 0.5 in these runs: a reward of -0.135 is -0.27 nats. */
const flat = (chosen: number, std: number, pairs: number, more: RunFixture = {}) => ({
  chosen: () => chosen,
  spread: { std, pairs },
  ...more,
});

describe("a verdict on the chosen answers", () => {
  test("is not given for one line of four pairs, nor is DPOP recommended", () => {
    const run = runOf(flat(-0.135, 0.3, 4, { steps: 4 }));
    expect(chosenAnswers(run)).toEqual({
      nats: -0.27,
      error: expect.closeTo(0.3, 12),
      verdict: "unclear",
      over: "4 pairs of the last logged line", // (0.3 / 0.5) / √4
    });
    expect(headline([run])).toBe("Too few to tell whether the chosen answers fell or rose.");
    expect(warnings(run).join()).not.toContain("dpop");
    expect(outcome(run)).toBe(
      "dpo, after 4 of 60 steps: chosen answers at −0.27 ± 0.30 nats against the reference (mean ± standard error, 4 pairs of the " +
        "last logged line); rejected answers at −8.00 nats, 75% of the pairs the right way round, loss 0.5 (the last logged line). " +
        "To tell, evaluate on more pairs (eval_strategy).",
    );
  });

  // Five lines of eight pairs: N = 40, s² = 5 · 7 std² / 39, in nats twice that of rewards.
  const errorOf = (std: number) => (2 * Math.sqrt((35 * std ** 2) / 39)) / Math.sqrt(40);

  test("pools the last lines into one sample of their pairs", () => {
    const short = { steps: 20, header: { ...header, total_steps: 20 } };
    const run = runOf(flat(-0.135, 0.3, 8, short));
    expect(chosenAnswers(run)).toMatchObject({
      verdict: "fell",
      nats: -0.27,
      error: expect.closeTo(errorOf(0.3), 12),
      over: "40 pairs of the last 5 logged lines",
    });
    expect(errorOf(0.3)).toBeLessThan(0.27 / 2);
    expect(headline([run])).toBe("The chosen answers fell 0.27 nats below the reference.");
    expect(warnings(run)).toEqual([expect.stringContaining("Train with loss_type dpop")]);
    // With one and a half times the spread, the mean is within two errors of 0.
    expect(errorOf(0.46)).toBeGreaterThan(0.27 / 2);
    expect(chosenAnswers(runOf(flat(-0.135, 0.46, 8, short)))).toMatchObject({ verdict: "unclear" });
  });

  test("includes the scatter between lines", () => {
    // Rewards of -1 and -3 in turn, one pair a line. 120 lines, so that the last quarter is 30: mean -2, s² = 30 / 29.
    const run = runOf({
      steps: 120,
      chosen: (step) => (step % 2 ? -1 : -3),
      spread: { std: 0, pairs: 1 },
      header: { ...header, total_steps: 120 },
    });
    expect(chosenAnswers(run)).toMatchObject({
      nats: -4,
      error: expect.closeTo((2 * Math.sqrt(30 / 29)) / Math.sqrt(30), 12),
      verdict: "fell",
      over: "30 pairs of the last 30 logged lines",
    });
  });

  test("uses more lines if they have few pairs, within the last quarter of the run", () => {
    const over = (pairs: number) => chosenAnswers(runOf(flat(-1, 0.1, pairs)))!.over; // 60 lines
    expect(over(20)).toBe("100 pairs of the last 5 logged lines");
    expect(over(9)).toBe("108 pairs of the last 12 logged lines");
    expect(over(4)).toBe("60 pairs of the last 15 logged lines");
  });

  test("counts a pair once, however often it was trained on", () => {
    const run = runOf(flat(-1, 0.1, 8, { header: { ...header, rows: 16 } }));
    expect(chosenAnswers(run)).toMatchObject({ verdict: "unclear", over: "16 pairs of the last 13 logged lines" });
  });

  test("uses the evaluation if it has enough pairs and is near the end", () => {
    // Evaluations have half the reward: 0.25 · 2 nats, above, where training is below.
    const evaluated = (evaluationPairs: number, every = 20) =>
      runOf({ chosen: (step) => (step % 20 ? -1 : 0.5), evaluateEvery: every, spread: { std: 0.2, pairs: 16, evaluationPairs } });
    const found = chosenAnswers(evaluated(64));
    expect(found).toMatchObject({
      nats: 0.5,
      error: expect.closeTo(0.4 / 8, 12),
      verdict: "rose",
      over: "64 pairs of the evaluation at step 60",
    });
    // The fixture's evaluations log the loss and the chosen answers only: nothing of the training lines is mixed in.
    expect(outcome(evaluated(64))).toBe(
      "dpo, after 60 steps: chosen answers at +0.50 ± 0.05 nats against the reference (mean ± standard error, 64 pairs of the " +
        "evaluation at step 60); loss 0.25 (the same evaluation).",
    );
    expect(headline([evaluated(64)])).toBe("The chosen answers rose 0.50 nats above the reference.");
    expect(chosenAnswers(evaluated(29))).toMatchObject({
      verdict: "fell",
      over: "112 pairs of the last 7 logged lines, since the evaluation has only 29 pairs",
    });
    expect(chosenAnswers(evaluated(64, 40))!.over).toMatch(/logged lines$/); // at step 40 of 60
  });

  test("that they stayed needs enough pairs as well", () => {
    expect(chosenAnswers(runOf(flat(1e-4, 1e-3, 30)))).toMatchObject({ verdict: "stayed" });
    expect(chosenAnswers(runOf(flat(1e-4, 0.3, 30)))).toMatchObject({ verdict: "unclear" });
  });

  test("is not given without β, reference or rewards", () => {
    expect(chosenAnswers(runOf({ header: null }))).toBeUndefined();
    expect(chosenAnswers(runOf({ header: { ...header, reference_rows: 0 } }))).toBeUndefined();
  });

  test("for a run that did not log the spread uses the scatter of five lines, at three errors", () => {
    // In nats -2, -4, -2, -4, -2 and so on: of five mean -2.8, s² = 1.2, error √(1.2 / 5) = 0.49.
    const scattered = (shift: number, steps = 60) => runOf({ steps, chosen: (step) => (step % 2 ? -2 : -1) + shift });
    expect(chosenAnswers(scattered(0))).toMatchObject({
      verdict: "fell",
      nats: expect.closeTo(-2.8, 12),
      error: expect.closeTo(Math.sqrt(1.2 / 5), 12),
      over: "the last 5 logged lines",
    });
    expect(chosenAnswers(scattered(0.7))).toMatchObject({ verdict: "unclear", nats: expect.closeTo(-1.4, 12) }); // 2.9 errors
    expect(chosenAnswers(scattered(0, 12))).toMatchObject({ verdict: "unclear", over: "the last 3 logged lines" });
  });
});

test("several runs are summed up by what can be told about each", () => {
  const fell = runOf(flat(-1, 0.1, 30), "dpo");
  const held = runOf(flat(1, 0.1, 30), "dpop");
  const unclear = runOf(flat(-1, 9, 30), "ipo");
  expect(headline([fell, held, unclear])).toBe("dpo pushed the chosen answers down. dpop held them. Too few to tell for ipo.");
  expect(headline([held, unclear])).toBe("dpop held the chosen answers. Too few to tell for ipo.");
  expect(headline([unclear, unclear])).toBe("Too few to tell for ipo and ipo.");
});
