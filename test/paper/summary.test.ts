import { describe, expect, test } from "vitest";
import { caveat, findings, formatTable, paperEffect, toSummary } from "../../src/paper/summary";
import { resultWith } from "./fixtures";

const paperlike = resultWith({
  dpo: { chosen_logp: -3, token_logp_after: -0.2, accuracy: 0.5 },
  dpop: { chosen_logp: -0.5 },
});

test("the summary has the keys that other programs read", () => {
  const summary = toSummary(paperlike);
  expect(summary).toMatchObject({ seed: 5, seconds: 61.5, versions: { libtorch: "2.13.0" } });
  for (const method of ["reference", "sft", "dpo", "dpop"]) {
    expect(Object.keys(summary[method] as object).sort()).toEqual([
      "accuracy",
      "chosen_logp",
      "rejected_logp",
      "token_logp_after",
      "token_logp_at",
      "token_logp_before",
    ]);
  }
  expect(summary.dpo).toMatchObject({ chosen_logp: -3, accuracy: 0.5 });
});

test("the table is aligned, a column a method, with a dash where there is no token", () => {
  const { methods } = resultWith({ dpo: { token_logp_before: null, chosen_logp: -12.345 } });
  const lines = formatTable(methods).split("\n");
  expect(lines[0]!.trim().split(/\s+/)).toEqual(["reference", "SFT", "DPO", "DPOP"]);
  const row = (label: string) => lines.find((line) => line.trim().startsWith(label))!;
  expect(
    row("chosen")
      .trim()
      .split(/\s{2,}/),
  ).toEqual(["chosen", "-1.00", "-1.00", "-12.35", "-1.00"]);
  expect(
    row("before")
      .trim()
      .split(/\s{2,}/)
      .slice(1),
  ).toEqual(["-0.020", "-0.020", "-", "-0.020"]);
  expect(
    row("answered")
      .trim()
      .split(/\s{2,}/)
      .slice(1),
  ).toEqual(["80.0%", "80.0%", "80.0%", "80.0%"]);
  expect(row("chosen").length).toBe(lines[0]!.length);
});

describe("the findings say what was measured", () => {
  test("DPO fell and DPOP held", () => {
    const [dpo, dpop, sft] = findings(paperlike);
    expect(dpo).toMatch(/^DPO made the chosen answers less likely .* from -1\.00 to -3\.00 .*from -0\.030 to -0\.200/);
    expect(dpop).toMatch(/^DPOP held them: from -1\.00 to -0\.50/);
    expect(sft).toMatch(/from -1\.00 to -1\.00\. Accuracy on 200 held-out problems: .*DPO 50\.0%/);
    expect(sft).toMatch(/standard error is at most 3\.5 points/); // 0.5 / sqrt(200)
    expect(paperEffect(paperlike.methods)).toEqual({ dpoFell: true, dpopHeld: true });
  });

  test("DPO did not fall, DPOP did", () => {
    const result = resultWith({ dpo: { chosen_logp: -0.9 }, dpop: { chosen_logp: -1.1 } });
    const [dpo, dpop] = findings(result);
    expect(dpo).toMatch(/^DPO did not make the chosen answers less likely on this run: .* from -1\.00 to -0\.90/);
    expect(dpop).toMatch(/^DPOP did not hold them on this run: from -1\.00 to -1\.10/);
    expect(paperEffect(result.methods)).toEqual({ dpoFell: false, dpopHeld: false });
  });
});

test("a reference that missed its goal is a caveat", () => {
  expect(caveat(paperlike)).toBeNull();
  const stopped = { ...paperlike, reference: { steps: 2060, loss: 0.31, reachedGoal: false } };
  expect(caveat(stopped)).toMatch(/stopped at its limit of 2060 steps with a loss of 0\.310; the goal was 0\.14/);
});
