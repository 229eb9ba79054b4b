/** When things happen in a run: how many steps it has, and after which of them it logs, evaluates and saves. */
import { InputError } from "../native/errors";
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
  | "numTrainEpochs" | "maxSteps" | "warmupSteps" | "warmupRatio" | "loggingSteps" | "loggingFirstStep" | "evalStrategy"
  | "evalSteps" | "saveStrategy" | "saveSteps" | "loadBestModelAtEnd";

/** As Hugging Face's Trainer counts; numbers below 1 are shares of all steps. */
export function planSchedule(settings: Pick<TrainingArguments, Keys>, stepsPerEpoch: number): SchedulePlan {
  const { numTrainEpochs, maxSteps, warmupSteps, warmupRatio, loggingFirstStep, evalStrategy, saveStrategy } = settings;
  const totalSteps = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch);
  const steps = (name: string, value: number): number => {
    const count = value < 1 ? Math.ceil(value * totalSteps) : value;
    if (Number.isSafeInteger(count)) return Math.max(1, count);
    throw new InputError(`Expected a whole number of steps or a share below 1 for '${name}' but received ${value}`);
  };
  const logging = steps("logging_steps", settings.loggingSteps);
  const evaluation = settings.evalSteps === null ? logging : steps("eval_steps", settings.evalSteps);
  const saving = steps("save_steps", settings.saveSteps);
  const isEpochEnd = (step: number) => step % stepsPerEpoch === 0 || step === totalSteps;
  const at = (strategy: string, every: number) => (step: number) =>
    strategy === "epoch" ? isEpochEnd(step) : strategy === "steps" && (step % every === 0 || step === totalSteps);

  if (settings.loadBestModelAtEnd) {
    const fits = evalStrategy === saveStrategy && evalStrategy !== "no" && (evalStrategy === "epoch" || saving % evaluation === 0);
    if (!fits)
      throw new InputError(
        "Expected 'eval_strategy' and 'save_strategy' to be the same, and 'save_steps' a multiple of 'eval_steps', for " +
          `'load_best_model_at_end' but received ${evalStrategy} (${evaluation}) and ${saveStrategy} (${saving})`,
      );
  }
  if (warmupRatio === null && warmupSteps >= 1 && !Number.isSafeInteger(warmupSteps))
    throw new InputError(`Expected a whole number of steps or a share below 1 for 'warmup_steps' but received ${warmupSteps}`);
  const warmup = warmupRatio ?? warmupSteps;
  return {
    totalSteps,
    stepsPerEpoch,
    warmupSteps: warmup < 1 || warmupRatio !== null ? Math.ceil(warmup * totalSteps) : warmup,
    logsAt: (step) => step % logging === 0 || step === totalSteps || (loggingFirstStep && step === 1),
    evaluatesAt: at(evalStrategy, evaluation),
    savesAt: at(saveStrategy, saving),
    every: { logging, evaluation, saving },
  };
}
