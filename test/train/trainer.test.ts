/** Runs of the trainer on a tiny model: what they leave, that they go on bit for bit, and that packing changes nothing. */

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  applyLora,
  type CausalLM,
  dpop,
  hasAdapter,
  loadAdapter,
  loadPreferences,
  lora,
  type PairLogProbs,
  saveAdapter,
  sft,
  sigmoid,
  simpo,
} from "../../src";
import { OutOfMemoryError } from "../../src/native/errors";
import { adamwLayout } from "../../src/optim/adamw";
import { memory, noGrad } from "../../src/torch";
import { PreferenceTrainer } from "../../src/train";
import { checkpointBytes, spaceWarning } from "../../src/train/checkpoint/save";
import { TrainingLoop } from "../../src/train/loop";
import type { PreferenceTrainerOptions } from "../../src/train/options";
import { LIBRARY_WAYS, RunOutput } from "../../src/train/output/ownership";
import { Sampler } from "../../src/train/schedule";
import { runObservers } from "../../src/train/trainer";
import { settledTensors } from "../setup/garbage";
import { tinyModel, tinyPairs } from "./tiny";

const root = mkdtempSync(join(tmpdir(), "smaug-train-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = () => join(root, `run-${++folders}`);

const train = tinyPairs(22);

function adapted(): CausalLM {
  const model = tinyModel();
  applyLora(model, lora({ r: 4, targetModules: "all-linear" }));
  noGrad(() => [...model.namedParameters()].forEach(([name, tensor]) => name.includes("lora_A") && tensor.fill_(0.05)));
  return model;
}

function options(model: CausalLM, changes: Partial<PreferenceTrainerOptions> = {}): PreferenceTrainerOptions {
  return {
    model,
    train,
    loss: sigmoid({ beta: 0.3 }),
    outputDir: newFolder(),
    learningRate: 1e-2,
    perDeviceTrainBatchSize: 4,
    maxSteps: 6,
    loggingSteps: 1,
    saveStrategy: "no",
    reportTo: "none",
    referenceCache: join(root, "cache"),
    ...changes,
  };
}

type Line = Record<string, number>;
const measured = [
  "loss",
  "grad_norm",
  "learning_rate",
  "rewards/chosen",
  "rewards/rejected",
  "rewards/margins",
  "rewards/accuracies",
  "rewards/chosen_std",
  "rewards/chosen_pairs",
  "logps/chosen",
  "logps/rejected",
  "num_tokens",
  "epoch",
  "step",
];
const pick = (line: Line, names = measured) => Object.fromEntries(names.map((name) => [name, line[name]]));
const history = (folder: string): Line[] =>
  (JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8")) as { log_history: Line[] }).log_history;
const losses = (folder: string) =>
  history(folder)
    .filter((line) => "loss" in line)
    .map((line) => pick(line));

async function run(
  changes: Partial<PreferenceTrainerOptions> = {},
  model = adapted(),
): Promise<{ folder: string; model: CausalLM }> {
  const given = options(model, changes);
  await new PreferenceTrainer(given).train();
  return { folder: given.outputDir!, model };
}

const weights = (folder: string) => readFileSync(join(folder, "adapter_model.safetensors"));

describe("a run", () => {
  test("starts at ln 2 with no reward, and leaves adapter, state and metrics", async () => {
    const { folder } = await run({ reportTo: "tensorboard", loss: dpop() });
    expect(readdirSync(folder).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "metrics.jsonl",
      "runs",
      "trainer_state.json",
    ]);
    const [first] = history(folder);
    expect(first!["loss"]).toBeCloseTo(Math.LN2, 5);
    expect(first).toMatchObject({ "rewards/accuracies": expect.any(Number), step: 1, learning_rate: 1e-2, epoch: 1 / 6 });
    const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    expect(lines[0]).toMatchObject({
      reference_rows: 22,
      step0_max_abs: expect.any(Number),
      dpop_tolerance: expect.any(Number),
      versions: { node: process.version },
    });
    expect(lines[0]!["step0_max_abs"]).toBeLessThan(1e-5);
    expect(lines[0]!["dpop_tolerance"]).toBeGreaterThanOrEqual(1e-6);
    expect(lines.slice(1).map((line) => pick(line))).toEqual(history(folder).map((line) => pick(line)));
    expect(readdirSync(join(folder, "runs"))).toHaveLength(1);
  });

  test("gives the linear schedule's rates: lr (1 - k / max_steps)", async () => {
    const { folder } = await run({ maxSteps: 4 });
    expect(losses(folder).map((line) => line["learning_rate"])).toEqual(
      [1e-2, 0.75e-2, 0.5e-2, 0.25e-2].map((lr) => expect.closeTo(lr, 12)),
    );
  });

  test("yields a step at a time, with its metrics", async () => {
    const seen: number[][] = [];
    for await (const step of new PreferenceTrainer(options(adapted(), { loggingSteps: 3 })))
      seen.push([step.step, step.loss, step["rewards/margins"], step.logged ? 1 : 0]);
    expect(seen.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(seen.map(([, , , logged]) => logged)).toEqual([0, 0, 1, 0, 0, 1]);
    expect(seen.every(([, loss, margin]) => Number.isFinite(loss) && Number.isFinite(margin))).toBe(true);
  });

  test("logs means over the steps since the last line, and the gradient's norm of the last", async () => {
    const each = losses((await run()).folder);
    const third = losses((await run({ loggingSteps: 3 })).folder)[0]!;
    const mean = (name: string) => (each[0]![name]! + each[1]![name]! + each[2]![name]!) / 3;
    for (const name of ["loss", "rewards/chosen", "rewards/margins", "logps/chosen"])
      expect(third[name]).toBeCloseTo(mean(name), 12);
    expect(third["grad_norm"]).toBe(each[2]!["grad_norm"]);
  });

  test("is the same run twice, to the bit", async () => {
    const [one, two] = [await run({ loss: dpop() }), await run({ loss: dpop() })];
    expect(losses(two.folder)).toEqual(losses(one.folder));
    expect(weights(two.folder).equals(weights(one.folder))).toBe(true);
  });

  test("holds no more tensors after than before, but the model", async () => {
    const model = adapted();
    await run({ maxSteps: 2 }, model);
    const before = await settledTensors();
    await run({ maxSteps: 4 }, model);
    expect(memory().tensors).toBe(before);
  });

  test("trains all weights of a model without an adapter, and leaves a model", async () => {
    const model = tinyModel();
    const { folder } = await run({ learningRate: 1e-3 }, model);
    expect(hasAdapter(model)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(["config.json", "metrics.jsonl", "model.safetensors", "trainer_state.json"]);
    expect(losses(folder).at(-1)!["loss"]).toBeLessThan(Math.LN2);
  });

  test("takes a loss of the user's own", async () => {
    const own: PreferenceTrainerOptions["loss"] = ({ policyChosen, policyRejected }) =>
      policyChosen.sub(policyRejected).sub(1).square();
    const { folder } = await run({ loss: own });
    expect(losses(folder)[5]!["loss"]).toBeLessThan(losses(folder)[0]!["loss"]!);
  });

  test("needs no reference for a loss that has none", async () => {
    const { folder } = await run({ loss: simpo(), referenceCache: join(root, "never") });
    expect(existsSync(join(root, "never"))).toBe(false);
    expect(losses(folder)).toHaveLength(6);
  });
});

describe("packing", () => {
  const cases: [string, Partial<PreferenceTrainerOptions>][] = [
    ["batches of one pair", { maxTokensPerBatch: 1 }],
    ["batches of a few tokens", { maxTokensPerBatch: 40 }],
    ["accumulation", { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 }],
    ["activations that are computed again", { gradientCheckpointing: true }],
  ];
  const bases: [string, () => Partial<PreferenceTrainerOptions>][] = [
    ["dpop", () => ({ loss: dpop({ beta: 0.1, lambda: 5, tolerance: 0 }) })],
    ["sft, a mean over tokens", () => ({ loss: sft() })],
    ["ld_alpha", () => ({ ldAlpha: 0.3 })],
  ];
  test.each(bases.flatMap(([base, make]) => cases.map(([name, changes]) => [`${base}: ${name}`, make, changes] as const)))(
    "%s give the same run",
    async (_, make, changes) => {
      const plain = losses((await run({ ...make(), maxSteps: 3 })).folder);
      const other = losses((await run({ ...make(), maxSteps: 3, ...changes })).folder);
      for (const [i, line] of plain.entries())
        for (const name of ["loss", "grad_norm", "rewards/chosen", "logps/rejected"])
          expect(Math.abs(other[i]![name]! - line[name]!), name).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(line[name]!)));
    },
  );
});

describe("the reference", () => {
  test("is found again by a run with another learning rate, beta and loss", async () => {
    const cache = newFolder();
    const computed: number[] = [];
    for (const changes of [
      {},
      { learningRate: 1e-3 },
      { loss: dpop({ beta: 0.1 }) },
      { train: [...train, ...tinyPairs(3, 8)] },
    ]) {
      const trainer = new PreferenceTrainer(options(adapted(), { referenceCache: cache, maxSteps: 1, ...changes }));
      trainer.on("prepared", ({ referenceComputed }) => computed.push(referenceComputed));
      await trainer.train();
    }
    expect(computed).toEqual([22, 0, 0, 3]);
  });

  test("serves ld_alpha and cut rows by what they are, not by what was there before", async () => {
    const cache = newFolder();
    const first = async (changes: Partial<PreferenceTrainerOptions>) =>
      losses((await run({ maxSteps: 1, referenceCache: cache, ...changes })).folder)[0]!;
    await first({});
    for (const changes of [
      { ldAlpha: 0.2 },
      { train: train.map((pair) => ({ ...pair, chosen: { ...pair.chosen, ids: pair.chosen.ids.slice(0, -1) } })) },
    ]) {
      expect((await first(changes))["loss"]).toBeCloseTo(Math.LN2, 5);
    }
  });

  test("a pass that is stopped goes on where it stopped, and computes at most one batch again", async () => {
    const referenceCache = newFolder();
    const settings = { referenceCache, maxTokensPerBatch: 1 }; // batches of one pair
    const trainer = new PreferenceTrainer(options(adapted(), settings));
    trainer.on("reference", (done) => done === 9 && trainer.stop());
    await expect(trainer.train()).rejects.toThrow("Stopped before the first step; the reference values computed so far are kept");
    const again = new PreferenceTrainer(options(adapted(), { ...settings, maxSteps: 1 }));
    const computed: number[] = [];
    again.on("prepared", ({ referenceComputed }) => computed.push(referenceComputed));
    await again.train();
    expect(computed).toEqual([22 - 9]);
  });

  test("is computed again where the cache is damaged, with a warning that names the file", async () => {
    const referenceCache = newFolder();
    const first = await run({ maxSteps: 1, referenceCache });
    const file = join(referenceCache, readdirSync(referenceCache)[0]!);
    const bytes = readFileSync(file);
    bytes[Math.floor(bytes.length / 3)]! ^= 1;
    writeFileSync(file, bytes);
    const given = options(adapted(), { referenceCache, maxSteps: 1 });
    const trainer = new PreferenceTrainer(given);
    const warnings: string[] = [];
    const computed: number[] = [];
    trainer.on("warning", (message) => warnings.push(message));
    trainer.on("prepared", ({ referenceComputed }) => computed.push(referenceComputed));
    await trainer.train();
    expect(computed).toEqual([1]);
    expect(warnings).toEqual([
      `the reference cache: ${file} has 1 damaged value; rows that are missing for it are computed again`,
    ]);
    expect(losses(given.outputDir!)[0]!["loss"]).toBeCloseTo(losses(first.folder)[0]!["loss"]!, 5);
  });

  test("is the start, also of an adapter that is trained further", async () => {
    const first = await run();
    const model = tinyModel();
    await loadAdapter(model, first.folder);
    const { folder } = await run({ maxSteps: 1 }, model);
    expect(losses(folder)[0]!["loss"]).toBeCloseTo(Math.LN2, 5);
  });

  test("is a second adapter where there is one, and then the start is not checked", async () => {
    const first = await run();
    const model = adapted();
    await loadAdapter(model, first.folder, { name: "reference" });
    const { folder } = await run({ maxSteps: 1 }, model);
    expect(Math.abs(losses(folder)[0]!["loss"]! - Math.LN2)).toBeGreaterThan(1e-3);
  });
});

describe("dropout", () => {
  const dropping = () => {
    const model = tinyModel();
    applyLora(model, lora({ r: 4, targetModules: "all-linear", dropout: 0.5 }));
    noGrad(() => [...model.namedParameters()].forEach(([name, tensor]) => name.includes("lora_") && tensor.fill_(0.1)));
    return model;
  };

  test("is no part of the reference, nor of an evaluation, and evaluating draws no random numbers", async () => {
    const settings = { disableDropout: false, learningRate: 1e-3, loss: dpop() };
    const evaluation = tinyPairs(5, 3);
    const plain = await run(settings, dropping());
    const { folder } = await run({ ...settings, evaluation, evalStrategy: "steps", evalSteps: 2, evalOnStart: true }, dropping());
    expect(losses(folder)).toEqual(losses(plain.folder));
    expect(history(folder)[0]!["eval_loss"]).toBeCloseTo(Math.LN2, 5);
    const statement = JSON.parse(readFileSync(join(folder, "metrics.jsonl"), "utf8").split("\n")[0]!) as Line;
    expect(statement["step0_max_abs"]).toBeLessThan(1e-5);
    expect(Math.abs(losses(folder)[0]!["rewards/chosen"]!)).toBeGreaterThan(1e-3); // training does drop
  });
});

describe("going on from a checkpoint", () => {
  const dropping = () => {
    const model = tinyModel();
    applyLora(model, lora({ r: 4, targetModules: "all-linear", dropout: 0.2 }));
    noGrad(() => [...model.namedParameters()].forEach(([name, tensor]) => name.includes("lora_A") && tensor.fill_(0.05)));
    return model;
  };
  // 22 rows in steps of 4: an epoch has 6, so step 3 is in its middle; two steps are not logged yet at the checkpoint
  const settings = {
    saveStrategy: "steps",
    saveSteps: 4,
    loggingSteps: 3,
    maxSteps: 9,
    disableDropout: false,
    loss: dpop(),
  } as const;

  test("gives the run that was never interrupted, to the bit", async () => {
    const whole = await run(settings, dropping());
    const interrupted = newFolder();
    cpSync(join(whole.folder, "checkpoint-4"), join(interrupted, "checkpoint-4"), { recursive: true });
    await run({ ...settings, outputDir: interrupted, resumeFromCheckpoint: true }, dropping());
    expect(losses(interrupted)).toEqual(losses(whole.folder));
    expect(weights(interrupted).equals(weights(whole.folder))).toBe(true);
    expect(readFileSync(join(interrupted, "checkpoint-8", "optimizer.safetensors"))).toEqual(
      readFileSync(join(whole.folder, "checkpoint-8", "optimizer.safetensors")),
    );
  });

  test("works for all weights", async () => {
    const full = { ...settings, learningRate: 1e-3, loss: sigmoid() };
    const whole = await run(full, tinyModel());
    const { folder } = await run({ ...full, resumeFromCheckpoint: join(whole.folder, "checkpoint-4") }, tinyModel());
    expect(losses(folder)).toEqual(losses(whole.folder));
    expect(readFileSync(join(folder, "model.safetensors"))).toEqual(readFileSync(join(whole.folder, "model.safetensors")));
  });

  test("stop() ends after the step with a checkpoint and no final weights; the run then goes on", async () => {
    const whole = await run(settings, dropping());
    const given = options(dropping(), settings);
    const trainer = new PreferenceTrainer(given);
    trainer.on("step", ({ step }) => step === 5 && trainer.stop());
    const summary = await trainer.train();
    expect(summary).toMatchObject({ steps: 5, end: "stopped", checkpoint: join(given.outputDir!, "checkpoint-5") });
    expect(existsSync(join(given.outputDir!, "adapter_model.safetensors"))).toBe(false);
    await run({ ...settings, outputDir: given.outputDir, resumeFromCheckpoint: true }, dropping());
    expect(losses(given.outputDir!)).toEqual(losses(whole.folder));
    expect(weights(given.outputDir!).equals(weights(whole.folder))).toBe(true);
  });

  test("after the last step writes what the kill left out", async () => {
    const whole = await run({ ...settings, maxSteps: 4 }, dropping());
    const killed = newFolder();
    cpSync(join(whole.folder, "checkpoint-4"), join(killed, "checkpoint-4"), { recursive: true });
    await run({ ...settings, maxSteps: 4, outputDir: killed, resumeFromCheckpoint: true }, dropping());
    expect(weights(killed).equals(weights(whole.folder))).toBe(true);
    const summary = (folder: string) => pick(history(folder).at(-1)!, ["train_loss", "total_flos", "step"]);
    expect(summary(killed)).toEqual(summary(whole.folder));
    expect(summary(killed)["train_loss"]).toBeGreaterThan(0);
  });

  test("makes the batches it made, whatever memory is free now", async () => {
    const whole = await run({ ...settings, maxTokensPerBatch: 40 }, dropping());
    const prepared: number[] = [];
    const trainer = new PreferenceTrainer(
      options(dropping(), { ...settings, resumeFromCheckpoint: join(whole.folder, "checkpoint-4") }),
    );
    trainer.on("prepared", ({ plan }) => prepared.push(plan.maxTokens));
    await trainer.train();
    expect(prepared).toEqual([40]);
  });

  test("tells which settings are not what they were", async () => {
    const first = await run({ saveStrategy: "steps", saveSteps: 2, maxSteps: 4 });
    const warnings: string[] = [];
    const trainer = new PreferenceTrainer(
      options(adapted(), { maxSteps: 4, learningRate: 1e-3, resumeFromCheckpoint: join(first.folder, "checkpoint-2") }),
    );
    trainer.on("warning", (message) => warnings.push(message));
    await trainer.train();
    expect(warnings).toContain("learningRate is 0.001, and was 0.01 in the run that is resumed");
  });

  test("a setting that its version did not know counts as its default", async () => {
    const first = await run({ config: { lr: 1, old: true }, saveStrategy: "steps", saveSteps: 2, maxSteps: 4 });
    const warnings: string[] = [];
    const trainer = new PreferenceTrainer(
      options(adapted(), {
        config: { lr: 1, off: false, open: null, count: 3 },
        configDefaults: { old: true, off: false, count: 2 },
        maxSteps: 4,
        resumeFromCheckpoint: join(first.folder, "checkpoint-2"),
      }),
    );
    trainer.on("warning", (message) => warnings.push(message));
    await trainer.train();
    expect(warnings.filter((message) => message.includes("and was"))).toEqual([
      "count is 3, and was 2 in the run that is resumed",
    ]);
  });

  test("a run that is to overwrite an earlier one replaces it", async () => {
    const outputDir = newFolder();
    await run({ outputDir, saveStrategy: "steps", saveSteps: 3, maxSteps: 6 }, tinyModel());
    await run({ outputDir, saveStrategy: "steps", saveSteps: 1, maxSteps: 2, saveTotalLimit: 1, overwriteOutputDir: true });
    expect(readdirSync(outputDir).filter((name) => /checkpoint|model/.test(name))).toEqual([
      "adapter_model.safetensors",
      "checkpoint-2",
    ]);
  });

  test("keeps as many checkpoints as asked for, the newest ones", async () => {
    const { folder } = await run({ saveStrategy: "steps", saveSteps: 1, saveTotalLimit: 2 });
    expect(readdirSync(folder).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-5", "checkpoint-6"]);
  });

  test.each<[string, Partial<PreferenceTrainerOptions>, () => CausalLM, string]>([
    ["another model", {}, () => tinyModel({ initializer_range: 0.1 }), "Expected a checkpoint of this model"],
    ["other rows", { train: tinyPairs(22, 4) }, tinyModel, "Expected the same rows as in the run of"],
    ["another batch size", { perDeviceTrainBatchSize: 2 }, tinyModel, "Expected pairs_per_step 4 as in the run of"],
    ["another seed", { seed: 1 }, tinyModel, "Expected seed 42 as in the run of"],
    ["another beta", { loss: sigmoid({ beta: 1 }) }, tinyModel, "Expected beta 0.3 as in the run of"],
  ])("with %s is refused", async (_, changes, model, message) => {
    const first = await run({ saveStrategy: "steps", saveSteps: 2, maxSteps: 2 }, tinyModel());
    const resumeFromCheckpoint = join(first.folder, "checkpoint-2");
    await expect(run({ ...changes, resumeFromCheckpoint }, model())).rejects.toThrow(message);
  });

  test("names what is no checkpoint", async () => {
    await expect(run({ resumeFromCheckpoint: true })).rejects.toThrow(/Expected a checkpoint in .* but there is none/);
    const folder = newFolder();
    await expect(run({ resumeFromCheckpoint: folder })).rejects.toThrow("which is not there");
    mkdirSync(folder);
    writeFileSync(join(folder, "trainer_state.json"), JSON.stringify({ global_step: 3, log_history: [] }));
    await expect(run({ resumeFromCheckpoint: folder })).rejects.toThrow("which has no optimizer.safetensors");
    for (const name of ["optimizer", "rng_state"]) writeFileSync(join(folder, `${name}.safetensors`), "");
    await expect(run({ resumeFromCheckpoint: folder })).rejects.toThrow("one that another program wrote");
    const first = await run({ saveStrategy: "steps", maxSteps: 1 });
    await expect(run({ resumeFromCheckpoint: first.folder })).rejects.toThrow(
      /which has no optimizer.safetensors; did you mean .*checkpoint-1\?/,
    );
  });
});

describe("evaluation", () => {
  const evaluation = tinyPairs(7, 3);

  test("has the metrics of training under eval_, and changes nothing", async () => {
    const plain = await run();
    const { folder } = await run({ evaluation, evalStrategy: "steps", evalSteps: 3, evalOnStart: true });
    expect(losses(folder)).toEqual(losses(plain.folder));
    const lines = history(folder).filter((line) => "eval_loss" in line);
    expect(lines.map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(lines[0]!["eval_loss"]).toBeCloseTo(Math.LN2, 5);
    expect(lines[1]).toMatchObject({
      "eval_rewards/accuracies": expect.any(Number),
      eval_runtime: expect.any(Number),
      epoch: 0.5,
    });
  });

  test("keeps the best checkpoint and ends with its weights; stops when nothing gets better", async () => {
    const settings = {
      evaluation,
      evalStrategy: "steps",
      evalSteps: 1,
      saveStrategy: "steps",
      saveSteps: 1,
      saveTotalLimit: 1,
      loadBestModelAtEnd: true,
    } as const;
    const { folder } = await run({ ...settings, maxSteps: 12, learningRate: 0.05, earlyStoppingPatience: 2 });
    const evaluated = history(folder).filter((line) => "eval_loss" in line);
    const best = evaluated.reduce((a, b) => (b["eval_loss"]! < a["eval_loss"]! ? b : a));
    const state = JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8")) as Line;
    expect(state["best_metric"]).toBe(best["eval_loss"]);
    expect(state["best_global_step"]).toBe(best["step"]);
    expect(evaluated.length).toBe(Math.min(12, best["step"]! + 2));
    const kept = join(folder, `checkpoint-${best["step"]}`);
    expect(weights(folder).equals(weights(kept))).toBe(true);

    // From a copied folder the best one is found beside the checkpoint.
    const copied = newFolder();
    cpSync(folder, copied, { recursive: true });
    const outputDir = newFolder();
    const newest = readdirSync(copied)
      .filter((name) => name.startsWith("checkpoint"))
      .sort()
      .at(-1)!;
    await run({
      ...settings,
      maxSteps: Number(newest.split("-")[1]),
      learningRate: 0.05,
      outputDir,
      resumeFromCheckpoint: join(copied, newest),
    });
    expect(weights(outputDir).equals(weights(kept))).toBe(true);
  });

  test("save_strategy best keeps a checkpoint of each best evaluation so far, and ends with the best weights", async () => {
    const settings = { evaluation, evalStrategy: "steps", evalSteps: 1, saveStrategy: "best", loadBestModelAtEnd: true } as const;
    const { folder } = await run({ ...settings, maxSteps: 8, learningRate: 0.05 });
    let best = Infinity;
    const expected = history(folder).flatMap(({ eval_loss: loss, step }) => {
      if (loss === undefined || loss >= best) return [];
      best = loss;
      return [`checkpoint-${step}`];
    });
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(8); // so that a checkpoint for each step would be found
    expect(
      readdirSync(folder)
        .filter((name) => name.startsWith("checkpoint"))
        .sort(),
    ).toEqual(expected.sort());
    expect(weights(folder).equals(weights(join(folder, expected.at(-1)!)))).toBe(true);
  });

  test("without rows is an error", async () => {
    await expect(run({ evalStrategy: "epoch" })).rejects.toThrow("Expected rows for 'evaluation'");
  });
});

describe("when a run logs", () => {
  // 22 rows in batches of 4: 6 steps an epoch.
  const logged = async (changes: Partial<PreferenceTrainerOptions>) =>
    losses((await run({ maxSteps: 8, ...changes })).folder).map(({ step }) => step);

  test("is every few steps, each epoch or never", async () => {
    expect(await logged({ loggingSteps: 3 })).toEqual([3, 6, 8]);
    expect(await logged({ loggingStrategy: "epoch" })).toEqual([6, 8]);
    expect(await logged({ loggingStrategy: "no" })).toEqual([]);
    expect(await logged({ loggingStrategy: "no", loggingFirstStep: true })).toEqual([1]);
  });

  test("changes nothing but the log: the totals at the end are the same", async () => {
    const totals = async (changes: Partial<PreferenceTrainerOptions>) => {
      const { folder } = await run({ maxSteps: 8, ...changes });
      return [history(folder).at(-1)!["train_loss"], weights(folder)];
    };
    expect(await totals({ loggingStrategy: "no" })).toEqual(await totals({}));
  });
});

describe("the order of the rows", () => {
  test("is that of data_seed if given, otherwise of seed", async () => {
    const [plain, same, other] = [await run(), await run({ dataSeed: 42 }), await run({ dataSeed: 7 })];
    expect(losses(same.folder)).toEqual(losses(plain.folder));
    expect(losses(other.folder)).not.toEqual(losses(plain.folder));
    const rows = { rows: train.length, rowsPerStep: 4, strategy: "random" } as const;
    expect(losses(other.folder)[0]!["num_tokens"]).toBe(
      new Sampler({ ...rows, seed: 7 })
        .rowsOf(0)
        .reduce((sum, row) => sum + train[row]!.chosen.ids.length + train[row]!.rejected.ids.length, 0),
    );
  });

  test("cannot change when a run is resumed", async () => {
    const settings = { saveStrategy: "steps", saveSteps: 2, maxSteps: 4 } as const;
    const { folder } = await run({ ...settings, dataSeed: 7 });
    const resumeFromCheckpoint = join(folder, "checkpoint-2");
    await expect(run({ ...settings, resumeFromCheckpoint })).rejects.toThrow("Expected data_seed 7 as in the run");
    await expect(run({ ...settings, dataSeed: 7, dataloaderDropLast: true, resumeFromCheckpoint })).rejects.toThrow(
      "Expected no dataloader_drop_last as in the run",
    );
    const resumed = await run({ ...settings, dataSeed: 7, resumeFromCheckpoint });
    expect(weights(resumed.folder).equals(weights(folder))).toBe(true);
  });

  test("drops what does not fill a batch with dataloader_drop_last; fewer rows than one batch are an error", async () => {
    const { folder } = await run({ dataloaderDropLast: true, maxSteps: -1, numTrainEpochs: 1 });
    expect(losses(folder).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]); // 22 rows are 5 batches of 4
    await expect(run({ dataloaderDropLast: true, perDeviceTrainBatchSize: 23 })).rejects.toThrow(
      "Expected at least 23 pairs, one full batch, with dataloader_drop_last but received 22",
    );
  });
});

describe("the output folder", () => {
  test("has one trainer at a time, also in one process; what it holds names the options that replace it", async () => {
    const given = options(adapted(), { saveStrategy: "steps", maxSteps: 2 });
    const trainer = new PreferenceTrainer(given);
    const again = (changes: Partial<PreferenceTrainerOptions> = {}) =>
      run({ outputDir: given.outputDir, maxSteps: 1, ...changes });
    for await (const { step } of trainer)
      if (step === 1) await expect(again()).rejects.toThrow("in use by another run of this process");
    await expect(again()).rejects.toThrow(/^ {2}resumeFromCheckpoint: true$[^]*^ {2}overwriteOutputDir: true$/m);
    await again({ overwriteOutputDir: true });
    expect(readdirSync(given.outputDir!).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "metrics.jsonl",
      "trainer_state.json",
    ]);
  });

  test("keeps the earlier run when the new one fails after its first step, or the loop is left", async () => {
    const { folder } = await run({ saveStrategy: "steps", maxSteps: 2 });
    const contents = () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), "base64")]);
    const before = contents();
    let calls = 0;
    const loss: PreferenceTrainerOptions["loss"] = ({ policyChosen }) => policyChosen.mul(++calls === 1 + 3 ? Infinity : 1); // 1: when the trainer is made
    await expect(run({ outputDir: folder, overwriteOutputDir: true, loss })).rejects.toThrow("in step 3");
    expect(contents()).toEqual(before);
    for await (const { step } of new PreferenceTrainer(options(adapted(), { outputDir: folder, overwriteOutputDir: true }))) {
      expect(existsSync(join(folder, ".smaug-previous", "checkpoint-2"))).toBe(true);
      if (step === 2) break;
    }
    expect(contents()).toEqual(before);
  });

  test("is not that of the adapter or the rows that were loaded, even when overwriting", async () => {
    const outputDir = newFolder();
    await saveAdapter(adapted(), outputDir);
    const model = tinyModel();
    await loadAdapter(model, outputDir);
    const before = readdirSync(outputDir);
    await expect(run({ outputDir, overwriteOutputDir: true }, model)).rejects.toThrow(
      "Expected another folder than the adapter's for 'output_dir'",
    );
    expect(readdirSync(outputDir)).toEqual(before);

    const data = newFolder();
    mkdirSync(data);
    writeFileSync(join(data, "pairs.jsonl"), '{"prompt": "a", "chosen": " b", "rejected": " c"}\n');
    const rows = await loadPreferences(data);
    await expect(run({ outputDir: join(data, "out"), train: rows })).rejects.toThrow(
      "Expected another folder than the data's for 'output_dir'",
    );
  });

  test("warns when two checkpoints may not fit on its disk", async () => {
    // 2 layers of rank 4 on 7 linear layers of sizes 32, 16 (k, v) and 48 (mlp): 4 * (64 + 48 + 48 + 64 + 80 + 80 + 80) * 2 weights
    const weights = 3712;
    const bytes = checkpointBytes(adapted(), adamwLayout);
    expect(bytes).toBeGreaterThanOrEqual(weights * 12); // float32 weights and two moments
    expect(bytes).toBeLessThan(weights * 12 + 10_000); // and the generator's state
    expect(spaceWarning(2 ** 30, root, 3 * 2 ** 30)).toBeUndefined();
    expect(spaceWarning(2 ** 30, root, 1.5 * 2 ** 30)).toContain("need about 2.0 GiB, and 1.5 GiB are free");
    expect(spaceWarning(2 ** 60, join(root, "none"))).toContain(`the disk of ${join(root, "none")} may be too small`);
  });

  test("of a run that was killed while replacing another one names the way to restore it", async () => {
    const { folder } = await run({ saveStrategy: "steps", maxSteps: 2 });
    const before = readdirSync(folder, { recursive: true }).sort();
    const program = join(__dirname, "programs", "killedOverwrite.ts");
    const { signal } = spawnSync(process.execPath, [
      "--require",
      join(__dirname, "..", "setup", "typescript.cjs"),
      program,
      folder,
      join(root, "cache"),
    ]);
    expect(signal).toBe("SIGKILL");
    expect(existsSync(join(folder, "metrics.jsonl"))).toBe(true);
    const error = await run({ outputDir: folder }).catch((thrown: Error) => thrown);
    execFileSync("sh", ["-c", /^ {2}(\(cd .*\))$/m.exec((error as Error).message)![1]!]);
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
    await expect(run({ outputDir: folder })).rejects.toThrow("holds checkpoint-2 and adapter_model.safetensors");
  });
});

const claimed = (folder: string) => RunOutput.claim({ folder, overwrite: false, resume: null, ways: LIBRARY_WAYS });

describe("what goes wrong", () => {
  test("an evaluation at the start needs rows", async () => {
    const given = options(adapted(), { evalOnStart: true });
    await expect(new PreferenceTrainer(given).train()).rejects.toThrow("Expected rows for 'evaluation' with eval_on_start");
  });

  test("NaN in the weights stops the first step, names the rows and leaves nothing", async () => {
    const model = adapted();
    noGrad(() => void model.model.norm.parameters().next().value!.fill_(NaN));
    const given = options(model, { loss: simpo() });
    await expect(new PreferenceTrainer(given).train()).rejects.toThrow(
      /Expected finite numbers but received the loss NaN in step 1, of the rows \d+, \d+, \d+, \d+\./,
    );
    expect(existsSync(given.outputDir!)).toBe(false);
  });

  test("a first step that is not finite leaves nothing, also where metrics stay on the device", async () => {
    const model = adapted();
    noGrad(() => void model.model.norm.parameters().next().value!.fill_(NaN));
    const given = options(model, { loss: simpo(), loggingSteps: 5, reportTo: "tensorboard" });
    const trainer = new PreferenceTrainer(given);
    const output = claimed(given.outputDir!);
    const prepared = await trainer.prepare();
    const run = new TrainingLoop(prepared, runObservers(prepared, trainer, output), { readsLate: true });
    const all = (async () => {
      for await (const _ of run.steps(() => false));
    })();
    const ended = all.finally(() => {
      run.dispose();
      output.release();
    });
    await expect(ended).rejects.toThrow("in step 1");
    expect(existsSync(given.outputDir!)).toBe(false);
  });

  test("metrics that stay on the device are those of a run that reads them at once", async () => {
    const plain = await run({ loggingSteps: 4 });
    const given = options(adapted(), { loggingSteps: 4 });
    const trainer = new PreferenceTrainer(given);
    const output = claimed(given.outputDir!);
    const prepared = await trainer.prepare();
    const late = new TrainingLoop(prepared, runObservers(prepared, trainer, output), { readsLate: true });
    for await (const _ of late.steps(() => false));
    await late.finish();
    late.dispose();
    output.release();
    expect(losses(given.outputDir!)).toEqual(losses(plain.folder));
    expect(weights(given.outputDir!).equals(weights(plain.folder))).toBe(true);
  });

  test("a second run of one trainer is refused, with what to do", async () => {
    const given = options(adapted(), { maxSteps: 2 });
    const trainer = new PreferenceTrainer(given);
    const [first, second] = await Promise.allSettled([trainer.train(), trainer.train()]);
    expect(first).toMatchObject({ status: "fulfilled", value: { steps: 2 } });
    expect(second).toMatchObject({
      status: "rejected",
      reason: {
        message: expect.stringMatching(/one run for each PreferenceTrainer .* create another trainer.* resumeFromCheckpoint/),
      },
    });
    await expect(trainer.train()).rejects.toThrow("Expected one run for each PreferenceTrainer");
    expect(trainer.result).toMatchObject({ steps: 2 });
  });

  test("a run that could not begin may be tried again", async () => {
    const outputDir = newFolder();
    const trainer = new PreferenceTrainer(options(adapted(), { outputDir, maxSteps: 1 }));
    writeFileSync(outputDir, "");
    await expect(trainer.train()).rejects.toThrow("is a file");
    rmSync(outputDir);
    expect(await trainer.train()).toMatchObject({ steps: 1 });
  });

  describe("logs that cannot be written", () => {
    /** After step 2, `metrics.jsonl`, `trainer_state.json` and `runs` are what no file can be written to; after `until` they are gone. */
    async function blocked(until: number) {
      const warnings: string[] = [];
      const given = options(adapted(), { maxSteps: 6, reportTo: "tensorboard", saveStrategy: "steps", saveSteps: 3 });
      const at = (name: string) => join(given.outputDir!, name);
      const logs = ["metrics.jsonl", "trainer_state.json"];
      const trainer = new PreferenceTrainer(given);
      trainer.on("warning", (message) => warnings.push(message));
      trainer.on("step", ({ step }) => {
        if (step === 2) for (const name of logs) rmSync(at(name), { force: true }), mkdirSync(at(name));
        if (step === until) for (const name of logs) rmSync(at(name), { recursive: true });
      });
      await trainer.train();
      return { warnings, at };
    }

    test("do not end the run, and are completed once they can be", async () => {
      const { warnings, at } = await blocked(5);
      expect(warnings).toEqual([
        expect.stringMatching(
          /metrics.jsonl cannot be written: EISDIR.*\. Training continues, and the logs are completed as soon as they can be/,
        ),
        expect.stringMatching(/the logs in .* can be written again, and are complete/),
      ]);
      const [statement, ...lines] = readFileSync(at("metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Line);
      expect(statement).toHaveProperty("versions");
      expect(lines).toEqual(history(at(".")));
      expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 6]);
    });

    test("are named at the end of the run when they never can be", async () => {
      const { warnings, at } = await blocked(99);
      expect(warnings).toHaveLength(2);
      expect(warnings[1]).toMatch(
        /metrics.jsonl, .*trainer_state.json cannot be written: EISDIR.*What was logged since is missing there; checkpoints and weights are complete/,
      );
      expect(readdirSync(at(".")).sort()).toEqual([
        "adapter_config.json",
        "adapter_model.safetensors",
        "checkpoint-3",
        "checkpoint-6",
        "metrics.jsonl",
        "runs",
        "trainer_state.json",
      ]);
    });

    test("TensorBoard events hold whole records, and all of them in the end", async () => {
      const given = options(adapted(), { maxSteps: 4, reportTo: "tensorboard" });
      const runs = join(given.outputDir!, "runs");
      mkdirSync(given.outputDir!);
      writeFileSync(runs, ""); // a file where the folder has to be
      const trainer = new PreferenceTrainer(given);
      const warnings: string[] = [];
      trainer.on("warning", (message) => warnings.push(message));
      trainer.on("step", ({ step }) => step === 3 && rmSync(runs));
      await trainer.train();
      expect(warnings).toEqual([
        expect.stringMatching(/runs cannot be written: EEXIST/),
        expect.stringContaining("can be written again"),
      ]);
      const [file] = readdirSync(runs);
      let [records, at] = [0, 0];
      const events = readFileSync(join(runs, file!));
      for (; at < events.length; records++) at += 8 + 4 + Number(events.readBigUInt64LE(at)) + 4; // TFRecord: length, CRC, data, CRC
      expect([records, at]).toEqual([1 + 4 + 1, events.length]); // version, four lines, the closing one
    });
  });

  test("memory that runs out makes the batches smaller, and changes nothing else", async () => {
    const plain = await run({ maxSteps: 3 });
    let calls = 0;
    const tight: PreferenceTrainerOptions["loss"] = Object.assign(
      (logProbs: PairLogProbs) => {
        // The first call is the trainer's check of its options, with two pairs.
        if (++calls > 1 && logProbs.policyChosen.size(0) > 1) throw new OutOfMemoryError("cannot allocate");
        return sigmoid({ beta: 0.3 })(logProbs);
      },
      { beta: 0.3 },
    );
    const given = options(adapted(), { maxSteps: 3, loss: tight });
    const reasons: string[] = [];
    const trainer = new PreferenceTrainer(given);
    trainer.on("plan", ({ reason }) => reasons.push(reason));
    await trainer.train();
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons[0]).toMatch(/up to \d+ tokens at once, as memory ran out with \d+/);
    for (const [i, line] of losses(given.outputDir!).entries())
      expect(line["loss"]).toBeCloseTo(losses(plain.folder)[i]!["loss"]!, 6);
  });

  test("memory that does not do for a single pair ends the run", async () => {
    const never: PreferenceTrainerOptions["loss"] = () => {
      throw new OutOfMemoryError("cannot allocate");
    };
    await expect(run({ loss: never })).rejects.toThrow("cannot allocate");
  });

  test("NaN under the reference is named before the first step and kept nowhere", async () => {
    const model = adapted();
    noGrad(() => void model.model.norm.parameters().next().value!.fill_(NaN));
    await expect(run({}, model)).rejects.toThrow(/Expected finite log-probs under the reference .* row \d+/);
  });

  test("an infinite loss at a later step keeps the weights before it and the checkpoint", async () => {
    const model = adapted();
    let calls = 0;
    const loss: PreferenceTrainerOptions["loss"] = ({ policyChosen }) => policyChosen.mul(++calls === 1 + 4 ? Infinity : 1); // 1: when the trainer is made
    const given = options(model, { loss, saveStrategy: "steps", saveSteps: 3 });
    await expect(new PreferenceTrainer(given).train()).rejects.toThrow("in step 4");
    const again = newFolder();
    await saveAdapter(model, again);
    expect(weights(again).equals(weights(join(given.outputDir!, "checkpoint-3")))).toBe(true);
  });

  test.each<[string, Partial<PreferenceTrainerOptions>, string]>([
    [
      "a number that is none",
      { learningRate: "fast" as unknown as number },
      "Expected a number from 0 for 'learningRate' but received \"fast\"",
    ],
    [
      "an unknown setting",
      { learningrate: 1 } as Partial<PreferenceTrainerOptions>,
      "Expected options of 'PreferenceTrainer' but received 'learningrate'; did you mean 'learningRate'?",
    ],
    ["a strategy that is none", { evalStrategy: "sometimes" as "no" }, "Expected one of no, steps, epoch for 'evalStrategy'"],
    [
      "a tolerance that the loss does not take",
      { loss: dpop({ tolerance: 0 }), dpopTolerance: 0.1 },
      "Expected no 'dpop_tolerance' with a loss that takes none from the trainer but received 0.1 with dpop; leave it out",
    ],
    ["no rows", { train: [] }, "Expected at least one pair for 'train'"],
    [
      "ids beyond the vocabulary",
      { train: [{ ...train[0]!, chosen: { ids: Int32Array.of(1, 99, 2), start: 1 } }] },
      "Expected token ids below the model's 48 in row 0 but received 99",
    ],
    [
      "best model without evaluations",
      { loadBestModelAtEnd: true },
      "Expected 'eval_strategy' and 'save_strategy' to be the same",
    ],
  ])("%s", async (_, changes, message) => {
    await expect(run(changes)).rejects.toThrow(message);
  });

  test("an output folder that is a file, before anything else", async () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    await expect(run({ outputDir: join(file, "out") })).rejects.toThrow(/Expected a folder for 'output_dir' but .* is a file/);
  });

  test("a model whose weights are all frozen", async () => {
    await expect(run({}, tinyModel().requiresGrad_(false) as CausalLM)).rejects.toThrow(
      "Expected a model with weights that train",
    );
  });
});

test("a start that is not the reference is said", async () => {
  const first = await run({ maxSteps: 4 });
  const model = adapted();
  await loadAdapter(model, first.folder, { name: "reference" });
  const warnings: string[] = [];
  const trainer = new PreferenceTrainer(options(model, { maxSteps: 1 }));
  trainer.on("warning", (message) => warnings.push(message));
  await trainer.train();
  expect(warnings[0]).toMatch(
    /^the start is not the reference: before the first step the answers differ from it by up to [\d.]+ nats/,
  );
});

test("a chosen answer that stays below the reference is warned of once, with what to do", async () => {
  const warnings: string[] = [];
  const given = options(adapted(), { train: tinyPairs(32), maxSteps: 24, loss: ({ policyChosen }) => policyChosen });
  const trainer = new PreferenceTrainer(given);
  trainer.on("warning", (message) => warnings.push(message));
  await trainer.train();
  expect(warnings).toHaveLength(1);
  // Four pairs a line: the eighth line has the thirtieth pair, the minimum.
  expect(warnings[0]).toMatch(/less likely than under the reference for 8 logged lines.*Train with loss_type dpop/);
});
