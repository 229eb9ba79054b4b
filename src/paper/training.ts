/**
 * The small models of the experiments and their training, all of it by `PreferenceTrainer`: a reference from random
 * weights by supervised fine-tuning (SFT) on right answers, then one method at a time from a copy of it. All weights train.
 *
 * The trainer writes into a temporary folder. How rows are packed is fixed instead of chosen by free memory, so that the
 * same seed gives the same numbers bit for bit on the CPU.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mean } from "../base/samples";
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { type CausalLM, type HuggingFaceConfig, LlamaForCausalLM } from "../models";
import { type AnswerLogProbs, createLoss, type LossConfig } from "../preference";
import { type Device, Generator, getNumThreads, setNumThreads, tidy } from "../torch";
import { PreferenceTrainer, type TrainingArguments } from "../train";
import { answerQuestions, curvePoint, type ModelMeasurements, scoreRows } from "./measure";
import type { PaperSettings } from "./settings";
import { longestAnswer, type PaperTask } from "./task";

/** The `config.json` of the shape. */
export function modelConfig(settings: PaperSettings["model"], vocabularySize: number): HuggingFaceConfig {
  return {
    model_type: "llama",
    vocab_size: vocabularySize,
    hidden_size: settings.hiddenSize,
    intermediate_size: settings.intermediateSize,
    num_hidden_layers: settings.layers,
    num_attention_heads: settings.heads,
    rope_theta: settings.ropeTheta,
    initializer_range: settings.initializerRange,
    tie_word_embeddings: true,
  };
}

/** A model with random weights, the same on every device; the caller disposes it. */
export function createModel(config: HuggingFaceConfig, seed: number, device: Device = "cpu"): LlamaForCausalLM {
  const generator = new Generator().manualSeed(seed);
  try {
    return new LlamaForCausalLM(config, { generator }).to({ device });
  } finally {
    generator.dispose();
  }
}

/** A model with the weights of another of the same configuration; the caller disposes it. */
export function copyModel(config: HuggingFaceConfig, source: CausalLM): LlamaForCausalLM {
  const copy = new LlamaForCausalLM(config, { init: false, device: source.device });
  tidy(() => copy.loadStateDict(source.stateDict()));
  return copy;
}

/** Number of weights. */
export function countWeights(model: CausalLM): number {
  return [...model.parameters()].reduce((total, parameter) => total + parameter.numel(), 0);
}

/** Runs work on one thread: a model this small gains nothing from a second. */
export async function withOneThread<T>(work: () => Promise<T>): Promise<T> {
  const threads = getNumThreads();
  setNumThreads(1);
  try {
    return await work();
  } finally {
    setNumThreads(threads);
  }
}

/** A folder that is deleted with all that is in it when it is disposed, or when the process exits before. */
export class TemporaryFolder {
  readonly path = mkdtempSync(join(tmpdir(), "smaug-"));
  private readonly remove = (): void => rmSync(this.path, { recursive: true, force: true });

  constructor() {
    process.on("exit", this.remove);
  }

  [Symbol.dispose](): void {
    process.off("exit", this.remove);
    this.remove();
  }
}

/** What all runs have in common. */
function commonArguments({ betas, weightDecay, maxGradNorm }: PaperSettings["optimizer"]): Partial<TrainingArguments> {
  return {
    adamBeta1: betas[0],
    adamBeta2: betas[1],
    weightDecay,
    maxGradNorm,
    maxTokensPerBatch: 8192,
    gradientCheckpointing: false,
    loggingStrategy: "no",
    saveStrategy: "no",
    reportTo: "none",
  };
}

export interface SftOutcome {
  readonly steps: number;
  /** Mean loss of the last steps, in nats a token. */
  readonly loss: number;
  /** Whether the goal was met before the limit of steps. */
  readonly reachedGoal: boolean;
}

interface ReferenceTraining {
  readonly config: HuggingFaceConfig;
  readonly seed: number;
  readonly device?: Device;
  readonly examples: readonly TokenizedPair[];
  readonly settings: Pick<PaperSettings, "sft" | "optimizer">;
  readonly onStep: (step: number, meanLoss: number) => void;
}

/**
 * Trains a reference, which the caller disposes: at a constant rate until the mean of the last losses is below the goal
 * (or the limit of steps), then with the rate falling linearly to 0. It stops by loss and not by a count of steps, because
 * how long the model takes to see the pattern varies with the seed, and the paper's effect needs a reference that is
 * mostly right but still unsure.
 */
export async function trainReference(options: ReferenceTraining): Promise<{ model: CausalLM; outcome: SftOutcome }> {
  const { config, seed, device, examples, settings, onStep } = options;
  const { sft, optimizer } = settings;
  using folder = new TemporaryFolder();
  const losses: number[] = [];
  const meanLoss = () => mean(losses.slice(-sft.goalWindow));
  const metGoal = () => losses.length >= sft.goalWindow && meanLoss() < sft.goalLoss;

  const run = async (changes: Partial<TrainingArguments>, isDone: () => boolean, resume: boolean): Promise<CausalLM> => {
    const model = createModel(config, seed, device);
    try {
      const trainer = new PreferenceTrainer({
        ...commonArguments(optimizer),
        model,
        train: examples,
        loss: createLoss({ lossType: "sft" }),
        outputDir: join(folder.path, "run"),
        seed,
        perDeviceTrainBatchSize: sft.batchSize,
        learningRate: sft.learningRate,
        resumeFromCheckpoint: resume,
        ...changes,
      });
      for await (const { loss } of trainer) {
        losses.push(loss);
        onStep(losses.length, meanLoss());
        if (isDone()) trainer.stop(); // leaves a checkpoint
      }
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  };
  const constant = { lrSchedulerType: "constant_with_warmup", warmupSteps: sft.warmupSteps } as const;
  const isDone = () => metGoal() || losses.length === sft.maxSteps;
  (await run({ ...constant, maxSteps: sft.maxSteps + sft.decaySteps }, isDone, false)).dispose();
  const [reachedGoal, steps] = [metGoal(), losses.length];

  // Resume the same run, now that the number of its steps is known.
  const warmupSteps = Math.min(sft.warmupSteps, steps);
  const falling = { num_decay_steps: sft.decaySteps, num_stable_steps: steps - warmupSteps, decay_type: "linear" };
  const decay = { lrSchedulerType: "warmup_stable_decay", lrSchedulerKwargs: falling, warmupSteps } as const;
  const model = await run({ ...decay, maxSteps: steps + sft.decaySteps }, () => false, true);
  return { model, outcome: { reachedGoal, steps: losses.length, loss: meanLoss() } };
}

interface MethodOptions {
  readonly loss: LossConfig;
  readonly rows: readonly TokenizedPair[];
  readonly settings: Pick<PaperSettings, "preference" | "optimizer">;
  readonly seed: number;
  /** Where the trainer may write; its reference cache is found there again. */
  readonly folder: string;
  readonly onStep: (step: number, loss: number) => void | Promise<void>;
}

/**
 * Trains a copy of the reference in place. It is the stage that the paper is about: a few steps of a preference loss, or of
 * SFT on the same chosen answers. Every method sees the same rows in the same order.
 */
export async function trainMethod(model: CausalLM, options: MethodOptions): Promise<void> {
  const { loss, rows, settings, seed, folder, onStep } = options;
  const { preference, optimizer } = settings;
  const trainer = new PreferenceTrainer({
    ...commonArguments(optimizer),
    model,
    train: rows,
    loss: createLoss(loss),
    outputDir: mkdtempSync(join(folder, "run-")),
    referenceCache: join(folder, "reference"),
    seed,
    perDeviceTrainBatchSize: preference.batchSize,
    learningRate: preference.learningRate,
    lrSchedulerType: "linear",
    warmupSteps: preference.warmupSteps,
    maxSteps: preference.steps,
  });
  for await (const step of trainer) await onStep(step.step, step.loss);
}

/** A task with its reference: every method is trained from a copy of it, and all models are measured on the same pairs. */
export class SmallBench {
  private readonly folder = new TemporaryFolder();
  private readonly chosenOnly: readonly TokenizedPair[];

  private constructor(
    readonly task: PaperTask,
    readonly reference: CausalLM,
    private readonly settings: PaperSettings,
    private readonly seed: number,
    private readonly referenceScores: readonly AnswerLogProbs[],
  ) {
    this.chosenOnly = task.pairs.map(({ index, chosen }) => ({ index, chosen }));
  }

  /** The reference remains the caller's. */
  static async of(task: PaperTask, reference: CausalLM, settings: PaperSettings, seed: number): Promise<SmallBench> {
    return new SmallBench(task, reference, settings, seed, await scoreRows(reference, task.pairs));
  }

  async measureReference(): Promise<ModelMeasurements> {
    const { reference, referenceScores: scores } = this;
    return { scores, answers: await this.ask(reference), curve: [this.pointOf(0, scores)] };
  }

  /** Trains a copy of the reference and measures it, also along the way. */
  async train(loss: LossConfig, onStep: (step: number, loss: number) => void): Promise<ModelMeasurements> {
    const { task, reference, settings, seed, folder, referenceScores } = this;
    const { steps, curveEvery, curvePairs, tolerance } = settings.preference;
    using model = copyModel(modelConfig(settings.model, task.vocabulary.size), reference);
    const curve = [this.pointOf(0, referenceScores)];
    await trainMethod(model, {
      loss: loss.lossType === "dpop" ? { ...loss, dpopTolerance: tolerance } : loss,
      rows: loss.lossType === "sft" ? this.chosenOnly : task.pairs,
      settings,
      seed,
      folder: folder.path,
      onStep: async (step, value) => {
        onStep(step, value);
        if (step % curveEvery === 0 || step === steps)
          curve.push(curvePoint(step, await scoreRows(model, task.pairs.slice(0, curvePairs))));
      },
    });
    return { scores: await scoreRows(model, task.pairs), answers: await this.ask(model), curve };
  }

  private pointOf(step: number, scores: readonly AnswerLogProbs[]) {
    return curvePoint(step, scores.slice(0, this.settings.preference.curvePairs));
  }

  private ask(model: CausalLM) {
    const { heldOut, vocabulary } = this.task;
    return answerQuestions(model, heldOut, vocabulary, longestAnswer(this.task) + 1);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
