/** The best evaluation of a run so far: which one it is, when to stop waiting for a better one, and its checkpoint. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { InputError } from "../base/errors";
import type { TrainingArguments } from "./arguments";
import { restoreWeights, verifyCheckpoint } from "./checkpoint/restore";
import { checkpointFolder } from "./checkpoint/save";
import type { LogLine } from "./metrics/names";
import type { Preparation } from "./prepare/prepare";

/**
 * Compares an evaluation with the best one so far.
 *
 * @returns whether there have been as many evaluations without improvement as `early_stopping_patience` allows
 */
export function judgeEvaluation(line: LogLine, { state, settings }: Pick<Preparation, "state" | "settings">): boolean {
  const { name, greaterIsBetter } = bestMetricOf(settings);
  const value = (line as Readonly<Record<string, number | undefined>>)[name];
  if (value === undefined || state.globalStep === 0) return false;
  const { bestMetric: best } = state;
  if (Number.isFinite(value) && (best === null || (greaterIsBetter ? value > best : value < best))) {
    state.bestMetric = value;
    state.bestStep = state.globalStep;
    state.evaluationsSinceBest = 0;
    return false;
  }
  state.evaluationsSinceBest++;
  return settings.earlyStoppingPatience !== null && state.evaluationsSinceBest >= settings.earlyStoppingPatience;
}

function bestMetricOf({ metricForBestModel, greaterIsBetter }: TrainingArguments): { name: string; greaterIsBetter: boolean } {
  const bare = (metricForBestModel ?? "loss").replace(/^eval_/, "");
  return { name: `eval_${bare}`, greaterIsBetter: greaterIsBetter ?? !bare.endsWith("loss") };
}

/** The folder of the best checkpoint, in the output folder or next to the checkpoint that the run was resumed from. */
export function bestCheckpoint({
  state: { bestStep },
  settings,
  resumed,
}: Pick<Preparation, "state" | "settings" | "resumed">): string | undefined {
  if (bestStep === null) return undefined;
  const places = [settings.outputDir, ...(resumed ? [dirname(resumed)] : [])];
  return places.map((place) => checkpointFolder(place, bestStep)).find((folder) => existsSync(folder));
}

/**
 * Gives the model the weights of the best checkpoint, unless they are its own already.
 *
 * @returns a warning if the checkpoint is gone or damaged; the model then keeps its weights
 */
export function restoreBest(
  run: Pick<Preparation, "model" | "optimizer" | "state" | "settings" | "resumed">,
): string | undefined {
  const { bestStep, globalStep } = run.state;
  if (bestStep === null || bestStep === globalStep) return undefined;
  const best = bestCheckpoint(run);
  const kept = "the final weights are those of the last step";
  if (best === undefined) return `the best checkpoint, of step ${bestStep}, is gone; ${kept}`;
  try {
    verifyCheckpoint(best, run.optimizer.layout);
    restoreWeights(run.model, best);
    return undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return `the best checkpoint, of step ${bestStep}, is damaged: ${error.message}; ${kept}`;
  }
}
