/**
 * `trainer_state.json`: where a run is and what it has logged, with Hugging Face's keys; what is ours (sums that are not
 * logged yet, the measured tolerance, what the run was made from) stands under `stateful_callbacks`, where their reader
 * lets it pass. savedState.ts reads it.
 */
import { join } from "node:path";
import { writeWhole } from "../../base/files/wholeFiles";
import type { LogLine } from "../metrics/names";
import type { Totals } from "../metrics/stepMetrics";

/** What of a run's state is ours. */
export interface OwnState {
  /** Evaluations since the best one. */
  evaluationsSinceBest: number;
  /** Metrics of the steps since the last logged line. */
  pending: Totals;
  /** Over all starts: seconds trained, losses added up, pairs trained on, operations. */
  seconds: number;
  lossSum: number;
  pairs: number;
  flops: number;
  dpopTolerance: number | null;
  /** Largest |β ρ| before the first step; null for a loss without reference. */
  step0MaxAbs: number | null;
  /** How batches were made: others would round otherwise. */
  plan: { maxTokens: number; checkpoint: boolean };
  /** Fingerprint of the model at the start. */
  start: string;
  /** What a run that goes on has to share. */
  fixed: Record<string, unknown>;
  /** The whole configuration, to tell what else has changed. */
  config: Record<string, unknown>;
}

export interface TrainerState extends OwnState {
  globalStep: number;
  epoch: number;
  maxSteps: number;
  numTrainEpochs: number;
  /** Of logged lines, evaluations and checkpoints, and pairs a batch: what Hugging Face's reader asks for. */
  every: { logging: number; evaluation: number; saving: number };
  trainBatchSize: number;
  logHistory: LogLine[];
  bestMetric: number | null;
  bestStep: number | null;
  /** Tokens of both answers with their prompts so far, as TRL counts them. */
  numTokens: number;
}

export const STATE_FILE = "trainer_state.json";
export const FORMAT = 3;
/** The format before checkpoints had checksums; otherwise the same. */
export const WITHOUT_CHECKSUMS = 2;

export async function writeTrainerState(folder: string, state: TrainerState): Promise<void> {
  await writeWhole(join(folder, STATE_FILE), `${JSON.stringify(toJson(state), null, 2)}\n`);
}

function toJson(state: TrainerState): object {
  const {
    globalStep,
    epoch,
    maxSteps,
    numTrainEpochs,
    every,
    trainBatchSize,
    logHistory,
    bestMetric,
    bestStep,
    numTokens,
    ...own
  } = state;
  return {
    best_global_step: bestStep,
    best_metric: bestMetric,
    best_model_checkpoint: bestStep === null ? null : `checkpoint-${bestStep}`,
    epoch,
    eval_steps: every.evaluation,
    global_step: globalStep,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: logHistory,
    logging_steps: every.logging,
    max_steps: maxSteps,
    num_input_tokens_seen: numTokens,
    num_train_epochs: numTrainEpochs,
    save_steps: every.saving,
    stateful_callbacks: { smaug: { format: FORMAT, ...own } },
    total_flos: own.flops,
    train_batch_size: trainBatchSize,
    trial_name: null,
    trial_params: null,
  };
}
