import { expect, test } from "vitest";
import { Random } from "../../src/base/random";
import { copyModel, countWeights, createModel, modelConfig } from "../../src/paper/model";
import { presets } from "../../src/paper/settings";
import { sftLoss, trainReference } from "../../src/paper/sft";
import { Trainer, batchIndices } from "../../src/paper/training";
import { memory, noGrad, tensor, tidy } from "../../src/torch";

const config = modelConfig(presets.smoke.model, 12);
const examples = [
  { prompt: [1, 2, 3], completion: [4, 5, 0] },
  { prompt: [1, 3], completion: [6, 0] },
];

test("batches take every index once before any comes again", () => {
  const batches = batchIndices(10, 4, new Random(0));
  const drawn = Array.from({ length: 5 }, () => batches.next().value);
  expect(drawn.map((batch) => batch.length)).toEqual([4, 4, 4, 4, 4]);
  const flat = drawn.flat();
  expect(flat.slice(0, 10).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(flat.slice(10).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(flat.slice(0, 10)).not.toEqual(flat.slice(10));
});

test("a batch larger than the rows repeats them", () => {
  expect(
    batchIndices(2, 5, new Random(0))
      .next()
      .value.filter((i) => i === 0).length,
  ).toBeGreaterThanOrEqual(2);
});

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

test("the SFT loss is the mean over answer tokens, not over answers", () => {
  using model = createModel(config, 1);
  const loss = (rows: typeof examples) => tidy(() => sftLoss(model, rows).item() as number);
  const [three, two] = [loss([examples[0]!]), loss([examples[1]!])]; // 3 and 2 tokens
  expect(loss(examples)).toBeCloseTo((3 * three + 2 * two) / 5, 5);
});

test("SFT stops at its goal, then lets the rate fall for the steps asked for", () => {
  using model = createModel(config, 2);
  const sft = { ...presets.smoke.sft, learningRate: 1e-2, goalLoss: 0.2, goalWindow: 3, maxSteps: 500, decaySteps: 5 };
  const means: number[] = [];
  const settings = { sft, optimizer: presets.smoke.optimizer };
  const outcome = trainReference(model, examples, settings, 0, (_, mean) => means.push(mean));
  expect(outcome.reachedGoal).toBe(true);
  expect(outcome.steps).toBe(means.length);
  // The goal is met for the first time right before the last five steps.
  expect(means.findIndex((mean, i) => i >= 2 && mean < 0.2)).toBe(means.length - 6);
  expect(outcome.loss).toBe(means.at(-1));
});

test("SFT that does not reach its goal stops at the limit and says so", () => {
  using model = createModel(config, 2);
  const sft = { ...presets.smoke.sft, goalLoss: 1e-9, maxSteps: 6, decaySteps: 2 };
  expect(trainReference(model, examples, { sft, optimizer: presets.smoke.optimizer }, 0, () => {})).toMatchObject({
    reachedGoal: false,
    steps: 8,
  });
});

test("a loss or gradient that is not finite stops the training before the weights change", () => {
  using model = createModel(config, 3);
  using trainer = new Trainer(model, 1e-3, presets.smoke.optimizer);
  const weight = model.parameters().next().value!;
  const before = weight.toList();
  expect(() => trainer.step(1, () => weight.sum().mul(NaN))).toThrow(/finite loss but received NaN/);
  // 0, with the gradient 0 * Infinity.
  expect(() => trainer.step(1, () => weight.mul(0).sqrt().sum())).toThrow(/finite gradient norm but received NaN/);
  expect(weight.toList()).toEqual(before);
});

test("a step leaves no tensor behind", () => {
  using model = createModel(config, 4);
  using trainer = new Trainer(model, 1e-3, presets.smoke.optimizer);
  trainer.step(1, () => sftLoss(model, examples)); // makes the optimizer's state
  const before = memory().tensors;
  for (let i = 0; i < 3; i++) trainer.step(1, () => sftLoss(model, examples));
  expect(memory().tensors).toBe(before);
  expect(tidy(() => tensor([1]).item())).toBe(1);
});
