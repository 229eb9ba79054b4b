/** The run header: the first line of `metrics.jsonl`, which says what was run. */
import { packageVersion } from "../../base/package";
import type { PreferenceLoss } from "../../preference";
import { deviceDescription, versions } from "../../torch";
import type { TrainerState } from "../checkpoint/state";
import type { MemoryPlan } from "../memory";
import type { TrainableModel } from "./model";
import type { RunRows } from "./rows";
import type { RunReference } from "./start";

/** The keys are those of the file. */
export interface RunHeader {
  readonly versions: { readonly smaug: string; readonly node: string; readonly libtorch: string };
  readonly device: string;
  /** The model's folder, or its class if it has none. */
  readonly model: string;
  readonly trained_weights: number;
  readonly config: object;
  readonly loss: string;
  readonly beta: number | null;
  readonly rows: number;
  readonly eval_rows: number;
  readonly rows_refused: number;
  readonly answers_cut: number;
  readonly reference_rows: number;
  readonly reference_computed: number;
  /** Largest |β ρ| before the first step. */
  readonly step0_max_abs: number | null;
  readonly dpop_tolerance: number | null;
  readonly max_tokens_per_batch: number;
  readonly gradient_checkpointing: boolean;
  readonly total_steps: number;
  /** The checkpoint's folder. */
  readonly resumed_from: string | null;
}

/** What the header is made of. */
export interface HeaderInputs extends TrainableModel, RunRows, RunReference {
  readonly config: object;
  readonly loss: PreferenceLoss;
  readonly plan: MemoryPlan;
  readonly state: TrainerState;
  readonly resumed: string | undefined;
}

export function runHeader(run: HeaderInputs): RunHeader {
  const { model, loss, plan, state, tokenized } = run;
  return {
    versions: { smaug: packageVersion(), node: process.version, libtorch: versions().compiled },
    device: deviceDescription(model.device),
    model: model.folder ?? model.constructor.name,
    trained_weights: run.trainedWeights,
    config: run.config,
    loss: loss.name || "a function",
    beta: loss.beta ?? null,
    rows: run.train.length,
    eval_rows: run.evaluation.length,
    rows_refused: (tokenized.train?.refused.length ?? 0) + (tokenized.evaluation?.refused.length ?? 0),
    answers_cut: (tokenized.train?.cut.length ?? 0) + (tokenized.evaluation?.cut.length ?? 0),
    reference_rows: run.reference.size,
    reference_computed: run.referenceComputed,
    step0_max_abs: state.step0MaxAbs,
    dpop_tolerance: state.dpopTolerance,
    max_tokens_per_batch: plan.maxTokens,
    gradient_checkpointing: plan.checkpoint,
    total_steps: state.maxSteps,
    resumed_from: run.resumed ?? null,
  };
}
