import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, expectTypeOf, it, test } from "vitest";
import { fits } from "../../src/base/arguments";
import { packageRoot } from "../../src/base/package";
import {
  choiceOption,
  declareLoss,
  dpop,
  logRatios,
  lossNames,
  numberOption,
  type PairLogProbs,
  pairRewards,
  weightedSum,
  wpo,
} from "../../src/preference";
import { losses } from "../../src/preference/losses/configuration";

import { guardInputs } from "../../src/preference/losses/loss";

import { tensor } from "../../src/torch";
import { checkLoss } from "../../src/train/lossCheck";

const column = (...values: number[]) => tensor(values, { dtype: "float64" });
/** ρ_w −0.5 and 1, ρ_l −1 and 2. */
const logProbs: PairLogProbs = {
  policyChosen: column(-10.5, -6),
  policyRejected: column(-13, -8),
  referenceChosen: column(-10, -7),
  referenceRejected: column(-12, -10),
};

const margin = declareLoss({
  name: "my_margin",
  source: "this test",
  needs: ["reference"],
  options: {
    beta: numberOption(0.5, "scale", { above: 0 }),
    slack: numberOption(0, "a drop that is not counted, in nats", { min: 0 }),
    side: choiceOption(["chosen", "rejected"], "chosen", "which answer"),
  },
  tolerance: "slack",
  formula: (given, { beta, side }) => logRatios(given)[side].mul(-beta),
  metrics: {
    "mine/drop": (given) => logRatios(given).chosen.neg().relu(),
    "mine/rejected": (given, { side }) => (side === "rejected" ? logRatios(given).rejected : undefined),
  },
});

describe("a user's own declaration", () => {
  it("makes a loss with its defaults and with options", () => {
    expect(margin()(logProbs).toList()).toEqual([0.25, -0.5]);
    expect(margin({ beta: 1, side: "rejected" })(logProbs).toList()).toEqual([1, -2]);
    expect([margin.name, margin().name, margin({ beta: 2 }).beta]).toEqual(["myMargin", "my_margin", 2]);
    expect(margin().needs).toEqual(["reference"]);
  });

  it("has β times the log-ratios as rewards, and the metrics that are on", () => {
    expect(pairRewards(margin(), logProbs).chosen.toList()).toEqual([-0.25, 0.5]);
    expect(Object.keys(margin().metrics!(logProbs))).toEqual(["mine/drop"]);
    const metrics = margin({ side: "rejected" }).metrics!(logProbs);
    expect(metrics["mine/rejected"]!.toList()).toEqual([-1, 2]);
  });

  it("leaves the tolerance to the trainer unless it is given", () => {
    expect(margin({ slack: 0.1 }).withTolerance).toBeUndefined();
    const measured = margin({ slack: undefined, beta: 2 }).withTolerance!(0.1);
    expect([measured.beta, measured.withTolerance]).toEqual([2, undefined]);
  });

  it("goes into sums and under WPO", () => {
    expect(weightedSum([margin(), dpop()]).name).toBe("my_margin+dpop");
    expect(wpo(margin()).needs).toEqual(["reference", "wpo"]);
  });

  it("is checked as smaug's losses are", () => {
    expect(() => margin({ beta: 0 })).toThrow("Expected a number above 0 for 'beta' but received 0");
    expect(() => margin({ beta: 0 })).toThrow(RangeError);
    expect(() => margin({ slack: "1" as never })).toThrow("Expected a number from 0 for 'slack' but received \"1\"");
    expect(() => margin({ side: "left" as never })).toThrow(
      'Expected one of "chosen", "rejected" for \'side\' but received "left"',
    );
    expect(() => margin({ bta: 1 } as object)).toThrow("but received 'bta'; did you mean 'beta'?");
    expect(() => checkLoss(margin as never, "cpu")).toThrow(
      "received the function myMargin, which creates one; call it: myMargin(…)",
    );
    expect(checkLoss(margin().bind(null), "cpu")).toEqual([]);
  });

  it("has the types of its options", () => {
    expectTypeOf(margin)
      .parameter(0)
      .toEqualTypeOf<{ beta?: number; slack?: number; side?: "chosen" | "rejected" } | undefined>();
    // @ts-expect-error: misspelt
    expect(() => margin({ slak: 1 })).toThrow("'slak'");
    // @ts-expect-error: not a choice
    expect(() => margin({ side: "nowhere" })).toThrow("'side'");
  });

  it("cannot read the reference unless it needs it", () => {
    const reads = (needs: ("reference" | "tokens")[]) =>
      declareLoss({
        name: "own",
        source: "a test",
        needs,
        options: {},
        formula: (given) => logRatios(given).chosen,
        metrics: { rho: (given) => logRatios(given).chosen },
      })();
    const message =
      "Expected the loss 'own' to use only what it needs (needs: [\"tokens\"]) but it read 'referenceChosen', " +
      "which a trainer then fills with zeros; add \"reference\" to 'needs'";
    expect(() => reads(["tokens"])(logProbs)).toThrow(message);
    expect(() => reads(["tokens"]).metrics!(logProbs)).toThrow(message);
    expect(() => checkLoss(reads(["tokens"]), "cpu")).toThrow(message);
    expect(checkLoss(reads(["reference"]), "cpu")).toEqual(["rho"]);
    const plain = Object.assign((given: PairLogProbs) => given.policyChosen.sub(given.referenceRejected), { needs: [] });
    expect(() => checkLoss(guardInputs(plain), "cpu")).toThrow("but it read 'referenceRejected'");
    const silent = Object.assign((given: PairLogProbs) => given.policyChosen.sub(given.referenceRejected), {});
    expect(guardInputs(silent)).toBe(silent); // needs everything
  });

  const whole = { name: "a", source: "b", needs: [], options: {}, formula: (given: PairLogProbs) => given.policyChosen };
  test.each<[object, string]>([
    [{ ...whole, name: "" }, "Expected a name for 'name' of a loss but received \"\""],
    [{ ...whole, source: undefined }, "Expected a paper or an implementation for 'source' of a loss but received nothing"],
    [{ ...whole, source: " " }, "for 'source' of a loss but received \" \""],
    [{ ...whole, option: {} }, "but received 'option'; did you mean 'options'?"],
    [
      { ...whole, options: { beta: 0.1 } },
      "Expected numberOption(…) or choiceOption(…) for 'options.beta' of a loss but received 0.1",
    ],
    [
      { ...whole, options: { slack: numberOption(-1, "a drop", { min: 0 }) } },
      "Expected a number from 0 for the default of 'options.slack' of a loss but received -1",
    ],
    [
      { ...whole, options: { beta: numberOption(Number.NaN, "a scale") } },
      "Expected a finite number for the default of 'options.beta' of a loss but received NaN",
    ],
    [
      { ...whole, options: { side: choiceOption(["left", "right"], "top" as never, "a side") } },
      'Expected one of "left", "right" for the default of \'options.side\' of a loss but received "top"',
    ],
    [{ ...whole, metrics: () => ({}) }, "Expected an object of functions for 'metrics' of a loss but received"],
    [{ ...whole, metrics: { drop: 3 } }, "Expected a function of the log-probs and the settings for 'metrics.drop' of a loss"],
    [
      { ...whole, options: { side: choiceOption(["left", "right"], "left", "a side") }, tolerance: "side" },
      "Expected the name of a numberOption(…) for 'tolerance' of a loss but received \"side\"",
    ],
    [{ ...whole, needs: "reference" }, "for 'needs' of a loss but received \"reference\""],
    [{ ...whole, needs: ["refs"] }, 'Expected a list of "reference", "tokens" or "wpo", possibly empty, for'],
    [{ ...whole, scope: "pair" }, 'Expected "batch" or nothing for \'scope\' of a loss but received "pair"'],
    [{ ...whole, answers: "choosen" }, 'Expected "chosen" or nothing for \'answers\' of a loss but received "choosen"'],
    [{ ...whole, rewards: 3 }, "for 'rewards' of a loss but received 3"],
    [{ ...whole, formula: 3 }, "for 'formula' of a loss but received 3"],
    [{ ...whole, tolerance: "slack" }, "Expected the name of an option for 'tolerance' of a loss but received \"slack\""],
  ])("%j is refused", (declaration, message) => {
    expect(() => declareLoss(declaration as never)).toThrow(TypeError);
    expect(() => declareLoss(declaration as never)).toThrow(message);
  });
});

describe("smaug's declarations", () => {
  test.each(losses.map((make) => [make.declaration.name, make] as const))("%s is complete", (name, make) => {
    expect(make().name).toBe(name);
    expect(make.name).toBe(name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
    expect(make.declaration.source.length).toBeGreaterThan(5);
    for (const option of Object.values(make.declaration.options)) expect(fits(option.fallback, option)).toBe(true);
    const samples = Object.keys(
      make().metrics?.({ ...logProbs, chosenTokens: column(4, 5), rejectedTokens: column(3, 3) }) ?? {},
    );
    expect(Object.keys(make.declaration.metrics ?? {})).toEqual(expect.arrayContaining(samples));
  });

  it("have different names", () => {
    expect(new Set(lossNames).size).toBe(lossNames.length);
  });

  it("show in the published types what every option is", () => {
    for (const file of ["dpop", "dpo", "calibrated", "transport", "referenceFree"]) {
      const lines = readFileSync(join(packageRoot, `dist/preference/losses/${file}.d.ts`), "utf8").split("\n");
      const options = lines.flatMap((line, i) => (/^ {4}\w+: .*LossOption</.test(line) ? [i] : []));
      expect(options.length).toBeGreaterThan(1);
      for (const i of options) expect([lines[i], lines[i - 1]!.trim().slice(-2)]).toEqual([lines[i], "*/"]);
    }
  });
});

test("examples/own-loss.mjs trains with a loss of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "smaug-own-loss-"));
  const pairs = join(folder, "pairs.jsonl");
  const rows = ["red", "green", "blue"].map((color) => ({ prompt: "A color: ", chosen: color, rejected: `not ${color}` }));
  writeFileSync(pairs, rows.map((row) => JSON.stringify(row)).join("\n"));
  const model = join(packageRoot, "test/parity/score/model");
  const args = [join(packageRoot, "examples/own-loss.mjs"), model, pairs, join(folder, "out")];
  // Its caches go into the folder, so it has to be told which libtorch was found in the user's.
  const libtorch = /\S*(?=\/lib\/libtorch_cpu\.so)/.exec(readFileSync("/proc/self/maps", "utf8"))![0];
  const env = { ...process.env, XDG_CACHE_HOME: folder, LIBTORCH: libtorch };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  rmSync(folder, { recursive: true });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(lines).toHaveLength(3);
  // A fresh adapter is the reference: −log σ(0) = ln 2, and no penalty.
  expect(lines[0]).toBe("step 1: loss 0.6931, penalty 0.0e+0");
  for (const line of lines) expect(line).toMatch(/^step \d: loss \d+\.\d{4}, penalty \d\.\de[+-]\d+$/);
});
