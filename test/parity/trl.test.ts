/** Whole runs of the trainer against TRL 1.16's, and DPOP's against plain PyTorch in float64 (scripts/parity/traces.py). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src";
import type { TokenizedPair } from "../../src/data/tokenize/tokenizedPair";
import { createLoss } from "../../src/preference";
import { PreferenceTrainer } from "../../src/train";
import { deviation, type MetricColumns, modelFolder, type Trace, traceRows, traces } from "./trl/fixture";

const root = mkdtempSync(join(tmpdir(), "smaug-trl-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const rows = traceRows();
const pairs = (from: typeof rows.train): TokenizedPair[] =>
  from.map(({ prompt, chosen, rejected }, index) => ({
    index,
    chosen: { ids: Int32Array.of(...prompt, ...chosen), start: prompt.length },
    rejected: { ids: Int32Array.of(...prompt, ...rejected), start: prompt.length },
  }));

type Line = Record<string, number>;

/** Runs our trainer with a trace's settings and returns its log. */
async function replay({ name, adapter, settings }: Trace, dtype: "float32" | "float64", dpopTolerance: number): Promise<Line[]> {
  const model = await loadModel(modelFolder, { dtype, ...(adapter === null ? {} : { adapter }) });
  const given = settings as Record<string, never>;
  const outputDir = join(root, `${name}-${adapter === null ? "full" : "lora"}-${dtype}`);
  const lossKeys = ["labelSmoothing", "fDivergenceType", "lossWeights", "useWeighting", "dpopLambda", "discopopTau"] as const;
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const loss = createLoss({
    lossType: given["loss_type"],
    beta: given["beta"],
    ...Object.fromEntries(lossKeys.flatMap((key) => (snake(key) in given ? [[key, given[snake(key)]]] : []))),
  });
  const trainer = new PreferenceTrainer({
    model,
    train: pairs(rows.train),
    evaluation: pairs(rows.eval),
    loss,
    outputDir,
    ...(loss.withTolerance && { dpopTolerance }),
    trainSamplingStrategy: "sequential",
    perDeviceTrainBatchSize: given["per_device_train_batch_size"],
    gradientAccumulationSteps: given["gradient_accumulation_steps"],
    learningRate: given["learning_rate"],
    lrSchedulerType: given["lr_scheduler_type"],
    warmupSteps: given["warmup_steps"],
    weightDecay: given["weight_decay"],
    maxGradNorm: given["max_grad_norm"],
    maxSteps: given["max_steps"],
    ldAlpha: given["ld_alpha"] ?? null,
    evalStrategy: given["eval_strategy"],
    evalSteps: given["eval_steps"],
    loggingSteps: 1,
    saveStrategy: "no",
    reportTo: "none",
    referenceCache: join(root, "cache"),
  });
  await trainer.train();
  return (JSON.parse(readFileSync(join(outputDir, "trainer_state.json"), "utf8")) as { log_history: Line[] }).log_history;
}

function expectSame(
  lines: Line[],
  prefix: string,
  expected: MetricColumns,
  tolerance: number,
  skip: (metric: string) => boolean,
): void {
  // Up to the first update rewards are rounding, and which of two is larger is chance.
  const start = (expected["learning_rate"] ?? [1]).findIndex((rate) => rate > 0) + 1;
  for (const [metric, values] of Object.entries(expected)) {
    if (skip(metric)) continue;
    const actual = lines.map((line) => line[prefix + metric] ?? line[metric]!);
    const from = metric === "rewards/accuracies" ? start : 0;
    expect(deviation(actual.slice(from), values.slice(from)), `${prefix}${metric}`).toBeLessThanOrEqual(tolerance);
  }
}

const { trl, dpop } = traces();
const nameOf = (trace: Trace) => `${trace.name}, ${trace.adapter === null ? "all weights" : "LoRA"}`;

describe("TRL's runs", () => {
  test.each(trl.map((trace) => [nameOf(trace), trace] as const))("%s", async (_, trace) => {
    const log = await replay(trace, "float32", 0);
    const accumulates = (trace.settings["gradient_accumulation_steps"] as number) > 1;
    // TRL takes means of means there; ours are over tokens.
    const byToken = /^(entropy|mean_token_accuracy|logits\/)/;
    expectSame(
      log.filter((line) => "loss" in line),
      "",
      trace.log,
      1e-4,
      (metric) => accumulates && byToken.test(metric),
    );
    if (trace.eval)
      expectSame(
        log.filter((line) => "eval_loss" in line),
        "eval_",
        trace.eval,
        1e-4,
        (metric) => byToken.test(metric),
      );
  });
});

describe("DPOP in float64", () => {
  test.each(dpop.map((trace) => [nameOf(trace), trace] as const))("%s", async (_, trace) => {
    const log = await replay(trace, "float64", 1e-8);
    expectSame(
      log.filter((line) => "loss" in line),
      "",
      trace.log,
      1e-5,
      () => false,
    );
  });
});
