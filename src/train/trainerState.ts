/**
 * `trainer_state.json`: where a run is and what it has logged, with Hugging Face's keys, and under `smaug` what is ours:
 * sums that are not logged yet, the measured tolerance, and what the run was made from.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../data/atomicWrite";
import { InputError } from "../native/errors";
import type { Totals } from "./stepMetrics";

export type LogLine = Record<string, number>;

export interface TrainerState {
  globalStep: number;
  epoch: number;
  maxSteps: number;
  numTrainEpochs: number;
  logHistory: LogLine[];
  bestMetric: number | null;
  bestStep: number | null;
  bestCheckpoint: string | null;
  /** Evaluations since the best one. */
  evaluationsSinceBest: number;
  /** Tokens of both answers with their prompts so far, as TRL counts them. */
  numTokens: number;
  /** Metrics of the steps since the last logged line. */
  pending: Totals;
  /** Seconds trained so far, over all starts. */
  seconds: number;
  dpopTolerance: number | null;
  /** Largest |β ρ| before the first step; null where the reference is another model. */
  step0MaxAbs: number | null;
  /** Fingerprint of the model at the start. */
  start: string;
  /** Settings that a run that goes on has to share. */
  fixed: Record<string, unknown>;
}

const FILE = "trainer_state.json";
const FORMAT = 1;

export async function writeTrainerState(folder: string, state: TrainerState): Promise<void> {
  await writeFileAtomically(join(folder, FILE), `${JSON.stringify(toJson(state), null, 2)}\n`);
}

function toJson(state: TrainerState): object {
  const { pending, seconds, dpopTolerance, step0MaxAbs, start, fixed, evaluationsSinceBest } = state;
  return {
    best_global_step: state.bestStep,
    best_metric: state.bestMetric,
    best_model_checkpoint: state.bestCheckpoint,
    epoch: state.epoch,
    global_step: state.globalStep,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: state.logHistory,
    max_steps: state.maxSteps,
    num_input_tokens_seen: state.numTokens,
    num_train_epochs: state.numTrainEpochs,
    smaug: {
      format: FORMAT,
      dpop_tolerance: dpopTolerance,
      evaluations_since_best: evaluationsSinceBest,
      fixed,
      pending,
      seconds,
      start,
      step0_max_abs: step0MaxAbs,
    },
  };
}

/** Reads the state of a checkpoint. */
export function readTrainerState(folder: string): TrainerState {
  const path = join(folder, FILE);
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(`Expected the state of a run in ${path} but received: ${(error as Error).message}`);
  }
  const own = json["smaug"] as Record<string, unknown> | undefined;
  if (own?.["format"] !== FORMAT)
    throw new InputError(
      `Expected a checkpoint of this version of smaug (format ${FORMAT}) in ${path} but received ` +
        (own ? `format ${String(own["format"])}` : "one that another program wrote; start from its weights with model_name_or_path or adapter_name_or_path"),
    );
  return {
    globalStep: json["global_step"] as number,
    epoch: json["epoch"] as number,
    maxSteps: json["max_steps"] as number,
    numTrainEpochs: json["num_train_epochs"] as number,
    logHistory: json["log_history"] as LogLine[],
    bestMetric: json["best_metric"] as number | null,
    bestStep: json["best_global_step"] as number | null,
    bestCheckpoint: json["best_model_checkpoint"] as string | null,
    evaluationsSinceBest: own["evaluations_since_best"] as number,
    numTokens: json["num_input_tokens_seen"] as number,
    pending: own["pending"] as Totals,
    seconds: own["seconds"] as number,
    dpopTolerance: own["dpop_tolerance"] as number | null,
    step0MaxAbs: own["step0_max_abs"] as number | null,
    start: own["start"] as string,
    fixed: own["fixed"] as Record<string, unknown>,
  };
}
