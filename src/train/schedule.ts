/** When things happen in a run: how many steps it has, and after which of them it logs, evaluates and saves. */
import { type Problem, conflict, problemsError, unfit } from "../base/problems";
import { kwargsProblems } from "../optim/namedSchedule";
import type { TrainingArguments } from "./arguments";

export interface SchedulePlan {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly warmupSteps: number;
  /** After this many steps (of all, counted from 1). */
  logsAt(step: number): boolean;
  evaluatesAt(step: number): boolean;
  savesAt(step: number): boolean;
  /** Steps between them. */
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
