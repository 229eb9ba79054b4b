/** Rows without a rejected answer: what the trainer makes of them under `sft`, and what it says under other losses. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { declareLoss, dpop, logRatios, lossNeeds, type PreferenceLoss, sft, sigmoid, weightedSum, wpo } from "../../src";
import { InputError } from "../../src/base/errors";
import type { TokenizedPair } from "../../src/data/tokenize/tokenizedPair";
import { guardInputs } from "../../src/preference/losses/loss";
import { noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import { PreferenceTrainer } from "../../src/train";
import type { PreferenceTrainerOptions } from "../../src/train/options";
import { tinyModel, tinyPairs } from "./tiny";

const root = mkdtempSync(join(tmpdir(), "smaug-chosen-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

const pairs = tinyPairs(16);
const alone: TokenizedPair[] = pairs.map(({ index, chosen }) => ({ index, chosen }));

const options = (changes: Partial<PreferenceTrainerOptions> = {}): PreferenceTrainerOptions => ({
  model: tinyModel(),
  train: alone,
  loss: sft(),
  outputDir: join(root, `run-${++folders}`),
  learningRate: 1e-2,
  perDeviceTrainBatchSize: 4,
  trainSamplingStrategy: "sequential",
  maxSteps: 4,
  loggingSteps: 1,
  saveStrategy: "no",
  reportTo: "none",
  referenceCache: join(root, "cache"),
  ...changes,
});

type Line = Record<string, number>;

async function run(changes: Partial<PreferenceTrainerOptions> = {}): Promise<{ lines: Line[]; weights: number[] }> {
  const given = options(changes);
  await new PreferenceTrainer(given).train();
  const state = JSON.parse(readFileSync(join(given.outputDir!, "trainer_state.json"), "utf8")) as { log_history: Line[] };
  const weights = [...given.model.parameters()].flatMap((each) => Array.from(each.toArray() as Float32Array));
  given.model.dispose();
  return { lines: state.log_history, weights };
}

/** Cross-entropy of the chosen tokens of some rows, row by row, and their number. */
function crossEntropy(rows: readonly TokenizedPair[]): { sums: number[]; tokens: number } {
  const model = tinyModel();
  const sums = rows.map(({ chosen: { ids, start } }) =>
    tidy(() =>
      noGrad((): number => {
        const logits: Tensor = model.forward(tensor([[...ids]], { dtype: "int64" })).squeeze(0);
        const targets = tensor([...ids.subarray(start)], { dtype: "int64" });
        const predicting = logits.narrow(0, start - 1, ids.length - start);
        return ops.crossEntropyLoss(predicting, targets, { reduction: "sum" }).item() as number;
      }),
    ),
  );
  model.dispose();
  return { sums, tokens: rows.reduce((sum, { chosen: { ids, start } }) => sum + ids.length - start, 0) };
}

const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const ABOUT_REJECTED = ["rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/rejected", "logits/rejected"];

describe("rows without a rejected answer", () => {
  test("train on the mean cross-entropy of the step's chosen tokens, as pairs do under sft", async () => {
    const { sums, tokens } = crossEntropy(alone.slice(0, 4));
    const single = await run();
    const first = single.lines[0]!;
    expect(first["loss"]).toBeCloseTo(total(sums) / tokens, 5);
    expect(first["logps/chosen"]).toBeCloseTo(-total(sums) / 4, 4);
    expect(first["num_tokens"]).toBe(total(alone.slice(0, 4).map(({ chosen }) => chosen.ids.length)));

    const paired = await run({ train: pairs });
    single.lines.forEach((line, i) => {
      if (line["loss"] !== undefined) expect(line["loss"]).toBeCloseTo(paired.lines[i]!["loss"]!, 4);
    });
    single.weights.forEach((value, i) => expect(value).toBeCloseTo(paired.weights[i]!, 3));
  });

  test("log nothing about rejected answers, in steps and evaluations", async () => {
    const { lines } = await run({ evaluation: alone, evalStrategy: "steps", evalSteps: 2 });
    for (const line of lines) {
      const names = Object.keys(line).map((name) => name.replace("eval_", ""));
      for (const name of names) expect(name).not.toMatch(/rejected|margins|accuracies|token_logps|token_logratios/);
      expect(Object.values(line).every(Number.isFinite)).toBe(true);
    }
    const evaluation = lines.find((line) => "eval_loss" in line)!;
    expect(Object.keys(evaluation)).toEqual(expect.arrayContaining(["eval_logps/chosen", "eval_entropy", "eval_logits/chosen"]));
  });

  test("among pairs leave the metrics about rejected answers to those", async () => {
    const mixed = alone.map((row, i) => (i % 2 === 0 ? row : pairs[i]!));
    const [few, all] = [await run({ train: mixed, maxSteps: 1 }), await run({ train: pairs, maxSteps: 1 })];
    const some = await run({ train: [pairs[1]!, pairs[3]!], perDeviceTrainBatchSize: 2, maxSteps: 1 });
    expect(few.lines[0]!["loss"]).toBeCloseTo(all.lines[0]!["loss"]!, 5);
    for (const name of ABOUT_REJECTED) expect(few.lines[0]![name], name).toBeCloseTo(some.lines[0]![name]!, 4);
  });

  test("are refused with ld_alpha, which compares the lengths of two answers", async () => {
    const refused = "Expected 'ld_alpha' only with a loss that compares two answers but received 0.5 with sft; leave it out";
    for (const train of [alone, pairs]) {
      expect(() => new PreferenceTrainer(options({ train, ldAlpha: 0.5 }))).toThrow(InputError);
      expect(() => new PreferenceTrainer(options({ train, ldAlpha: 0.5 }))).toThrow(refused);
    }
    const [plain, unweighted] = [await run({ maxSteps: 1 }), await run({ maxSteps: 1, ldAlpha: 1 })]; // 1 changes nothing
    expect(unweighted.lines[0]!["loss"]).toBe(plain.lines[0]!["loss"]);
    expect(unweighted.lines[0]!["logps/chosen"]).toBe(plain.lines[0]!["logps/chosen"]);
    new PreferenceTrainer(options({ train: pairs, loss: weightedSum([sigmoid(), sft()]), ldAlpha: 0.5 }));
  });

  test("serve a custom loss with a reference that says it reads chosen answers alone", async () => {
    const above = Object.assign(
      ({ policyChosen, referenceChosen }: Parameters<PreferenceLoss>[0]) => policyChosen.sub(referenceChosen).neg().exp(),
      { answers: "chosen" as const },
    );
    const { lines } = await run({ loss: above });
    expect(lines[0]!["loss"]).toBeCloseTo(1, 5); // the model is its own reference
    expect(lines[3]!["loss"]).toBeLessThan(0.5);
  });
});

describe("a loss that reads chosen answers alone", () => {
  type LogProbs = Parameters<PreferenceLoss>[0];
  const own = (formula: (logProbs: LogProbs) => Tensor, metrics = {}) =>
    declareLoss({
      name: "own",
      source: "a test",
      needs: ["reference", "tokens"],
      answers: "chosen",
      options: {},
      formula,
      metrics,
    })();
  const fourSums = (): LogProbs => {
    const values = () => tensor([-1, -2]);
    return { policyChosen: values(), policyRejected: values(), referenceChosen: values(), referenceRejected: values() };
  };
  const refused = (of: string, key: string) =>
    `Expected ${of} to use only the chosen answers (answers: "chosen") but it read '${key}', which rows may lack; remove 'answers'`;

  test.each<[string, PreferenceLoss, of: string, key: string]>([
    [
      "a formula",
      own(({ policyChosen, policyRejected }) => policyRejected.sub(policyChosen)),
      "the loss 'own'",
      "policyRejected",
    ],
    ["a count", own(({ policyChosen, rejectedTokens }) => policyChosen.div(rejectedTokens!)), "the loss 'own'", "rejectedTokens"],
    [
      "a metric",
      own(({ policyChosen }) => policyChosen.neg(), { far: (logProbs: LogProbs) => logRatios(logProbs).rejected }),
      "the loss 'own'",
      "policyRejected",
    ],
    [
      "a plain function",
      Object.assign(({ policyChosen, referenceRejected }: LogProbs) => referenceRejected.sub(policyChosen), {
        answers: "chosen" as const,
      }),
      "the loss",
      "referenceRejected",
    ],
    [
      "a plain function's metric",
      Object.assign(({ policyChosen }: LogProbs) => policyChosen.neg(), {
        answers: "chosen" as const,
        metrics: ({ policyRejected }: LogProbs) => ({ far: policyRejected }),
      }),
      "the loss",
      "policyRejected",
    ],
  ])("cannot read rejected ones, in %s", (_, loss, of, key) => {
    const given = options({ loss, train: pairs });
    expect(() => new PreferenceTrainer(given)).toThrow(refused(of, key));
    expect(existsSync(given.outputDir!)).toBe(false);
    given.model.dispose();
  });

  test("cannot read rejected ones in a user's own step, nor in a later step of the trainer", async () => {
    const logProbs = fourSums();
    const reading = own(({ policyRejected }) => policyRejected);
    expect(() => tidy(() => reading(logProbs))).toThrow(refused("the loss 'own'", "policyRejected"));

    let calls = 0;
    const late = Object.assign((given: LogProbs) => (calls++ > 1 ? given.policyRejected : given.policyChosen.neg()), {
      answers: "chosen" as const,
    });
    await expect(run({ loss: late })).rejects.toThrow(refused("the loss", "policyRejected"));
  });

  test("of a plain function keeps its properties, and gets none of the rejected answers with a tolerance either", () => {
    const logProbs = fourSums();
    const reading = Object.assign(({ policyRejected }: LogProbs) => policyRejected, { answers: "chosen" as const });
    const fall = ({ policyChosen }: LogProbs) => policyChosen.neg();
    const guarded = guardInputs(Object.assign(fall, { answers: "chosen" as const, beta: 0.3, withTolerance: () => reading }));
    expect(tidy(() => guarded(logProbs).toArray())).toEqual(Float32Array.of(1, 2));
    expect([guarded.name, guarded.beta, guarded.answers]).toEqual(["fall", 0.3, "chosen"]);
    expect(lossNeeds(guarded, "reference")).toBe(true); // as without 'needs'
    expect(() => guarded.withTolerance!(1)(logProbs)).toThrow("but it read 'policyRejected'");
    expect(guardInputs(guarded)).toBe(guarded);
    for (const loss of [sft(), dpop()]) expect(guardInputs(loss)).toBe(loss);
  });

  test("can copy the log-probs and take the chosen answers' log-ratios", async () => {
    const loss = own((logProbs) => logRatios({ ...logProbs }).chosen.neg());
    const { lines } = await run({ loss: weightedSum([loss, sft()]), maxSteps: 1 });
    expect(lines[0]!["loss"]).toBeGreaterThan(0);
  });
});

describe("a loss that compares two answers refuses them before any work", () => {
  const rows: TokenizedPair[] = [pairs[0]!, { index: 7, chosen: pairs[1]!.chosen }];
  test.each<[string, PreferenceLoss]>([
    ["dpop", dpop()],
    ["sigmoid+sft", weightedSum([sigmoid(), sft()])],
    ["wpo(sft)", wpo(sft())],
  ])("%s", (name, loss) => {
    const given = options({ train: rows, loss });
    const create = () => new PreferenceTrainer(given);
    expect(create).toThrow(InputError);
    expect(create).toThrow(`Expected 'rejected' in row 7 of 'train' but received none: the loss '${name}' compares two answers`);
    expect(create).toThrow("train on the chosen ones alone with loss_type sft");
    expect(existsSync(given.outputDir!)).toBe(false);
    expect(() => new PreferenceTrainer(options({ train: pairs, evaluation: rows, evalStrategy: "epoch", loss }))).toThrow(
      "row 7 of 'evaluation'",
    );
    given.model.dispose();
  });

  test("and a metric that compares them cannot choose the best checkpoint", () => {
    const settings = { evaluation: alone, evalStrategy: "epoch", saveStrategy: "epoch", loadBestModelAtEnd: true } as const;
    expect(() => new PreferenceTrainer(options({ ...settings, metricForBestModel: "rewards/margins" }))).toThrow(
      "Expected a metric of evaluations for 'metric_for_best_model' but received 'rewards/margins'",
    );
    new PreferenceTrainer(options({ ...settings, metricForBestModel: "logps/chosen" }));
  });
});
