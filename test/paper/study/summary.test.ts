import { describe, expect, test } from "vitest";
import { testClaims } from "../../../src/paper/study/claims";
import { paperStudy } from "../../../src/paper/study/plan";
import { claimsInShort, formatStudy, studyCaveat, toStudySummary } from "../../../src/paper/study/summary";
import { studyWith } from "./fixtures";

const MEASURES = ["accuracy", "chosen_logp", "rejected_logp", "token_logp_after", "token_logp_at", "token_logp_before"];

describe("the summary", () => {
  // Seeds 0, 1, 2: DPO's chosen log-prob at low edit distance is -2, -4, -6, at high it is the others' -1.
  const result = studyWith([0, 1, 2], ({ seed, corpus, method, beta }) =>
    method === "dpo" && corpus === "low" && beta === 0.3 ? { chosen_logp: -2 - 2 * seed } : {},
  );
  const summary = toStudySummary(result) as Record<string, object>;

  test("has the seed means under the keys that other programs read", () => {
    expect(summary).toMatchObject({ seed: 0, seeds: [0, 1, 2], preset: "paper", seconds: 600 });
    for (const method of ["reference", "sft", "dpo", "ipo", "slic", "hinge", "dpop"])
      expect(Object.keys(summary[method]!).sort()).toEqual(MEASURES);
    expect(summary.dpo).toMatchObject({ chosen_logp: -4, accuracy: expect.closeTo(0.8) });
  });

  test("has means and deviations at both distances, the grid, the claims and every cell", () => {
    expect(summary.corpora).toMatchObject({
      low: { dpo: { chosen_logp: { mean: -4, std: 2 } } }, // by hand: 4 + 0 + 4 over 2, its root
      high: { dpo: { chosen_logp: { mean: -1, std: 0 } } },
    });
    expect(summary.ablation).toHaveLength(2 * (3 + 9));
    expect(summary.claims).toContainEqual(
      expect.objectContaining({
        claim: "DPO makes the chosen answers less likely",
        corpus: "low",
        values: [-1, -3, -5],
        measured: { mean: -3, std: 2 },
        verdict: "agree", // the standard error is 1.15
      }),
    );
    expect(summary.cells).toHaveLength(3 * 41);
    expect(summary.cells).toContainEqual({
      seed: 2,
      corpus: "low",
      method: "dpo",
      beta: 0.3,
      lambda: null,
      seconds: 5,
      edit_distance: 0.07,
      accuracy: 0.8,
      chosen_logp: -6,
      rejected_logp: -40,
      token_logp_before: -0.02,
      token_logp_at: -0.1,
      token_logp_after: -0.03,
    });
    expect(summary.edit_distance).toMatchObject({ low: { mean: expect.closeTo(0.07) }, high: { mean: expect.closeTo(0.61) } });
  });

  test("takes the mean over the seeds that have such a token, and null when none has", () => {
    const some = toStudySummary(
      studyWith([0, 1], ({ seed, method }) =>
        method === "sft" || seed === 0 ? { token_logp_before: null } : { token_logp_before: -0.5 },
      ),
    );
    expect(some).toMatchObject({ sft: { token_logp_before: null }, dpo: { token_logp_before: -0.5 } });
  });
});

describe("the claims", () => {
  const verdicts = (...args: Parameters<typeof studyWith>) =>
    Object.fromEntries(testClaims(studyWith(...args)).map((claim) => [`${claim.corpus}: ${claim.text}`, claim.verdict]));

  test("numbers as in the paper agree with all of it", () => {
    const accuracy = { reference: 0.75, sft: 0.8, dpo: 0.45, ipo: 0.74, slic: 0.5, hinge: 0.5, dpop: 0.85 };
    const atHigh = { ...accuracy, dpo: 0.8, slic: 0.8, hinge: 0.8 };
    const found = verdicts([0, 1, 2], ({ seed, corpus, method }) => ({
      accuracy: (corpus === "low" ? accuracy : atHigh)[method] + (method === "reference" ? 0 : seed / 1000),
      chosen_logp: { dpo: corpus === "low" ? -3 : -2, dpop: -0.5 }[method as string] ?? -1,
      token_logp_after: { dpo: -0.2, dpop: -0.02 }[method as string] ?? -0.03,
    }));
    expect(Object.values(found)).toEqual(Array(17).fill("agree"));
  });

  test("numbers against the paper disagree, and the sentence names them", () => {
    const claims = testClaims(
      studyWith([0, 1, 2], ({ method, corpus, lambda }) => ({
        chosen_logp: { dpo: -0.5, dpop: -1.5 }[method as string] ?? -1,
        accuracy: method === "dpop" && corpus === "low" ? (lambda === 5 ? 0.7 : 0.9) : 0.8,
      })),
    );
    const verdict = (text: string) => claims.find((claim) => claim.text === text)!.verdict;
    expect(verdict("DPO makes the chosen answers less likely")).toBe("disagree");
    expect(verdict("DPOP does not")).toBe("disagree");
    expect(verdict("λ makes little difference")).toBe("disagree"); // 20 points apart
    expect(verdict("DPOP improves")).toBe("agree");
    expect(verdict("DPO collapses")).toBe("unclear"); // no difference at all
    expect(claimsInShort(claims)).toMatch(/3 disagree \(“low: DPO makes .*”, “low: DPOP does not”, “low: λ/);
  });

  test("the best beta is the one that counts for whether one rescues DPO", () => {
    const rescued = verdicts([0, 1], ({ method, beta }) => ({ accuracy: method === "dpo" && beta !== 1 ? 0.4 : 0.8 }));
    expect(rescued["low: no β rescues DPO"]).toBe("unclear");
    const lost = verdicts([0, 1], ({ method }) => ({ accuracy: method === "dpo" ? 0.4 : 0.8 }));
    expect(lost["low: no β rescues DPO"]).toBe("agree");
  });

  test("what a study has no cells for is not claimed of it", () => {
    const short = testClaims(studyWith([0, 1], () => ({}), { ...paperStudy, corpora: ["low", "high"], grid: [] }));
    expect(short.map(({ corpus }) => corpus)).not.toContain("control");
    expect(short.filter(({ text }) => /β|λ/.test(text))).toEqual([]);
    expect(short).toHaveLength(14);
  });

  test("noise is the largest standard error of the held-out questions", () => {
    const limit = testClaims(studyWith([0])).find(({ text }) => text === "IPO does not improve")!.limit;
    expect(limit).toBeCloseTo(Math.sqrt(0.25 / 200), 12);
  });

  describe("that there is no effect", () => {
    const verdict = (text: string, accuracy: (method: string, seed: number) => number, lambdas: Record<number, number> = {}) => {
      const claims = testClaims(
        studyWith([0, 1, 2], ({ method, seed, lambda }) => ({
          accuracy: (method === "dpop" && lambdas[lambda!]) || accuracy(method, seed),
        })),
      );
      const { verdict, reason } = claims.find((claim) => claim.text === text)!;
      return [verdict, reason];
    };
    // 200 questions, chance 1/4: two standard errors are 2 · 0.5 / √200 = 0.0707.

    test("is not confirmed for models that cannot do the task", () => {
      for (const share of [0, 0.25, 0.32]) {
        expect(verdict("IPO does not improve", () => share)).toEqual(["unclear", "the models cannot do the task"]);
        expect(verdict("λ makes little difference", () => share)).toEqual(["unclear", "the models cannot do the task"]);
      }
      expect(verdict("IPO does not improve", () => 0.33)).toEqual(["agree", null]);
      expect(verdict("λ makes little difference", () => 0.33)).toEqual(["agree", null]);
    });

    test("nor that nothing improves where everything is already right", () => {
      expect(verdict("IPO does not improve", () => 0.93)).toEqual(["unclear", "the task leaves no room"]);
      expect(verdict("IPO does not improve", () => 0.92)).toEqual(["agree", null]);
      expect(verdict("λ makes little difference", () => 0.99)).toEqual(["agree", null]);
    });

    test("is judged by the compared models: the best DPOP model, not the reference", () => {
      const dpopFails = (method: string) => (method === "dpop" ? 0.25 : 0.8);
      expect(verdict("λ makes little difference", dpopFails)).toEqual(["unclear", "the models cannot do the task"]);
    });

    test("is refuted by an effect, whatever the models can do", () => {
      expect(verdict("IPO does not improve", (method) => (method === "ipo" ? 0.5 : 0.25))).toEqual(["disagree", null]);
    });
  });

  test("one seed leaves them open", () => {
    expect(new Set(Object.values(verdicts([5])))).toEqual(new Set(["unclear"]));
  });
});

test("the text has both comparisons, the grid and the claims", () => {
  const text = formatStudy(studyWith([0, 1], ({ seed, method }) => (method === "dpo" ? { chosen_logp: -2 - seed } : {})));
  // DPO's -2 and -3: deviation √(2 · 0.25) = 0.71.
  expect(text).toMatch(/^low edit distance.*\(7\.0% of the tokens\)$/m);
  expect(text).toMatch(/^high edit distance.*\(61\.0% of the tokens\)$/m);
  const lines = (pattern: RegExp) => text.match(pattern);
  expect(lines(/^DPO +80\.0% ± 0\.0% +-2\.50 ± 0\.71 +-40\.00 ± 0\.00( +-0\.\d{3} ± 0\.000){3}$/gm)).toHaveLength(3);
  expect(lines(/^β 0\.3 +80\.0% ± 0\.0% \/ -2\.50 ± 0\.71( +80\.0% ± 0\.0% \/ -1\.00 ± 0\.00){3}$/gm)).toHaveLength(2);
  expect(text).toMatch(/^low: DPO makes the chosen .*DPO − reference +-1\.500 ± 0\.707 nats +agree$/m);
  expect(text).toMatch(/^low: IPO does not improve .* 0\.0 ± 0\.0 points \(below 3\.5\) +agree$/m);
});

test("references that missed their goal are a caveat", () => {
  const result = studyWith([0, 1, 2]);
  expect(studyCaveat(result)).toBeNull();
  const references = result.references.map((each) => ({ ...each, reachedGoal: each.seed === 1 }));
  expect(studyCaveat({ ...result, references })).toMatch(
    /seed 0 \(arithmetic, 0\.14 nats a token\), seed 2 .* stopped at its limit/,
  );
});
