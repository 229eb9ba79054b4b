/**
 * The settings of training, with Hugging Face's and TRL's names (in camelCase; snake_case in files and on the command
 * line) and TRL 1.16's defaults, except for the learning rate, which is the paper's. Where a default is `null`, the run
 * chooses and reports its choice.
 */

import {
  type ArgumentsOf,
  choice,
  either,
  flag,
  integer,
  mapping,
  number,
  optional,
  path,
  text,
  withWayOut,
} from "../base/arguments";
import { adamwArguments, maxGradNorm } from "../optim/arguments";
import { scheduleNames } from "../optim/namedSchedule";
import { isOptimizer } from "../optim/optimizer";
import { ldAlpha } from "../preference/losses/combinations";
import { dpop } from "../preference/losses/dpop";

const { tolerance } = dpop.declaration.options;
const strategies = ["no", "steps", "epoch"] as const;
const auto = choice(["auto"], "auto", "auto measures the rounding");

export const trainingArguments = {
  outputDir: path("trainer_output", "folder for the adapter or model, checkpoints, logs and the report"),
  overwriteOutputDir: flag(
    false,
    "replace another run in output_dir: its files are kept until the new run has a checkpoint or final weights",
  ),
  perDeviceTrainBatchSize: integer(8, "pairs per batch", { min: 1 }),
  perDeviceEvalBatchSize: integer(8, "pairs per batch of an evaluation", { min: 1 }),
  gradientAccumulationSteps: integer(1, "batches per optimizer step; the loss is the mean over all their pairs", { min: 1 }),
  maxTokensPerBatch: optional(
    integer(0, "tokens per forward pass, shared prompts counted once; chosen by free memory when left out", { min: 1 }),
  ),
  learningRate: { ...adamwArguments.lr, fallback: 5e-5, help: "peak learning rate" },
  lrSchedulerType: withWayOut(choice(scheduleNames, "linear", "learning rate schedule"), (value) =>
    value === "reduce_lr_on_plateau" || value === "greedy"
      ? "this schedule, which follows a metric, is not supported"
      : undefined,
  ),
  lrSchedulerKwargs: mapping("additional settings of the schedule, such as num_cycles or min_lr"),
  warmupSteps: number(0, "steps over which the learning rate rises from 0; below 1 a share of all steps", { min: 0 }),
  warmupRatio: optional(number(0, "share of all steps over which the learning rate rises from 0", { min: 0, max: 1 })),
  weightDecay: { ...adamwArguments.weightDecay, fallback: 0 },
  adamBeta1: adamwArguments.beta1,
  adamBeta2: adamwArguments.beta2,
  adamEpsilon: adamwArguments.eps,
  maxGradNorm,
  dataloaderDropLast: flag(false, "drop the last batch of an epoch if it is not full; evaluations use every pair"),
  optim: withWayOut(
    choice(["adamw_torch_fused", "adamw_torch"], "adamw_torch_fused", "the optimizer; both names mean AdamW"),
    (value) => (isOptimizer(value) ? `transformers' ${value} is not supported; write optim: adamw_torch` : undefined),
  ),
  numTrainEpochs: number(3, "passes over the data", { above: 0 }),
  maxSteps: integer(-1, "number of optimizer steps; overrides num_train_epochs when positive", { min: -1 }),
  seed: integer(42, "seed for the order of the rows, fresh adapters and dropout", { min: 0 }),
  dataSeed: optional(integer(0, "separate seed for the order of the rows; that of seed when left out", { min: 0 })),
  trainSamplingStrategy: choice(["random", "sequential"], "random", "the order of the rows"),
  gradientCheckpointing: optional(
    flag(
      true,
      "keep only each layer's input and recompute the layer in the backward pass (also activation_checkpointing); chosen by free memory when left out",
    ),
  ),
  disableDropout: flag(true, "turn off all dropout, including LoRA's"),
  ldAlpha: optional(ldAlpha),
  dpopTolerance: { ...either(tolerance, auto, auto.fallback), help: `${tolerance.help}; ${auto.help}` },
  loggingStrategy: choice(strategies, "steps", "when to log; the totals at the end are logged even with no"),
  loggingSteps: number(10, "steps between logged lines; below 1 a share of all steps", { above: 0 }),
  loggingFirstStep: flag(false, "log the first step as well"),
  evalStrategy: choice(strategies, "no", "when to evaluate"),
  evalSteps: optional(
    number(0, "steps between evaluations; below 1 a share of all steps; logging_steps when left out", { above: 0 }),
  ),
  evalOnStart: flag(false, "evaluate before the first step"),
  saveStrategy: choice(
    [...strategies, "best"],
    "steps",
    "when to write checkpoints; best: after each evaluation that improves on all before",
  ),
  saveSteps: number(500, "steps between checkpoints; below 1 a share of all steps", { above: 0 }),
  saveTotalLimit: optional(integer(0, "checkpoints to keep; all when left out", { min: 1 })),
  loadBestModelAtEnd: flag(false, "finish with the best checkpoint's weights; needs an evaluation at every checkpoint"),
  metricForBestModel: optional(text("", "the evaluation metric that selects the best checkpoint; loss when left out")),
  greaterIsBetter: optional(flag(true, "whether a higher metric is better; when left out, false for a loss, otherwise true")),
  earlyStoppingPatience: optional(integer(0, "number of evaluations without improvement after which training stops", { min: 1 })),
  reportTo: choice(["tensorboard", "none", "all"], "tensorboard", "whether TensorBoard events are written to runs/"),
  referenceCache: optional(path("", "folder of the reference cache; in the user's cache folder when left out")),
} as const;

export type TrainingArguments = ArgumentsOf<typeof trainingArguments>;
