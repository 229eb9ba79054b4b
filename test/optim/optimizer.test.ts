/** The seam for another optimizer: one that is not AdamW trains, and its checkpoints resume. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyLora, type CausalLM, lora, sigmoid } from "../../src";
import { parameter } from "../../src/nn";
import { AdamW, clipGradNorm_, type Optimizer } from "../../src/optim";
import { adamwLayout } from "../../src/optim/adamw";
import { stateBytes } from "../../src/optim/optimizer";
import { forwardBackward, pack, upload } from "../../src/preference";
import { manualSeed, tensor, tidy, zeros } from "../../src/torch";
import { PreferenceTrainer } from "../../src/train";
import { expectCheckpointFits, openCheckpoint, restoreCheckpoint, verifyCheckpoint } from "../../src/train/checkpoint/restore";
import { saveCheckpoint } from "../../src/train/checkpoint/save";
import type { TrainerState } from "../../src/train/checkpoint/state";
import { tinyModel, tinyPairs } from "../train/tiny";
import { Sgd } from "./sgd";

test("state takes the bytes that the layout says", () => {
  const weights = (["float32", "float64", "bfloat16"] as const).map((dtype) => zeros([3, 5], { dtype }));
  expect(weights.map((each) => stateBytes(adamwLayout, each))).toEqual([4 + 2 * 60, 4 + 2 * 120, 4 + 2 * 30]);
  expect(weights.map((each) => stateBytes(Sgd.layout, each))).toEqual([60, 120, 30]);
});

test("the toy optimizer moves weights by lr (0.9 v + g)", () => {
  const weight = parameter(tensor([1]));
  const optimizer = new Sgd([weight], 0.5);
  const values = [1, 2].map(() => {
    tidy(() => weight.mul(2).sum().backward()); // g = 2
    optimizer.step();
    optimizer.zeroGrad();
    return weight.item();
  });
  // v = 2, 1 - 0.5 · 2; v = 0.9 · 2 + 2, 0 - 0.5 · 3.8
  expect(values).toEqual([0, expect.closeTo(-1.9, 6)]);
});

describe("a checkpoint of another optimizer", () => {
  const root = mkdtempSync(join(tmpdir(), "smaug-optimizer-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const pairs = tinyPairs(8);
  let state: TrainerState;

  function adapted(): CausalLM {
    manualSeed(1);
    const model = tinyModel();
    applyLora(model, lora({ r: 2, targetModules: ["q_proj"] }));
    return model;
  }

  const trained = (model: CausalLM) => [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  const valuesOf = (model: CausalLM) => trained(model).map((each) => [...each.toArray()]);

  /** Steps of the trainer's kind, each on two pairs; steps are counted from 1. */
  function train(model: CausalLM, optimizer: Optimizer, from: number, to: number): void {
    const loss = sigmoid();
    for (let step = from; step <= to; step++)
      tidy(() => {
        const reference = {
          referenceChosen: zeros([2], { dtype: "float64" }),
          referenceRejected: zeros([2], { dtype: "float64" }),
        };
        const batch = upload(pack(pairs.slice(2 * step - 2, 2 * step)));
        forwardBackward(model, batch, (policy) => loss({ ...policy, ...reference }).mean());
        clipGradNorm_(
          optimizer.groups.flatMap(({ params }) => params),
          1,
        );
        optimizer.step();
        optimizer.zeroGrad();
      });
  }

  beforeAll(async () => {
    const outputDir = join(root, "adamw");
    const options = { maxSteps: 2, saveSteps: 2, perDeviceTrainBatchSize: 4, reportTo: "none" } as const;
    const referenceCache = join(root, "cache");
    await new PreferenceTrainer({
      model: adapted(),
      train: pairs,
      loss: sigmoid(),
      outputDir,
      referenceCache,
      ...options,
    }).train();
    ({ state } = verifyCheckpoint(join(outputDir, "checkpoint-2"), adamwLayout));
  });

  test("resumes to the bit, with the tensors of its layout", async () => {
    const whole = adapted();
    train(whole, new Sgd(trained(whole), 0.1), 1, 4);

    const first = adapted();
    const optimizer = new Sgd(trained(first), 0.1);
    train(first, optimizer, 1, 2);
    const outputDir = join(root, "sgd");
    const folder = await saveCheckpoint(outputDir, state, { model: first, optimizer });

    const second = adapted();
    const resumed = { model: second, optimizer: new Sgd(trained(second), 0.1) };
    const opened = openCheckpoint(true, outputDir, Sgd.layout);
    expect([opened.folder, opened.isVerified]).toEqual([folder, true]);
    expectCheckpointFits(opened.folder, resumed);
    restoreCheckpoint(opened.folder, resumed);
    expect(valuesOf(second)).toEqual(valuesOf(first));
    train(second, resumed.optimizer, 3, 4);
    expect(valuesOf(second)).toEqual(valuesOf(whole));
    expect(readFileSync(join(folder, "optimizer.safetensors"), "latin1")).toContain('"0.momentum_buffer"');
  });

  test("is refused by name where the run has another optimizer", async () => {
    const model = adapted();
    const optimizer = new Sgd(trained(model), 0.1);
    train(model, optimizer, 1, 1);
    const outputDir = join(root, "other");
    const folder = await saveCheckpoint(outputDir, state, { model, optimizer });
    expect(() => openCheckpoint(true, outputDir, adamwLayout)).toThrow(
      /Expected the state of AdamW in .*optimizer.safetensors but received a tensor '0.momentum_buffer'/,
    );
    expect(() => expectCheckpointFits(folder, { model, optimizer: new AdamW(trained(model)) })).toThrow(
      "Expected the state of AdamW in",
    );
    cpSync(join(root, "adamw", "checkpoint-2"), join(root, "copy", "checkpoint-2"), { recursive: true });
    expect(() => openCheckpoint(true, join(root, "copy"), Sgd.layout)).toThrow(
      /Expected the state of SGD in .*optimizer.safetensors but received a tensor '0\.\w+'/,
    );
  });
});
