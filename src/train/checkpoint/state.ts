/**
 * `trainer_state.json`: where a run is and what it has logged, with Hugging Face's keys; what is ours (sums that are not
 * logged yet, the measured tolerance, what the run was made from) stands under `stateful_callbacks`, where their reader
 * lets it pass.
 */
import { basename, join, resolve } from "node:path";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { writeWhole } from "../../base/files/wholeFiles";
import { isObject, shown } from "../../base/values";
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

/** The progress of a run that has not begun. */
export const newProgress = () => ({
  globalStep: 0,
  epoch: 0,
  logHistory: [],
  bestMetric: null,
  bestStep: null,
  evaluationsSinceBest: 0,
  numTokens: 0,
  pending: {},
  seconds: 0,
  lossSum: 0,
  pairs: 0,
  flops: 0,
});

export const STATE_FILE = "trainer_state.json";
const FORMAT = 3;
/** The format before checkpoints had checksums; otherwise the same. */
const WITHOUT_CHECKSUMS = 2;

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

export interface SavedState {
  readonly state: TrainerState;
  /** Whether the version that wrote it listed the checkpoint's files in checksums.json. */
  readonly hasChecksums: boolean;
}

/** Reads and checks the state in a checkpoint. */
export function readSavedState(folder: string): SavedState {
  const file = join(folder, STATE_FILE);
  const json = new Fields(file, readInputJson(file, "the state of a run"));
  const smaug = json.maybe("stateful_callbacks")?.maybe("smaug");
  const format = smaug?.value("format");
  if (format !== FORMAT && format !== WITHOUT_CHECKSUMS)
    throw new InputError(
      `Expected a checkpoint of this version of smaug (format ${FORMAT}) in ${file} but received ` +
        (smaug
          ? `format ${shown(format)}`
          : "one that another program wrote; start from its weights with model_name_or_path or adapter_name_or_path"),
    );
  return { state: readFields(folder, json, smaug!), hasChecksums: format === FORMAT };
}

function readFields(folder: string, json: Fields, smaug: Fields): TrainerState {
  const maxSteps = json.integer("max_steps", 1);
  const globalStep = json.integer("global_step", 0);
  if (globalStep > maxSteps) json.fail("global_step", `at most the ${maxSteps} of 'max_steps'`);
  const named = /^checkpoint-(\d+)$/.exec(basename(resolve(folder)))?.[1];
  if (named !== undefined && globalStep !== Number(named)) json.fail("global_step", `${named}, as the folder's name says,`);
  const epoch = json.number("epoch", 0);
  if (epoch > 0 !== globalStep > 0) json.fail("epoch", `${globalStep > 0 ? "more than 0" : "0"} after step ${globalStep}`);

  const bestMetric = json.nullOr("best_metric", () => json.number("best_metric"));
  const bestStep = json.nullOr("best_global_step", () => json.integer("best_global_step", 1));
  if (bestStep !== null && bestStep > globalStep) json.fail("best_global_step", `at most the ${globalStep} of 'global_step'`);
  if (bestMetric !== null && bestStep === null) json.fail("best_global_step", "the step of 'best_metric'");
  const bestName = bestStep === null ? null : `checkpoint-${bestStep}`;
  if (json.value("best_model_checkpoint") !== bestName) json.fail("best_model_checkpoint", shown(bestName));

  const flops = smaug.number("flops", 0);
  if (json.value("total_flos") !== flops) json.fail("total_flos", `${flops}, as in 'stateful_callbacks.smaug.flops',`);

  return {
    globalStep,
    epoch,
    maxSteps,
    numTrainEpochs: json.number("num_train_epochs", 0),
    every: {
      logging: json.integer("logging_steps", 1),
      evaluation: json.integer("eval_steps", 1),
      saving: json.integer("save_steps", 1),
    },
    trainBatchSize: json.integer("train_batch_size", 1),
    logHistory: readHistory(json, globalStep),
    bestMetric,
    bestStep,
    numTokens: json.integer("num_input_tokens_seen", 0),
    evaluationsSinceBest: smaug.integer("evaluationsSinceBest", 0),
    pending: readTotals(smaug.object("pending")),
    seconds: smaug.number("seconds", 0),
    lossSum: smaug.number("lossSum"),
    pairs: smaug.integer("pairs", 0),
    flops,
    dpopTolerance: smaug.nullOr("dpopTolerance", () => smaug.number("dpopTolerance", 0)),
    step0MaxAbs: smaug.nullOr("step0MaxAbs", () => smaug.number("step0MaxAbs", 0)),
    plan: { maxTokens: smaug.object("plan").integer("maxTokens", 1), checkpoint: smaug.object("plan").boolean("checkpoint") },
    start: smaug.text("start"),
    fixed: smaug.object("fixed").values,
    config: smaug.object("config").values,
  };
}

/** Lines of numbers in the order of their steps; each kind of line at most once a step. */
function readHistory(json: Fields, globalStep: number): LogLine[] {
  let last = 0;
  const seen = new Set<string>();
  return json.list("log_history").map((line) => {
    const step = line.integer("step", last);
    if (step > globalStep) line.fail("step", `at most the ${globalStep} of 'global_step'`);
    last = step;
    const kind = `${"loss" in line.values ? "training" : "eval_runtime" in line.values ? "evaluation" : "other"} ${step}`;
    if (seen.has(kind)) line.fail("step", `a step later than that of the line before`);
    seen.add(kind);
    for (const name of Object.keys(line.values)) if (line.value(name) !== null) line.number(name); // null was NaN
    return line.values as LogLine;
  });
}

function readTotals(totals: Fields): Totals {
  const entries = Object.keys(totals.values).map((name) => {
    const { sum, count } = { sum: totals.object(name).value("sum"), count: totals.object(name).integer("count", 0) };
    const hasSquares = typeof totals.object(name).value("squares") === "number";
    const squares = hasSquares ? { squares: totals.object(name).number("squares", 0) } : {};
    // JSON has no NaN; a loss or a norm that is NaN has ended the run.
    const isNaN = sum === null && name !== "loss" && name !== "grad_norm";
    return [name, { sum: isNaN ? NaN : totals.object(name).number("sum"), count, ...squares }] as const;
  });
  return Object.fromEntries(entries);
}

/** The fields of an object in a JSON file, each checked when it is read. */
class Fields {
  readonly values: Readonly<Record<string, unknown>>;

  constructor(
    private readonly file: string,
    value: unknown,
    private readonly path = "",
  ) {
    if (!isObject(value))
      throw new InputError(
        `Expected an object ${path === "" ? "" : `for '${path}' `}in ${file} but received ${shown(value)}; ${wayOut}`,
      );
    this.values = value;
  }

  /** @throws InputError that names the file, the field and what was found */
  fail(name: string, expected: string): never {
    throw new InputError(
      `Expected ${expected} for '${this.pathOf(name)}' in ${this.file} but received ${shown(this.value(name))}; ${wayOut}`,
    );
  }

  value(name: string): unknown {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  number(name: string, min = -Infinity): number {
    const value = this.value(name);
    if (typeof value === "number" && Number.isFinite(value) && value >= min) return value;
    return this.fail(name, min === -Infinity ? "a finite number" : `a finite number of at least ${min}`);
  }

  integer(name: string, min: number): number {
    const value = this.value(name);
    return Number.isSafeInteger(value) && (value as number) >= min
      ? (value as number)
      : this.fail(name, `a whole number of at least ${min}`);
  }

  boolean(name: string): boolean {
    const value = this.value(name);
    return typeof value === "boolean" ? value : this.fail(name, "true or false");
  }

  text(name: string): string {
    const value = this.value(name);
    return typeof value === "string" && value !== "" ? value : this.fail(name, "a string");
  }

  nullOr<T>(name: string, read: () => T): T | null {
    return this.value(name) === null ? null : read();
  }

  object(name: string): Fields {
    return new Fields(this.file, this.value(name), this.pathOf(name));
  }

  /** An object that may be missing. */
  maybe(name: string): Fields | undefined {
    return this.value(name) === undefined ? undefined : this.object(name);
  }

  list(name: string): Fields[] {
    const value = this.value(name);
    if (!Array.isArray(value)) return this.fail(name, "a list");
    return value.map((each, i) => new Fields(this.file, each, `${this.pathOf(name)}[${i}]`));
  }

  private pathOf(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

const wayOut = "the file is damaged or was edited: resume from another checkpoint";
