import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { presets } from "../../src/paper/settings";
import {
  copyModel,
  countWeights,
  createModel,
  modelConfig,
  TemporaryFolder,
  trainMethod,
  trainReference,
} from "../../src/paper/training";
import { noGrad } from "../../src/torch";
import { answerOf } from "../preference/padded";
import { settledTensors } from "../setup/garbage";

const config = modelConfig(presets.smoke.model, 12);
const examples = [answerOf([1, 2, 3], [4, 5, 0]), answerOf([1, 3], [6, 0])].map((chosen, index) => ({ index, chosen }));
const { optimizer } = presets.smoke;
process.env.TMPDIR = mkdtempSync(join(tmpdir(), "smaug-training-")); // other tests have temporary folders too
const temporary = () => readdirSync(tmpdir());

test("the quick preset's model has 163,904 weights with the task's 58 pieces, the large one's 20 times as many", () => {
  using model = createModel(modelConfig(presets.quick.model, 58), 0);
  expect(countWeights(model)).toBe(163_904);
  using large = createModel(modelConfig(presets.large.model, 58), 0);
  expect(countWeights(large)).toBe(4 * (4 * 256 ** 2 + 3 * 256 * 768 + 2 * 256) + 256 + 58 * 256);
});

test("a model is drawn from its seed, and a copy is apart from its source", () => {
  using model = createModel(config, 7);
  using same = createModel(config, 7);
  using copy = copyModel(config, model);
  const weights = (of: typeof model) => [...of.parameters()].map((parameter) => parameter.toList());
  expect(weights(same)).toEqual(weights(model));
  expect(weights(copy)).toEqual(weights(model));
  noGrad(() => copy.parameters().next().value!.add_(1));
  expect(weights(same)).toEqual(weights(model));
});

test("SFT stops at its goal, then lets the rate fall for the steps asked for", async () => {
  const sft = { ...presets.smoke.sft, learningRate: 1e-2, goalLoss: 0.2, goalWindow: 3, maxSteps: 500, decaySteps: 5 };
  const means: number[] = [];
  const onStep = (_: number, mean: number) => void means.push(mean);
  const { model, outcome } = await trainReference({ config, seed: 2, examples, settings: { sft, optimizer }, onStep });
  expect(outcome.reachedGoal).toBe(true);
  expect(outcome.steps).toBe(means.length);
  // The goal is met for the first time right before the last five steps.
  expect(means.findIndex((mean, i) => i >= 2 && mean < 0.2)).toBe(means.length - 6);
  expect(outcome.loss).toBe(means.at(-1));
  model.dispose();
});

test("SFT may meet its goal while the rate still rises", async () => {
  const sft = { ...presets.smoke.sft, learningRate: 1e-2, warmupSteps: 40, goalLoss: 5, goalWindow: 2, decaySteps: 3 };
  const { model, outcome } = await trainReference({ config, seed: 2, examples, settings: { sft, optimizer }, onStep: () => {} });
  expect(outcome).toMatchObject({ reachedGoal: true, steps: 5 });
  model.dispose();
});

test("SFT that does not reach its goal stops at the limit and says so, and leaves neither file nor tensor", async () => {
  const sft = { ...presets.smoke.sft, goalLoss: 1e-9, maxSteps: 6, decaySteps: 2 };
  const options = { config, seed: 2, examples, settings: { sft, optimizer }, onStep: () => {} };
  const [files, tensors] = [temporary(), await settledTensors()];
  const { model, outcome } = await trainReference(options);
  expect(outcome).toMatchObject({ reachedGoal: false, steps: 8 });
  model.dispose();
  expect(temporary()).toEqual(files);
  expect(await settledTensors()).toBe(tensors);
});

test("an error during training passes, and nothing is left", async () => {
  const onStep = () => {
    throw new Error("no more");
  };
  const [files, tensors] = [temporary(), await settledTensors()];
  const settings = presets.smoke;
  await expect(trainReference({ config, seed: 2, examples, settings, onStep })).rejects.toThrow("no more");
  expect(temporary()).toEqual(files);
  expect(await settledTensors()).toBe(tensors);
});

test("a method trains all weights, and leaves its files in the folder that it is given", async () => {
  using folder = new TemporaryFolder();
  using model = createModel(config, 3);
  const before = [...model.parameters()].map((parameter) => parameter.toList());
  const steps: number[] = [];
  const onStep = (step: number) => void steps.push(step);
  const rows = examples.map((each) => ({
    ...each,
    rejected: answerOf([...each.chosen.ids.subarray(0, each.chosen.start)], [7, 0]),
  }));
  const loss = { lossType: "sigmoid", beta: 0.3 };
  await trainMethod(model, { loss, rows, settings: presets.smoke, seed: 1, folder: folder.path, onStep });
  expect(steps).toEqual([1, 2, 3, 4]);
  [...model.parameters()].forEach((parameter, i) => expect(parameter.toList()).not.toEqual(before[i]));
  expect(readdirSync(folder.path).sort()).toEqual(["reference", expect.stringMatching(/^run-/)]);
});
