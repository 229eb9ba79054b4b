/** Checkpoints that are damaged, exchanged or another program's are refused by name; whole ones leave no handle behind. */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyLora, type CausalLM, lora, sigmoid } from "../../src";
import { InputError } from "../../src/base/errors";
import { verifyChecksums, writeChecksums } from "../../src/base/files/checksums";
import { adamwLayout } from "../../src/optim/adamw";
import { manualSeed, memory } from "../../src/torch";
import { PreferenceTrainer } from "../../src/train";
import * as checkpoints from "../../src/train/checkpoint/restore";
import { checkpointsIn, saveCheckpoint } from "../../src/train/checkpoint/save";
import { readSavedState } from "../../src/train/checkpoint/state";
import type { PreferenceTrainerOptions } from "../../src/train/options";
import { createOptimizer } from "../../src/train/prepare/model";
import { settledTensors } from "../setup/garbage";
import { tinyModel, tinyPairs } from "./tiny";

const root = mkdtempSync(join(tmpdir(), "smaug-saved-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = () => join(root, `run-${++folders}`);
const train = tinyPairs(12);

const openCheckpoint = (which: string | true, outputDir: string) => checkpoints.openCheckpoint(which, outputDir, adamwLayout);
const verifyCheckpoint = (folder: string) => checkpoints.verifyCheckpoint(folder, adamwLayout);

/** Fresh adapters are drawn: every model of these tests is the same one. */
function adapted(): CausalLM {
  manualSeed(1);
  const model = tinyModel();
  applyLora(model, lora({ r: 2, targetModules: ["q_proj"], dropout: 0.1 }));
  return model;
}

async function run(changes: Partial<PreferenceTrainerOptions> = {}, model = adapted()) {
  const warnings: string[] = [];
  const outputDir = changes.outputDir ?? newFolder();
  const trainer = new PreferenceTrainer({
    model,
    train,
    loss: sigmoid(),
    learningRate: 1e-2,
    perDeviceTrainBatchSize: 4,
    maxSteps: 6,
    loggingSteps: 1,
    saveStrategy: "steps",
    saveSteps: 2,
    reportTo: "none",
    referenceCache: join(root, "cache"),
    disableDropout: false,
    ...changes,
    outputDir,
  });
  trainer.on("warning", (message) => warnings.push(message));
  await trainer.train();
  return { folder: outputDir, warnings };
}

let original: string;
/** A copy in which tests damage a file and put it back. */
let damaged: string;
beforeAll(async () => {
  original = (await run()).folder; // checkpoints 2, 4 and 6
  damaged = copy();
});

/** Runs a test, then puts files of a folder back as they were. */
async function restoring(folder: string, names: readonly string[], action: () => unknown): Promise<void> {
  const files = names.map((name) => [join(folder, name), readFileSync(join(folder, name))] as const);
  try {
    await action();
  } finally {
    for (const [file, content] of files) {
      rmSync(file, { recursive: true, force: true });
      writeFileSync(file, content);
    }
  }
}

/** A copy of the finished run, to be damaged. */
function copy(): string {
  const folder = newFolder();
  cpSync(original, folder, { recursive: true });
  return folder;
}

const FILES = [
  "adapter_config.json",
  "adapter_model.safetensors",
  "optimizer.safetensors",
  "rng_state.safetensors",
  "trainer_state.json",
];

test("checksums.json lists every file of a checkpoint, with its size and SHA-256", () => {
  const folder = join(original, "checkpoint-4");
  expect(readdirSync(folder).sort()).toEqual([...FILES, "checksums.json"].sort());
  const { files } = JSON.parse(readFileSync(join(folder, "checksums.json"), "utf8")) as { files: Record<string, unknown> };
  const expected = FILES.map((name) => {
    const content = readFileSync(join(folder, name));
    return [name, { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") }];
  });
  expect(files).toEqual(Object.fromEntries(expected));
});

const damages: [string, (file: string) => void][] = [
  ["with a flipped bit", (file) => flip(file, Math.floor(statSync(file).size / 2))],
  ["with its last bits changed", (file) => flip(file, statSync(file).size - 1)],
  ["cut short", (file) => truncateSync(file, statSync(file).size - 1)],
  ["empty", (file) => truncateSync(file, 0)],
  ["too long", (file) => appendFileSync(file, "\n")],
  ["of another checkpoint", (file) => cpSync(file.replace("/checkpoint-6/", "/checkpoint-4/"), file)],
  ["missing", (file) => rmSync(file)],
  ["that is a folder", (file) => (rmSync(file), mkdirSync(file))],
];
const cases = [...FILES, "checksums.json"].flatMap((name) => damages.map(([what, damage]) => [name, what, damage] as const));

test.each(cases)("%s %s is an error that names it, and the newest intact checkpoint", (name, what, damage) =>
  restoring(join(damaged, "checkpoint-6"), [name], () => {
    damage(join(damaged, "checkpoint-6", name));
    if (what === "of another checkpoint" && name === "adapter_config.json")
      return expect(() => openCheckpoint(true, damaged)).not.toThrow(); // is the same
    const error = thrown(() => openCheckpoint(true, damaged));
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain("checkpoint-6");
    expect(error.message).toContain(name);
    expect(error.message.split(". The newest")[1]).toBe(` intact checkpoint is ${damaged}/checkpoint-4`);
  }),
);

test("a file of weights that was added is an error: it would be read in place of another", () => {
  const outputDir = copy();
  cpSync(join(outputDir, "checkpoint-4", "optimizer.safetensors"), join(outputDir, "checkpoint-4", "model.safetensors"));
  expect(() => verifyCheckpoint(join(outputDir, "checkpoint-4"))).toThrow(
    /Expected only files that checksums.json lists but received .*checkpoint-4\/model.safetensors/,
  );
  rmSync(join(outputDir, "checkpoint-4", "model.safetensors"));
  writeFileSync(join(outputDir, "checkpoint-4", "notes.txt"), "the good one");
  expect(verifyCheckpoint(join(outputDir, "checkpoint-4")).state.globalStep).toBe(4);
});

test("damaged candidates are skipped, newest first, and never silently", async () => {
  const outputDir = copy();
  for (const step of [4, 6]) flip(join(outputDir, `checkpoint-${step}`, "adapter_model.safetensors"), 900);
  const before = readdirSync(outputDir);
  await expect(run({ outputDir, resumeFromCheckpoint: true })).rejects.toThrow(
    /checkpoint-6\/adapter_model.safetensors.*intact checkpoint is .*checkpoint-2$/,
  );
  expect(() => openCheckpoint(join(outputDir, "checkpoint-4"), newFolder())).toThrow(
    /checkpoint-4\/adapter.*intact checkpoint is .*checkpoint-2$/,
  );
  expect(() => openCheckpoint(join(outputDir, "checkpoint-3"), outputDir)).toThrow(
    /checkpoint-3, which is not there. The newest intact checkpoint is .*checkpoint-2$/,
  );
  flip(join(outputDir, "checkpoint-2", "rng_state.safetensors"), 900);
  await expect(run({ outputDir, resumeFromCheckpoint: true })).rejects.toThrow(
    `There is no other intact checkpoint in ${outputDir}`,
  );
  expect(readdirSync(outputDir)).toEqual(before);
});

describe("trainer_state.json with", () => {
  type State = Record<string, any>;
  const own = (change: (own: State) => void) => (state: State) => change(state["stateful_callbacks"].smaug);
  const set = (name: string, value: unknown) => (state: State) => void (state[name] = value);
  const setOwn = (name: string, value: unknown) => own((state) => void (state[name] = value));
  const line = (i: number, name: string, value: unknown) => (state: State) => void (state["log_history"][i][name] = value);

  test.each<[field: string, change: (state: State) => void]>([
    ...["4", 3.5, 1e9, 7, 5, -1, null, undefined, [4], 2 ** 60].map(
      (value) => ["global_step", set("global_step", value)] as [string, (state: State) => void],
    ),
    ...["6", 0, 2.5, null, 3].map(
      (value) => [value === 3 ? "global_step" : "max_steps", set("max_steps", value)] as [string, (state: State) => void],
    ),
    ["epoch", set("epoch", -1)],
    ["epoch", set("epoch", 0)],
    ["epoch", set("epoch", "1")],
    ["num_train_epochs", set("num_train_epochs", null)],
    ["logging_steps", set("logging_steps", 0)],
    ["eval_steps", set("eval_steps", 0.5)],
    ["save_steps", set("save_steps", "2")],
    ["train_batch_size", set("train_batch_size", 0)],
    ["num_input_tokens_seen", set("num_input_tokens_seen", -5)],
    ["total_flos", set("total_flos", 1)],
    ["best_metric", set("best_metric", "0.5")],
    ["best_global_step", set("best_metric", 0.5)],
    ["best_global_step", set("best_global_step", 5)],
    ["best_model_checkpoint", set("best_model_checkpoint", "checkpoint-2")],
    ["log_history", set("log_history", {})],
    ["log_history[1]", (state) => void (state["log_history"][1] = [1])],
    ["log_history[3].step", line(3, "step", 5)],
    ["log_history[2].step", line(2, "step", 1)],
    ["log_history[2].step", line(2, "step", 2)],
    ["log_history[0].step", line(0, "step", undefined)],
    ["log_history[0].loss", line(0, "loss", "0.69")],
    ["log_history[0].loss", line(0, "loss", { a: 1 })],
    ["stateful_callbacks.smaug", (state) => void (state["stateful_callbacks"].smaug = 1)],
    ["stateful_callbacks", set("stateful_callbacks", [])],
    ["stateful_callbacks.smaug.evaluationsSinceBest", setOwn("evaluationsSinceBest", -1)],
    ["stateful_callbacks.smaug.pending", setOwn("pending", null)],
    ["stateful_callbacks.smaug.pending.loss", setOwn("pending", { loss: 1 })],
    ["stateful_callbacks.smaug.pending.loss.sum", setOwn("pending", { loss: { sum: null, count: 1 } })],
    ["stateful_callbacks.smaug.pending.entropy.count", setOwn("pending", { entropy: { sum: null, count: 1.5 } })],
    ["stateful_callbacks.smaug.seconds", setOwn("seconds", -1)],
    ["stateful_callbacks.smaug.lossSum", setOwn("lossSum", null)],
    ["stateful_callbacks.smaug.pairs", setOwn("pairs", 1.5)],
    ["stateful_callbacks.smaug.flops", setOwn("flops", "1")],
    ["stateful_callbacks.smaug.dpopTolerance", setOwn("dpopTolerance", undefined)],
    ["stateful_callbacks.smaug.step0MaxAbs", setOwn("step0MaxAbs", -1)],
    ["stateful_callbacks.smaug.plan", setOwn("plan", 7)],
    ["stateful_callbacks.smaug.plan.maxTokens", setOwn("plan", { maxTokens: 0, checkpoint: true })],
    ["stateful_callbacks.smaug.plan.checkpoint", setOwn("plan", { maxTokens: 8, checkpoint: 1 })],
    ["stateful_callbacks.smaug.start", setOwn("start", 5)],
    ["stateful_callbacks.smaug.fixed", setOwn("fixed", [])],
    ["stateful_callbacks.smaug.config", setOwn("config", "x")],
  ])("a wrong %s is an error that names the file and the field", (field, change) =>
    restoring(join(damaged, "checkpoint-4"), ["trainer_state.json", "checksums.json"], async () => {
      const folder = join(damaged, "checkpoint-4");
      const file = join(folder, "trainer_state.json");
      const state = JSON.parse(readFileSync(file, "utf8")) as State;
      change(state);
      writeFileSync(file, JSON.stringify(state));
      await writeChecksums(folder); // only the state is wrong
      const error = thrown(() => openCheckpoint(folder, folder));
      expect(error).toBeInstanceOf(InputError);
      expect(error.message).toContain(`'${field}' in ${file} but received`);
      expect(error.message).toMatch(/: resume from another checkpoint\. The newest intact checkpoint is .*checkpoint-6$/);
    }),
  );

  test("numbers beyond JSON's, too many levels, or another program's format is an error that names the file", async () => {
    const folder = join(copy(), "checkpoint-4");
    const file = join(folder, "trainer_state.json");
    const text = readFileSync(file, "utf8");
    const refusal = async (content: string) => {
      writeFileSync(file, content);
      await writeChecksums(folder);
      return thrown(() => verifyCheckpoint(folder)).message;
    };
    expect(await refusal(text.replace(/"epoch": [\d.]+/, '"epoch": 1e999'))).toContain(`'epoch' in ${file}`);
    expect(await refusal(text.replace('"trial_name": null', `"trial_name": ${"[".repeat(600)}${"]".repeat(600)}`))).toContain(
      `levels of lists and objects in ${file}`,
    );
    expect(await refusal(text.replace('"format": 3', '"format": 4'))).toContain(`(format 3) in ${file} but received format 4`);
    expect(await refusal('{"global_step": 4}')).toContain(`in ${file} but received one that another program wrote`);
    expect(await refusal("null")).toContain(`Expected an object in ${file} but received null`);
  });

  test("a NaN that was not logged yet reads as NaN", async () => {
    const folder = join(copy(), "checkpoint-4");
    const file = join(folder, "trainer_state.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"pending": {}', '"pending": {"entropy": {"sum": null, "count": 3}}'));
    expect(readSavedState(folder).state.pending).toEqual({ entropy: { sum: NaN, count: 3 } });
  });

  test("its step under another folder name is taken, as of a copied folder", () => {
    const moved = newFolder();
    renameSync(join(copy(), "checkpoint-4"), moved);
    expect(openCheckpoint(moved, moved).state.globalStep).toBe(4);
  });
});

describe("a checkpoint without checksums, of an older version,", () => {
  function older(step: number): string {
    const outputDir = copy();
    for (const { folder, step: other } of checkpointsIn(outputDir)) {
      rmSync(join(folder, "checksums.json"));
      const file = join(folder, "trainer_state.json");
      writeFileSync(file, readFileSync(file, "utf8").replace('"format": 3', '"format": 2'));
      if (other > step) rmSync(folder, { recursive: true });
    }
    return outputDir;
  }

  test("is resumed from, with a warning, to the run that was never interrupted", async () => {
    const { folder, warnings } = await run({ outputDir: older(4), resumeFromCheckpoint: true });
    expect(warnings.join()).toMatch(/checkpoint-4 has no checksums, as an older version of smaug wrote it/);
    expect(
      readFileSync(join(folder, "adapter_model.safetensors")).equals(readFileSync(join(original, "adapter_model.safetensors"))),
    ).toBe(true);
  });

  test.each<[string, (folder: string) => void, RegExp]>([
    [
      "an adapter as optimizer.safetensors",
      (folder) => cpSync(join(folder, "adapter_model.safetensors"), join(folder, "optimizer.safetensors")),
      /Expected the state of AdamW in .*optimizer.safetensors but received a tensor 'base_model.*intact checkpoint is .*checkpoint-2$/,
    ],
    [
      "an optimizer as adapter_model.safetensors",
      (folder) => cpSync(join(folder, "optimizer.safetensors"), join(folder, "adapter_model.safetensors")),
      /Expected 'base_model.* in the checkpoint's .*checkpoint-4.adapter_model.safetensors; it is of another model/,
    ],
    [
      "an optimizer as rng_state.safetensors",
      (folder) => cpSync(join(folder, "optimizer.safetensors"), join(folder, "rng_state.safetensors")),
      /Expected the state of the CPU's generator, 'cpu', in .*rng_state.safetensors but received 0/,
    ],
    [
      "weights that are cut short",
      (folder) => truncateSync(join(folder, "adapter_model.safetensors"), 600),
      /adapter_model.safetensors.*intact checkpoint is .*checkpoint-2$/,
    ],
    [
      "another step's optimizer",
      (folder) => cpSync(join(original, "checkpoint-6", "optimizer.safetensors"), join(folder, "optimizer.safetensors")),
      /Expected at most the run's 4 steps for '0.step' in .*optimizer.safetensors but received 6.*intact checkpoint is .*checkpoint-2$/,
    ],
    [
      "an optimizer's file without tensors",
      (folder) => writeFileSync(join(folder, "optimizer.safetensors"), Buffer.from("\x02\0\0\0\0\0\0\0{}")),
      /Expected the state of AdamW after 4 steps in .*optimizer.safetensors but received no tensors/,
    ],
  ])("with %s is refused, and names it", async (_, damage, message) => {
    const outputDir = older(4);
    damage(join(outputDir, "checkpoint-4"));
    const before = readdirSync(outputDir);
    await expect(run({ outputDir, resumeFromCheckpoint: true })).rejects.toThrow(message);
    expect(readdirSync(outputDir)).toEqual(before);
  });
});

test("an optimizer of another shape is named before anything is changed", async () => {
  const outputDir = copy();
  const folder = join(outputDir, "checkpoint-6");
  const file = join(folder, "optimizer.safetensors");
  // The header lists shapes: [2, 32] and [32, 2] have the same bytes.
  writeFileSync(file, Buffer.from(readFileSync(file, "latin1").replace('"shape":[2,32]', '"shape":[32,2]'), "latin1"));
  await writeChecksums(folder);
  await expect(run({ outputDir, resumeFromCheckpoint: true })).rejects.toThrow(
    /Expected float32 \[2, 32\] for '\d\.exp_avg' in .*optimizer.safetensors but received float32 \[32, 2\]; it is of another model/,
  );
});

test("a damaged best checkpoint is a warning, and the last weights are kept", async () => {
  const settings = {
    evalStrategy: "steps",
    evalSteps: 2,
    evaluation: train,
    loadBestModelAtEnd: true,
    metricForBestModel: "runtime",
  } as const;
  const outputDir = newFolder();
  const warnings: string[] = [];
  const trainer = new PreferenceTrainer({
    model: adapted(),
    train,
    loss: sigmoid(),
    perDeviceTrainBatchSize: 4,
    maxSteps: 4,
    saveSteps: 2,
    outputDir,
    reportTo: "none",
    referenceCache: join(root, "cache"),
    ...settings,
    metricForBestModel: "num_tokens",
    greaterIsBetter: false, // the first is best
  });
  trainer.on("warning", (message) => warnings.push(message));
  trainer.on("save", (folder) => folder.endsWith("checkpoint-2") && flip(join(folder, "adapter_model.safetensors"), 900));
  await trainer.train();
  expect(warnings).toEqual([
    expect.stringMatching(
      /the best checkpoint, of step 2, is damaged: .*checkpoint-2\/adapter_model.safetensors.*; the final weights are those of the last step/,
    ),
  ]);
  const weights = (folder: string) => readFileSync(join(folder, "adapter_model.safetensors"));
  expect(weights(outputDir).equals(weights(join(outputDir, "checkpoint-4")))).toBe(true);
});

test("a step beyond the run's last one is a warning", async () => {
  const { warnings } = await run({ outputDir: copy(), maxSteps: 4, resumeFromCheckpoint: true });
  expect(warnings.join()).toContain("checkpoint-6 is of step 6, and this run has only 4 steps: nothing is left to train");
});

test("saving and restoring leave no handle behind", async () => {
  const model = adapted();
  const optimizer = createOptimizer(model, {
    learningRate: 1e-3,
    weightDecay: 0,
    adamBeta1: 0.9,
    adamBeta2: 0.99,
    adamEpsilon: 1e-8,
  });
  const parts = { model, optimizer };
  const { folder, state } = verifyCheckpoint(join(original, "checkpoint-4"));
  checkpoints.restoreCheckpoint(folder, parts);
  const before = await settledTensors();
  checkpoints.restoreCheckpoint(folder, parts);
  const saved = await saveCheckpoint(newFolder(), state, parts);
  expect(memory().tensors).toBe(before);
  for (const name of ["optimizer", "adapter_model", "rng_state"].map((each) => `${each}.safetensors`))
    expect(readFileSync(join(saved, name)).equals(readFileSync(join(folder, name)))).toBe(true);
  expect([...verifyChecksums(saved)].sort()).toEqual([...FILES].sort());
  optimizer.dispose();
});

function flip(file: string, at: number): void {
  const content = readFileSync(file);
  content[at]! ^= 4;
  writeFileSync(file, content);
}

function thrown(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Expected an error but nothing was thrown");
}
