/**
 * The steps of a run: how many it has, which rows each takes, and after which of them it logs, evaluates and saves. All of
 * it is a function of the settings and the step, so that a run resumed in the middle of an epoch takes the rows it would
 * have taken. Does not load libtorch.
 */
import { conflict, type Problem, problemsError, unfit } from "../base/problems";
import { Random } from "../base/random";
import { kwargsProblems } from "../optim/namedSchedule";
import type { TrainingArguments } from "./arguments";

/** How many steps a run has, and what happens after each of them. Steps are counted from 1. */
export interface SchedulePlan {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly warmupSteps: number;
  logsAt(step: number): boolean;
  evaluatesAt(step: number): boolean;
  savesAt(step: number): boolean;
  /** Number of steps between logged lines, evaluations and checkpoints. */
  readonly every: { readonly logging: number; readonly evaluation: number; readonly saving: number };
}

type Keys =
  | "numTrainEpochs"
  | "maxSteps"
  | "warmupSteps"
  | "warmupRatio"
  | "loggingSteps"
  | "loggingFirstStep"
  | "evalStrategy"
  | "evalSteps"
  | "saveStrategy"
  | "saveSteps"
  | "loadBestModelAtEnd"
  | "loggingStrategy";

/** The problems with a run's schedule that can be found before the number of steps is known. Keys are in snake case. */
export function scheduleProblems(
  settings: Pick<TrainingArguments, Keys | "earlyStoppingPatience" | "lrSchedulerType" | "lrSchedulerKwargs" | "learningRate">,
): Problem[] {
  const {
    evalStrategy,
    saveStrategy,
    loadBestModelAtEnd,
    earlyStoppingPatience,
    lrSchedulerType,
    lrSchedulerKwargs,
    learningRate,
  } = settings;
  const counts = {
    logging_steps: settings.loggingSteps,
    eval_steps: settings.evalSteps,
    save_steps: settings.saveSteps,
    warmup_steps: settings.warmupRatio === null ? settings.warmupSteps : null,
  };
  const problems = Object.entries(counts).flatMap(([name, value]) =>
    value === null || value < 1 || Number.isSafeInteger(value) ? [] : [notSteps(name, value)],
  );
  if (loadBestModelAtEnd) {
    const [evaluation, saving] = [settings.evalSteps ?? settings.loggingSteps, settings.saveSteps];
    const fits = evaluation < 1 || saving < 1 || saving % evaluation === 0;
    if (!bestCheckpointsFit(evalStrategy, saveStrategy, fits)) problems.push(noBestCheckpoint(settings, evaluation, saving));
  }
  if (evalStrategy === "no" && saveStrategy === "best")
    problems.push(conflict(["save_strategy", "eval_strategy"], "'eval_strategy' steps or epoch with 'save_strategy' best", "no"));
  if (evalStrategy === "no" && earlyStoppingPatience !== null)
    problems.push(
      conflict(
        ["early_stopping_patience", "eval_strategy"],
        "'eval_strategy' steps or epoch with 'early_stopping_patience'",
        "no",
      ),
    );
  return [...problems, ...kwargsProblems(lrSchedulerType, lrSchedulerKwargs, learningRate)];
}

function notSteps(name: string, value: number): Problem {
  return unfit(name, "a whole number of steps or a share below 1", String(value));
}

/** Whether each checkpoint comes with an evaluation that says whether it is the best. */
function bestCheckpointsFit(evalStrategy: string, saveStrategy: string, isMultiple: boolean): boolean {
  if (evalStrategy === "no") return false;
  return saveStrategy === "best" || (evalStrategy === saveStrategy && (evalStrategy === "epoch" || isMultiple));
}

function noBestCheckpoint(
  { evalStrategy, saveStrategy }: Pick<TrainingArguments, Keys>,
  evaluation: number,
  saving: number,
): Problem {
  return conflict(
    ["load_best_model_at_end", "eval_strategy", "save_strategy", "save_steps", "eval_steps"],
    "'eval_strategy' and 'save_strategy' to be the same, and 'save_steps' a multiple of 'eval_steps', for 'load_best_model_at_end'",
    `${evalStrategy} (${evaluation}) and ${saveStrategy} (${saving}); or set save_strategy: best`,
  );
}

/** As Hugging Face's Trainer counts; numbers below 1 are shares of all steps. */
export function planSchedule(settings: Pick<TrainingArguments, Keys>, stepsPerEpoch: number): SchedulePlan {
  const { numTrainEpochs, maxSteps, warmupSteps, warmupRatio, loggingFirstStep, loggingStrategy, evalStrategy, saveStrategy } =
    settings;
  const totalSteps = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch);
  const steps = (name: string, value: number): number => {
    const count = value < 1 ? Math.ceil(value * totalSteps) : value;
    if (Number.isSafeInteger(count)) return Math.max(1, count);
    throw problemsError([notSteps(name, value)]);
  };
  const logging = steps("logging_steps", settings.loggingSteps);
  const evaluation = settings.evalSteps === null ? logging : steps("eval_steps", settings.evalSteps);
  const saving = steps("save_steps", settings.saveSteps);
  const isEpochEnd = (step: number) => step % stepsPerEpoch === 0 || step === totalSteps;
  const at = (strategy: string, every: number) => (step: number) =>
    strategy === "epoch" ? isEpochEnd(step) : strategy === "steps" && (step % every === 0 || step === totalSteps);

  // Shares of steps are only known now.
  if (settings.loadBestModelAtEnd && !bestCheckpointsFit(evalStrategy, saveStrategy, saving % evaluation === 0))
    throw problemsError([noBestCheckpoint(settings, evaluation, saving)]);
  const warmup = warmupRatio ?? warmupSteps;
  return {
    totalSteps,
    stepsPerEpoch,
    warmupSteps: warmup < 1 || warmupRatio !== null ? Math.ceil(warmup * totalSteps) : warmup,
    logsAt: (step) => at(loggingStrategy, logging)(step) || (loggingFirstStep && step === 1),
    evaluatesAt: at(evalStrategy, evaluation),
    savesAt: at(saveStrategy, saving),
    every: { logging, evaluation, saving },
  };
}

export interface SamplerOptions {
  rows: number;
  /** Rows of one optimizer step: batch size times accumulation. The last step of an epoch may have fewer. */
  rowsPerStep: number;
  /** Rows per batch, if an epoch's last batch is dropped unless it is full. Default: every row is used. */
  wholeBatches?: number;
  /** Shuffled anew in each epoch, or always in the order of the data. */
  strategy: TrainingArguments["trainSamplingStrategy"];
  seed: number;
}

/** Which rows each optimizer step takes. */
export class Sampler {
  readonly stepsPerEpoch: number;
  private readonly rowsPerEpoch: number;
  private shuffled: { epoch: number; order: readonly number[] } | undefined;

  constructor(private readonly options: SamplerOptions) {
    const { rows, rowsPerStep, wholeBatches = 1 } = options;
    this.rowsPerEpoch = rows - (rows % wholeBatches);
    this.stepsPerEpoch = Math.ceil(this.rowsPerEpoch / rowsPerStep);
  }

  /** The row numbers of a step, counted from 0 through all epochs. */
  rowsOf(step: number): readonly number[] {
    const { rowsPerStep } = this.options;
    const from = (step % this.stepsPerEpoch) * rowsPerStep;
    return this.order(Math.floor(step / this.stepsPerEpoch)).slice(from, Math.min(from + rowsPerStep, this.rowsPerEpoch));
  }

  private order(epoch: number): readonly number[] {
    if (this.shuffled?.epoch === epoch) return this.shuffled.order;
    const { rows, strategy, seed } = this.options;
    const all = Array.from({ length: rows }, (_, row) => row);
    const order = strategy === "random" ? new Random(seed, `epoch ${epoch}`).shuffled(all) : all;
    this.shuffled = { epoch, order };
    return order;
  }
}
