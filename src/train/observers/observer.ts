/**
 * The interface of a run's observers, like transformers' TrainerCallback. The loop decides what happens when; only observers
 * write files, so that of several processes all but one can do without them. Hooks are called in the order of the
 * observers, and the loop waits for each.
 */
import type { MemoryPlan } from "../memory";
import type { LogLine, TrainingStep } from "../metrics/names";

type Hook = void | Promise<void>;

export interface RunObserver {
  /** The first step is complete, and its numbers are finite. Nothing is written before. */
  onBegin?(): Hook;
  /** After each step. If it was logged, its line is in the state's history. */
  afterStep?(step: TrainingStep): Hook;
  /** After an evaluation, whose line is in the state's history. Step 0 is evaluated before `onBegin`. */
  afterEvaluation?(line: LogLine): Hook;
  /** Time to save a checkpoint, in `folder`. */
  onSave?(folder: string): Hook;
  /** Memory ran out: from now on batches are smaller. */
  onSmallerPlan?(plan: MemoryPlan): void;
  onWarning?(message: string): void;
  onEnd?(end: RunEnd): Hook;
}

/** The end of a run. */
export interface RunEnd {
  /** The line that closes the history. A run that was stopped has none, and no final weights. */
  readonly line: LogLine | undefined;
}
