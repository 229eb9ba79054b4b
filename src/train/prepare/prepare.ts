/**
 * Everything a run needs before its first step, in stages: settings, model, rows in tokens, the plan of its steps and of
 * its memory, the checkpoint it resumes from, reference log-probs. Errors show here, before any work is lost.
 * Nothing is written except to caches.
 */

import { readArguments } from "../../base/arguments";
import { InputError } from "../../base/errors";
import type { CausalLM } from "../../models";
import { getSchedule, type Optimizer, type Schedule } from "../../optim";
import type { PreferenceLoss } from "../../preference";
import { type TrainingArguments, trainingArguments } from "../arguments";
import { expectCheckpointFits, type OpenedCheckpoint, openCheckpoint, restoreCheckpoint } from "../checkpoint/restore";
import { newProgress, type TrainerState } from "../checkpoint/state";
import { type MemoryPlan, planMemory } from "../memory";
import { lossOf, type PreferenceTrainerOptions, readSettings } from "../options";
import { planSchedule, Sampler, type SchedulePlan } from "../schedule";
import { createOptimizer, expectTrainable, resetModel } from "./model";
import { expectSameRun, type RunIdentity, resumeWarnings, runIdentity } from "./resume";
import { expectEvaluationRows, longestPair, prepareRows, type RunRows } from "./rows";
import { type RunHeader, runHeader } from "./runHeader";
import { chooseTolerance, type PreparationHooks, prepareReference, type RunReference, startWarnings } from "./start";

/** The result of preparing a run: all that its steps need. */
export interface Preparation extends RunRows, StepPlan, RunReference {
  readonly settings: TrainingArguments;
  readonly model: CausalLM;
  /** With the tolerance that was chosen for it. */
  readonly loss: PreferenceLoss;
  readonly optimizer: Optimizer;
  readonly plan: MemoryPlan;
  readonly state: TrainerState;
  /** The checkpoint the run is resumed from. */
  readonly resumed: string | undefined;
  /** What the user should know before the first step. */
  readonly warnings: readonly string[];
  /** The first line of `metrics.jsonl`. */
  readonly header: RunHeader;
}

/** Which rows each step takes, and what happens after it. */
export interface StepPlan {
  readonly sampler: Sampler;
  readonly schedule: SchedulePlan;
  /** The factor of the learning rate by step, counted from 0. */
  readonly lrFactor: Schedule;
}

/** Runs all stages in their order. */
export async function prepare(options: PreferenceTrainerOptions, hooks: PreparationHooks): Promise<Preparation> {
  const settings = readSettings(options);
  const trainable = expectTrainable(options.model);
  const { model } = trainable;
  expectEvaluationRows(settings, options.evaluation, hooks.onWarning);
  const optimizer = createOptimizer(model, settings);
  const { resumeFromCheckpoint: which } = options;
  const checkpoint = which ? openCheckpoint(which, settings.outputDir, optimizer.layout) : undefined;

  resetModel(model, settings, hooks.onWarning);
  const rows = await prepareRows(options);
  const steps = planSteps(settings, rows.train.length);
  const plan = planBatches(settings, model, rows, checkpoint);

  const loss = lossOf(options);
  const identity = await runIdentity(model, rows.train, loss, settings);
  const resumable = { model, optimizer };
  if (checkpoint) {
    expectSameRun(checkpoint, identity);
    expectCheckpointFits(checkpoint.folder, resumable);
  }
  const isResumed = checkpoint !== undefined;
  const reference = await prepareReference({ ...trainable, ...rows, ...steps, settings, loss, plan }, hooks, { isResumed });
  const config = options.config ?? settings;
  const defaults = options.configDefaults ?? readArguments(trainingArguments, {});
  const state = stateOf({ settings, steps, plan, loss, reference, identity, config }, checkpoint?.state);

  if (checkpoint) restoreCheckpoint(checkpoint.folder, resumable);
  if (!settings.disableDropout) model.train();
  const resumed = checkpoint?.folder;
  return {
    settings,
    model,
    ...rows,
    ...steps,
    plan,
    optimizer,
    ...reference,
    loss: withTolerance(loss, state.dpopTolerance),
    state,
    resumed,
    warnings: [...(checkpoint ? resumeWarnings(checkpoint, state, defaults) : []), ...startWarnings(reference)],
    header: runHeader({ ...trainable, ...rows, ...reference, config, loss, plan, state, resumed }),
  };
}

function planSteps(settings: TrainingArguments, rows: number): StepPlan {
  const { perDeviceTrainBatchSize: batchSize, dataloaderDropLast } = settings;
  const sampler = new Sampler({
    rows,
    rowsPerStep: batchSize * settings.gradientAccumulationSteps,
    wholeBatches: dataloaderDropLast ? batchSize : undefined,
    strategy: settings.trainSamplingStrategy,
    seed: settings.dataSeed ?? settings.seed,
  });
  if (sampler.stepsPerEpoch === 0)
    throw new InputError(
      `Expected at least ${batchSize} pairs, one full batch, with dataloader_drop_last but received ${rows}; ` +
        "lower per_device_train_batch_size or leave dataloader_drop_last out",
    );
  const schedule = planSchedule(settings, sampler.stepsPerEpoch);
  const { warmupSteps, totalSteps } = schedule;
  const { lrSchedulerType, lrSchedulerKwargs: kwargs, learningRate: baseLr } = settings;
  return { sampler, schedule, lrFactor: getSchedule(lrSchedulerType, { warmupSteps, totalSteps, baseLr, kwargs }) };
}

/** A resumed run keeps its batches, whatever memory is free now: other batches would round differently. */
function planBatches(
  settings: TrainingArguments,
  model: CausalLM,
  rows: RunRows,
  checkpoint: OpenedCheckpoint | undefined,
): MemoryPlan {
  const saved = checkpoint?.state.plan;
  return planMemory(model, {
    device: model.device,
    longestPair: longestPair(rows, model),
    maxTokens: settings.maxTokensPerBatch ?? saved?.maxTokens ?? null,
    checkpoint: settings.gradientCheckpointing ?? saved?.checkpoint ?? null,
  });
}

interface StateInputs extends Pick<Preparation, "settings" | "plan" | "loss"> {
  readonly steps: StepPlan;
  readonly reference: RunReference;
  readonly identity: RunIdentity;
  readonly config: object;
}

/** The state of a new run, or of one that resumes from `saved`. */
function stateOf(
  { settings, steps, plan, loss, reference, identity, config }: StateInputs,
  saved: TrainerState | undefined,
): TrainerState {
  const isMeasured = saved && settings.dpopTolerance === "auto";
  const run = {
    maxSteps: steps.schedule.totalSteps,
    numTrainEpochs: settings.numTrainEpochs,
    every: steps.schedule.every,
    trainBatchSize: settings.perDeviceTrainBatchSize,
    plan: { maxTokens: plan.maxTokens, checkpoint: plan.checkpoint },
    dpopTolerance: isMeasured ? saved.dpopTolerance : chooseTolerance(settings.dpopTolerance, loss, reference),
    config: { ...config } as Record<string, unknown>,
  };
  if (saved) return { ...saved, ...run };
  const { start } = reference;
  const step0MaxAbs = start ? (loss.beta ?? 1) * start.maxAbs : null;
  return { ...newProgress(), ...run, step0MaxAbs, ...identity };
}

function withTolerance(loss: PreferenceLoss, tolerance: number | null): PreferenceLoss {
  return tolerance !== null && loss.withTolerance ? loss.withTolerance(tolerance) : loss;
}
