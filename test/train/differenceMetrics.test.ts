/** The trainer's token log-probs before, at and after the first difference, against plain arithmetic over each pair alone. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { applyLora, type CausalLM, dpop, lora, sigmoid, simpo } from "../../src";
import type { AnswerPair } from "../../src/data/tokenize/tokenizedPair";
import { noGrad, tidy } from "../../src/torch";
import { PreferenceTrainer } from "../../src/train";
import type { PreferenceTrainerOptions } from "../../src/train/options";
import { paddedTokenLogProbs } from "../preference/padded";
import { tinyModel, tinyPairs } from "./tiny";

const root = mkdtempSync(join(tmpdir(), "smaug-difference-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** By hand: answers that part at once, that have one token, that begin one another, and one that two pairs share. */
const special = [
  [
    [4, 5, 2],
    [6, 5, 2],
  ],
  [[2], [3, 2]],
  [
    [7, 8],
    [7, 8, 9, 2],
  ],
  [
    [4, 5, 2],
    [4, 9, 2],
  ],
  [
    [4, 5, 9, 2],
    [4, 5, 2],
  ],
].map(
  ([chosen, rejected], i): AnswerPair => ({
    index: 100 + i,
    chosen: { ids: Int32Array.of(1, 20, 21, ...chosen!), start: 3 },
    rejected: { ids: Int32Array.of(1, 20, 21, ...rejected!), start: 3 },
  }),
);
const train = [...special, ...tinyPairs(11, 5)];
const evaluation = tinyPairs(9, 6);

function adapted(): CausalLM {
  const model = tinyModel();
  applyLora(model, lora({ r: 4, targetModules: "all-linear" }));
  noGrad(() => [...model.namedParameters()].forEach(([name, tensor]) => name.includes("lora_A") && tensor.fill_(0.05)));
  return model;
}

function options(model: CausalLM, changes: Partial<PreferenceTrainerOptions>): PreferenceTrainerOptions {
  return {
    model,
    train,
    loss: dpop({ beta: 0.3, lambda: 5, tolerance: 0 }),
    outputDir: join(root, `run-${++folders}`),
    learningRate: 1e-2,
    trainSamplingStrategy: "sequential",
    perDeviceTrainBatchSize: 8,
    maxSteps: 4,
    loggingSteps: 1,
    saveStrategy: "no",
    reportTo: "none",
    referenceCache: join(root, "cache"),
    ...changes,
  };
}

/** Each chosen token's log-prob, every pair alone and padded. */
const chosenLogProbs = (model: CausalLM, pairs: readonly AnswerPair[]): number[][] =>
  pairs.map(({ chosen }) =>
    tidy(() =>
      noGrad(() => {
        return [...(paddedTokenLogProbs(model, [chosen]).flatten().toArray() as Float32Array)];
      }),
    ),
  );

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** The metrics of these values, one list a pair. */
function byDifference(prefix: string, pairs: readonly AnswerPair[], values: readonly number[][]): Record<string, number> {
  const parts: Record<string, number[][]> = { before: [], at: [], after: [] };
  for (const [i, { chosen, rejected }] of pairs.entries()) {
    const other = rejected.ids.subarray(rejected.start);
    const own = [...chosen.ids.subarray(chosen.start)];
    const parting = own.findIndex((id, at) => id !== other[at]);
    const at = parting < 0 ? own.length : parting;
    parts["before"]!.push(values[i]!.slice(0, at));
    parts["at"]!.push(values[i]!.slice(at, at + 1));
    parts["after"]!.push(values[i]!.slice(at + 1));
  }
  return Object.fromEntries(
    Object.entries(parts).flatMap(([stage, lists]) => {
      const some = lists.filter(({ length }) => length > 0);
      return [
        [`${prefix}/chosen_${stage}`, mean(some.flat())],
        [`${prefix}/chosen_${stage}_macro`, mean(some.map(mean))],
      ];
    }),
  );
}

const expectedOf = (pairs: readonly AnswerPair[], now: readonly number[][], before?: readonly number[][]) => ({
  ...byDifference("token_logps", pairs, now),
  ...(before
    ? byDifference(
        "token_logratios",
        pairs,
        now.map((values, i) => values.map((value, at) => value - before[i]![at]!)),
      )
    : {}),
});

function expectSame(line: Readonly<Record<string, unknown>>, expected: Record<string, number>): void {
  const tokenMetrics = (names: string[]) => names.filter((name) => name.includes("token_log")).sort();
  expect(tokenMetrics(Object.keys(line))).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) expect(line[name], name).toBeCloseTo(value, 5);
}

type Line = Record<string, number>;
const history = (folder: string): Line[] =>
  (JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8")) as { log_history: Line[] }).log_history;

describe("a step that is logged", () => {
  const cases: [string, Partial<PreferenceTrainerOptions>][] = [
    ["in one batch", {}],
    ["in batches of few tokens", { maxTokensPerBatch: 30 }],
    ["accumulated", { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4, maxTokensPerBatch: 60 }],
    ["with ld_alpha", { ldAlpha: 0.3, loss: sigmoid({ beta: 0.3 }) }],
  ];
  test.each(cases)("has the means of its pairs under the weights before it, %s", async (_, changes) => {
    const model = adapted();
    const start = chosenLogProbs(model, train);
    let now = start;
    const moved: number[] = [];
    for await (const { step, logged } of new PreferenceTrainer(options(model, changes))) {
      const from = ((step - 1) % 2) * 8; // 16 rows in steps of 8
      const of = <T>(list: readonly T[]) => list.slice(from, from + 8);
      const expected = expectedOf(of(train), of(now), of(start));
      expectSame(logged!, expected);
      moved.push(Math.abs(expected["token_logratios/chosen_after"]!));
      now = chosenLogProbs(model, train);
    }
    expect(moved).toHaveLength(4);
    expect(Math.max(...moved)).toBeGreaterThan(0.05);
  });

  test("has no change where the loss has no reference", async () => {
    const model = adapted();
    const start = chosenLogProbs(model, train).slice(0, 8);
    for await (const { logged } of new PreferenceTrainer(options(model, { loss: simpo(), maxSteps: 1 })))
      expectSame(logged!, expectedOf(train.slice(0, 8), start));
  });

  test("leaves out what there are no tokens for", async () => {
    for await (const { logged } of new PreferenceTrainer(options(adapted(), { train: special.slice(0, 2), maxSteps: 1 }))) {
      expect(logged).toHaveProperty(["token_logps/chosen_at"]);
      expect(logged).not.toHaveProperty(["token_logps/chosen_before"]);
      expect(logged).not.toHaveProperty(["token_logratios/chosen_before_macro"]);
    }
  });
});

test("a step that is not logged has none; a line has those of its step", async () => {
  const each: Line[] = [];
  for await (const { logged } of new PreferenceTrainer(options(adapted(), {}))) each.push(logged!);
  for await (const step of new PreferenceTrainer(options(adapted(), { loggingSteps: 2 }))) {
    const name = "token_logps/chosen_after_macro";
    expect(name in step).toBe(step.logged !== undefined);
    if (step.logged) expect(step.logged[name]).toBe(each[step.step - 1]![name]);
  }
});

test("an evaluation has them over all its pairs, however they are packed", async () => {
  const model = adapted();
  const start = chosenLogProbs(model, evaluation);
  const given = options(model, { evaluation, evalStrategy: "steps", evalSteps: 4, maxTokensPerBatch: 40 });
  await new PreferenceTrainer(given).train();
  const line = history(given.outputDir!).find((each) => "eval_loss" in each)!;
  const expected = expectedOf(evaluation, chosenLogProbs(model, evaluation), start);
  expectSame(line, Object.fromEntries(Object.entries(expected).map(([name, value]) => [`eval_${name}`, value])));
});

test("a resumed run logs what the uninterrupted one does, bit for bit", async () => {
  const settings = { saveStrategy: "steps", saveSteps: 3, loggingSteps: 2 } as const;
  const whole = options(adapted(), settings);
  await new PreferenceTrainer(whole).train();
  const rest = options(adapted(), { ...settings, resumeFromCheckpoint: true });
  cpSync(join(whole.outputDir!, "checkpoint-3"), join(rest.outputDir!, "checkpoint-3"), { recursive: true });
  await new PreferenceTrainer(rest).train();
  const logged = ({ outputDir }: PreferenceTrainerOptions) =>
    history(outputDir!).map((line) => Object.entries(line).filter(([name]) => name.includes("token_log")));
  expect(logged(rest)).toEqual(logged(whole));
  expect(logged(rest).filter(({ length }) => length === 12)).toHaveLength(2);
});
