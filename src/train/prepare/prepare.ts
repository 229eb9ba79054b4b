/**
 * All that a run needs before its first step: rows in tokens, a plan for memory, reference log-probs, the check that the
 * run starts at the reference, the optimizer, and for a run that goes on what its checkpoint holds. Whatever is wrong
 * shows here, before any work is lost, and nothing is written but the caches.
 */
import { createHash } from "node:crypto";
import { createOptimizer, createSchedule } from "./optimizer";
import { peftProblems } from "./peftLimits";
import { isRunEntry } from "../output/entries";
import {
  REFERENCE_ADAPTER,
  type ReferenceValues,
  type StartCheck,
  checkStart,
  referencePass,
  startFingerprint,
} from "../reference";
import { Sampler } from "../sampler";
import { type SchedulePlan, planSchedule, scheduleProblems } from "../schedule";
import type { TrainerState } from "../checkpoint/state";
import { expectOneProcess } from "../../base/processes";
import { originsOf } from "../../base/files/inputFiles";
import { type Input, expectApart, expectUsableFolder } from "../../base/files/outputFolder";
import { problemsError } from "../../base/problems";
import type { GivenRow } from "../../data/rows/givenRows";
import { type TokenizedPair, areTokenized, answersOf } from "../../data/tokenize/tokenizedPair";
import { type TokenizedPairs, tokenizePairs } from "../../data/tokenize/tokenizePairs";
import type { TruncationMode } from "../../data/tokenize/pairTokenizer";
import type { CausalLM } from "../../models";
import { InputError } from "../../base/errors";
import { packageVersion } from "../../native/paths";
import { hasAdapter, loraLayers } from "../../nn";
import type { Schedule } from "../../optim";
import { type PairLogProbs, type PreferenceLoss, dpop, lossNeeds, pack, packOptionsOf } from "../../preference";
import { type Tokenizer, loadTokenizer } from "../../text";
import { type Device, type Tensor, deviceName, getNumThreads, manualSeed, versions } from "../../torch";
import { readArguments } from "../../base/arguments";
import { type TrainingArguments, trainingArguments } from "../arguments";
import { type OpenedCheckpoint, expectFits, openCheckpoint, restoreCheckpoint } from "../checkpoint/checkpoint";
import { type MemoryPlan, planMemory } from "../memory";
import type { Optimizer } from "../../optim/optimizer";

export interface PreferenceTrainerOptions extends Partial<TrainingArguments> {
  /** With an adapter that one trains, else all weights. What it computes now is the reference. */
  model: CausalLM;
  /** Rows from `loadPreferences` or written by hand, or tokenised pairs. */
  train: readonly GivenRow[] | readonly TokenizedPair[];
  evaluation?: readonly GivenRow[] | readonly TokenizedPair[];
  /** For rows of text. Default: the tokenizer of the adapter's or the model's folder. */
  tokenizer?: Tokenizer;
  /**
   * Default: DPOP with the paper's values. A custom loss is a synchronous function that returns one number per pair,
   * `[pairs]`. To check this, it is called once with two made-up pairs when the trainer is created.
   */
  loss?: PreferenceLoss | ((logProbs: PairLogProbs) => Tensor);
  /** The most tokens prompt and answer may have together; TRL's 1024. */
  maxLength?: number | null;
  /** What of a longer row is kept; TRL's `keep_start`. */
  truncationMode?: TruncationMode;
  /** A checkpoint to resume from: its folder, or true for the newest in `outputDir`. */
  resumeFromCheckpoint?: string | boolean | null;
  /** What the first line of `metrics.jsonl` says of the configuration; the settings when left out. */
  config?: object;
  /** Where the rows are from, for messages. */
  dataName?: string;
}

export interface Preparation {
  readonly model: CausalLM;
  readonly device: Device;
  readonly settings: TrainingArguments;
  readonly loss: PreferenceLoss;
  readonly train: readonly TokenizedPair[];
  /** Empty without an evaluation. */
  readonly evaluation: readonly TokenizedPair[];
  /** What became of the rows; undefined for rows that came in tokens. */
  readonly tokenized: { train?: TokenizedPairs; evaluation?: TokenizedPairs };
  readonly limits: { readonly maxLength: number | undefined; readonly truncationMode: TruncationMode };
  readonly sampler: Sampler;
  readonly schedule: SchedulePlan;
  readonly lrFactor: Schedule;
  readonly optimizer: Optimizer;
  readonly plan: MemoryPlan;
  readonly reference: ReferenceValues;
  /** Pairs whose reference was computed now. */
  readonly referenceComputed: number;
  /** Absent for a loss without reference, and when a run goes on. */
  readonly start: StartCheck | undefined;
  /** Whether the reference is the model at its start; otherwise it is another adapter. */
  readonly startIsReference: boolean;
  readonly bestMetric: { readonly name: string; readonly greaterIsBetter: boolean };
  readonly state: TrainerState;
  /** The checkpoint the run goes on from. */
  readonly resumed: string | undefined;
  /** Settings that are not what they were before a run went on, as "learning_rate 1e-5 (was 1e-4)". */
  readonly changed: readonly string[];
  /** Notes for the user about the checkpoint. */
  readonly notes: readonly string[];
  /** The first line of `metrics.jsonl`. */
  readonly statement: object;
}

export interface PreparationHooks {
  onReference(done: number, total: number): void;
  onWarning(message: string): void;
  isStopped(): boolean;
}

/** Pairs that the check at the start looks at. */
const CHECKED_PAIRS = 64;
/** |ρ| at the start, in nats, beyond which the reference is not the model that is trained: rounding stays below. */
const START_LIMIT = 3e-3;
/** The same by the square root of an answer's tokens, where each log-prob is rounded to 16 bits or made of such. */
const START_LIMIT_16_BIT = 0.1;

/**
 * Reads the settings of training, and checks everything about them and the output folder that can be checked before any
 * work.
 */
export function readSettings(options: PreferenceTrainerOptions): TrainingArguments {
  expectOneProcess();
  const settings = readTrainingArguments(options);
  expectUsableFolder(settings.outputDir, "output_dir");
  expectApart(settings.outputDir, "output_dir", inputsOf(options), isRunEntry);
  return settings;
}

/** The training settings among a trainer's options. */
export function readTrainingArguments(options: PreferenceTrainerOptions): TrainingArguments {
  const {
    model: _model,
    train: _train,
    evaluation: _evaluation,
    tokenizer: _tokenizer,
    loss: _loss,
    maxLength: _maxLength,
    truncationMode: _mode,
    resumeFromCheckpoint: _resume,
    config: _config,
    dataName: _name,
    ...values
  } = options;
  const settings = readArguments(trainingArguments, values);
  const problems = scheduleProblems(settings);
  if (problems.length > 0) throw problemsError(problems);
  return settings;
}

export async function prepare(options: PreferenceTrainerOptions, hooks: PreparationHooks): Promise<Preparation> {
  const settings = readSettings(options);
  const {
    model,
    train: rows,
    evaluation: evaluationRows,
    tokenizer,
    loss: givenLoss = dpop(),
    maxLength = 1024,
    truncationMode = "keep_start",
    resumeFromCheckpoint = null,
    config,
    dataName,
  } = options;
  const loss = givenLoss as PreferenceLoss;
  const trained = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  if (trained.length === 0) throw new InputError("Expected a model with weights that train for 'model' but all are frozen");
  const { device } = trained[0]!;
  if (settings.evalStrategy !== "no" && !evaluationRows)
    throw new InputError(`Expected rows for 'evaluation' with eval_strategy ${settings.evalStrategy} but received none`);
  if (settings.evalOnStart && !evaluationRows)
    throw new InputError(
      "Expected rows for 'evaluation' with eval_on_start but received none; set eval_strategy and name a split for evaluation",
    );
  if (evaluationRows && settings.evalStrategy === "no" && !settings.evalOnStart)
    hooks.onWarning("the rows of 'evaluation' are not used, since eval_strategy is no; set it to steps or epoch");
  const opened = resumeFromCheckpoint ? openCheckpoint(resumeFromCheckpoint, settings.outputDir) : undefined;
  const { folder: resumed, state: saved } = opened ?? {};

  // Before the first random number of the run; loading has drawn those of a fresh adapter already.
  manualSeed(settings.seed);
  model.eval(); // the reference, the check and evaluations drop nothing
  for (const [, { adapter }] of loraLayers(model)) adapter.dropout = settings.disableDropout ? 0 : adapter.config.dropout;
  for (const problem of peftProblems(model))
    hooks.onWarning(`PEFT 0.21 cannot use this adapter, but smaug can, and smaug merge can merge it into the model: ${problem}`);

  const limits = { maxLength: maxLength ?? undefined, truncationMode };
  const tokenized: { train?: TokenizedPairs; evaluation?: TokenizedPairs } = {};
  const inTokens = async (which: "train" | "evaluation", given: PreferenceTrainerOptions["train"]) => {
    if (areTokenized(given)) return given;
    const own = tokenizer ?? (await loadTokenizer(folderOf(model), { adapter: model.adapterFolder }));
    tokenized[which] = await tokenizePairs(given, own, { ...limits, name: originsOf(given)[0] ?? dataName ?? which });
    return tokenized[which].pairs;
  };
  const train = await inTokens("train", rows);
  if (train.length === 0) throw new InputError("Expected at least one pair for 'train' but received none");
  const evaluation = evaluationRows ? await inTokens("evaluation", evaluationRows) : [];
  checkLengths([...train, ...evaluation], model);

  const sampler = new Sampler({
    rows: train.length,
    rowsPerStep: settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps,
    wholeBatches: settings.dataloaderDropLast ? settings.perDeviceTrainBatchSize : undefined,
    strategy: settings.trainSamplingStrategy,
    seed: settings.dataSeed ?? settings.seed,
  });
  if (sampler.stepsPerEpoch === 0)
    throw new InputError(
      `Expected at least ${settings.perDeviceTrainBatchSize} pairs, one full batch, with dataloader_drop_last but received ` +
        `${train.length}; lower per_device_train_batch_size or leave dataloader_drop_last out`,
    );
  const schedule = planSchedule(settings, sampler.stepsPerEpoch);
  const lrFactor = createSchedule(settings, schedule);
  const longestPair = [...train, ...evaluation].reduce((most, pair) => Math.max(most, packedTokens(pair, model)), 0);
  const plan = planMemory(model, {
    device,
    longestPair,
    // Other batches round otherwise: a run that goes on makes those it made.
    maxTokens: settings.maxTokensPerBatch ?? saved?.plan.maxTokens ?? null,
    checkpoint: settings.gradientCheckpointing ?? saved?.plan.checkpoint ?? null,
  });

  const startId = await startFingerprint(model);
  const fixed = {
    rows: digest(train),
    pairs_per_step: settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps,
    seed: settings.seed,
    train_sampling_strategy: settings.trainSamplingStrategy,
    // Left out at their defaults, as in checkpoints from before these settings existed.
    ...(settings.dataSeed === null ? {} : { data_seed: settings.dataSeed }),
    ...(settings.dataloaderDropLast ? { dataloader_drop_last: true } : {}),
    loss: loss.name || null,
    beta: loss.beta ?? null,
    ld_alpha: settings.ldAlpha,
    adapter: JSON.stringify(loraLayers(model)[0]?.[1].adapter.config ?? null),
  };
  const optimizer = createOptimizer(model, settings);
  if (opened) {
    checkContinues(opened.state, opened.folder, startId, fixed);
    expectFits(opened.folder, { model, optimizer, device });
  }

  const isOwnReference = !hasAdapter(model, REFERENCE_ADAPTER);
  let reference: ReferenceValues = new Map();
  let referenceComputed = 0;
  let start: StartCheck | undefined;
  if (lossNeeds(loss, "reference")) {
    const passOptions = {
      device,
      maxTokens: plan.maxTokens,
      cacheFolder: settings.referenceCache,
      onProgress: hooks.onReference,
      onWarning: hooks.onWarning,
      checkInterrupted: () => {
        if (hooks.isStopped()) throw new InterruptedError();
      },
    };
    const pass = await referencePass(model, [...train, ...evaluation], passOptions);
    reference = pass.values;
    referenceComputed = pass.computed;
    if (!saved) {
      // The first steps' pairs in the first steps' batches: what training will see.
      const steps: TokenizedPair[][] = [];
      for (let step = 0; step < sampler.stepsPerEpoch && steps.flat().length < CHECKED_PAIRS; step++)
        steps.push(sampler.rowsOf(step).map((row) => train[row]!));
      start = checkStart(model, steps, reference, { device, maxTokens: plan.maxTokens });
    }
    if (start && isOwnReference) expectStartIsReference(start, loss, model, longestAnswer(train));
  }

  const tolerance =
    saved && settings.dpopTolerance === "auto"
      ? saved.dpopTolerance
      : chooseTolerance(settings.dpopTolerance, loss, isOwnReference ? start : undefined);
  const calibrated = tolerance !== null && loss.withTolerance ? loss.withTolerance(tolerance) : loss;
  const step0MaxAbs = saved ? saved.step0MaxAbs : start ? (loss.beta ?? 1) * start.maxAbs : null;
  const run = {
    maxSteps: schedule.totalSteps,
    numTrainEpochs: settings.numTrainEpochs,
    every: schedule.every,
    trainBatchSize: settings.perDeviceTrainBatchSize,
    plan: { maxTokens: plan.maxTokens, checkpoint: plan.checkpoint },
    dpopTolerance: tolerance,
    config: { ...(config ?? settings) } as Record<string, unknown>,
  };
  const state: TrainerState = saved ? { ...saved, ...run } : { ...newState(), ...run, step0MaxAbs, start: startId, fixed };
  const changed = saved ? changedSettings(saved.config, run.config) : [];
  if (opened) restoreCheckpoint(opened.folder, { model, optimizer, device });
  if (!settings.disableDropout) model.train();

  const statement = {
    versions: { smaug: packageVersion(), node: process.version, libtorch: versions().compiled },
    device: device === "cpu" ? `cpu, ${getNumThreads()} threads` : deviceName(device),
    model: model.folder ?? model.constructor.name,
    trained_weights: trained.reduce((sum, parameter) => sum + parameter.numel(), 0),
    config: config ?? settings,
    loss: loss.name || "a function",
    beta: loss.beta ?? null,
    rows: train.length,
    eval_rows: evaluation.length,
    rows_refused: (tokenized.train?.refused.length ?? 0) + (tokenized.evaluation?.refused.length ?? 0),
    answers_cut: (tokenized.train?.cut.length ?? 0) + (tokenized.evaluation?.cut.length ?? 0),
    reference_rows: reference.size,
    reference_computed: referenceComputed,
    step0_max_abs: step0MaxAbs,
    dpop_tolerance: tolerance,
    max_tokens_per_batch: plan.maxTokens,
    gradient_checkpointing: plan.checkpoint,
    total_steps: schedule.totalSteps,
    resumed_from: resumed ?? null,
  };
  return {
    model,
    device,
    settings,
    loss: calibrated,
    train,
    evaluation,
    tokenized,
    limits,
    sampler,
    schedule,
    lrFactor,
    optimizer,
    plan,
    reference,
    referenceComputed,
    start,
    startIsReference: isOwnReference,
    state,
    resumed,
    changed,
    statement,
    bestMetric: bestMetricOf(settings),
    notes: opened ? resumeNotes(opened, schedule.totalSteps) : [],
  };
}

/** Notes for the user about the checkpoint that a run resumes from. */
function resumeNotes({ folder, state, isVerified }: OpenedCheckpoint, totalSteps: number): string[] {
  const notes: string[] = [];
  if (!isVerified)
    notes.push(`${folder} has no checksums, as an older version of smaug wrote it: its files were not checked for damage`);
  if (state.globalStep > totalSteps)
    notes.push(`${folder} is of step ${state.globalStep}, and this run has only ${totalSteps} steps: nothing is left to train`);
  return notes;
}

/** Ctrl-C before the first step: there is nothing to keep but the reference values computed so far, and those are kept. */
export class InterruptedError extends Error {
  override name = "InterruptedError";

  constructor() {
    super("Stopped before the first step; the reference values computed so far are kept");
  }
}

function folderOf({ folder }: CausalLM): string {
  if (folder !== undefined) return folder;
  throw new TypeError("Expected a 'tokenizer' for rows in text, as the model was not loaded from a folder, but received none");
}

/** The known inputs of the run, which no output may replace. */
function inputsOf({ model, train, evaluation = [], dataName }: PreferenceTrainerOptions): Input[] {
  const data = [...originsOf(train), ...originsOf(evaluation), ...(dataName === undefined ? [] : [dataName])];
  return [
    ...(model.folder === undefined ? [] : [{ path: model.folder, option: "model", owner: "model's" }]),
    ...originsOf(model).map((path) => ({ path, option: "model", owner: "adapter's" })),
    ...data.map((path) => ({ path, option: "train", owner: "data's" })),
  ];
}

function checkLengths(pairs: readonly TokenizedPair[], { config }: CausalLM): void {
  const { maxPositionEmbeddings: limit, vocabSize } = config;
  for (const pair of pairs)
    for (const { ids } of answersOf(pair)) {
      if (ids.length > limit)
        throw new InputError(
          `Expected at most ${limit} tokens, the model's positions, in row ${pair.index} but received ${ids.length}; set max_length`,
        );
      const wrong = ids.find((id) => id >= vocabSize);
      if (wrong !== undefined)
        throw new InputError(
          `Expected token ids below the model's ${vocabSize} in row ${pair.index} but received ${wrong}; is the tokenizer this model's?`,
        );
    }
}

function packedTokens(pair: TokenizedPair, model: CausalLM): number {
  return pack([pair], packOptionsOf(model)).ids.length;
}

function expectStartIsReference(
  { maxAbs, pairs }: StartCheck,
  loss: PreferenceLoss,
  model: CausalLM,
  longestAnswer: number,
): void {
  const is16Bit = ["bfloat16", "float16"].includes(model.model.embedTokens.weight.dtype);
  const limit = is16Bit ? START_LIMIT_16_BIT * Math.sqrt(longestAnswer) : START_LIMIT;
  if (maxAbs <= limit) return;
  throw new Error(
    `Expected |ρ| of about 0 before the first step, as the model is its own reference, but received ${maxAbs.toPrecision(3)} ` +
      `nats (limit ${limit.toPrecision(2)}, ${pairs} pairs, |β ρ| ${((loss.beta ?? 1) * maxAbs).toPrecision(3)}). The cached ` +
      "reference is not this model's: please report it, and train with another reference_cache meanwhile",
  );
}

/** `auto`: twice the 99th percentile of what rounding makes of ρ_w = 0, at least 1e-6; 0 where the start is not the reference. */
function chooseTolerance(setting: number | "auto", loss: PreferenceLoss, start: StartCheck | undefined): number | null {
  if (!loss.withTolerance) return null;
  if (setting !== "auto") return setting;
  return start ? Math.max(1e-6, 2 * start.chosenP99) : 0;
}

function bestMetricOf({ metricForBestModel, greaterIsBetter }: TrainingArguments): Preparation["bestMetric"] {
  const bare = (metricForBestModel ?? "loss").replace(/^eval_/, "");
  return { name: `eval_${bare}`, greaterIsBetter: greaterIsBetter ?? !bare.endsWith("loss") };
}

function checkContinues(saved: TrainerState, folder: string, start: string, fixed: Record<string, unknown>): void {
  if (saved.start !== start)
    throw new InputError(
      `Expected a checkpoint of this model in ${folder} but received one of another: the weights that the run began with ` +
        "differ. Give the model_name_or_path, adapter_name_or_path and seed of that run",
    );
  for (const name of new Set([...Object.keys(fixed), ...Object.keys(saved.fixed)])) {
    const [before, value] = [saved.fixed[name], fixed[name]];
    if (before === value) continue;
    const what = name === "rows" ? "the same rows" : before === undefined ? `no ${name}` : `${name} ${String(before)}`;
    throw new InputError(
      `Expected ${what} as in the run of ${folder} but received ${name === "rows" ? "others" : String(value ?? "none")}; ` +
        "a run goes on as it was, or starts anew from its weights",
    );
  }
}

function longestAnswer(pairs: readonly TokenizedPair[]): number {
  return pairs.flatMap(answersOf).reduce((most, { ids, start }) => Math.max(most, ids.length - start), 0);
}

/** What a run may change as it goes on, and does. */
function changedSettings(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const free = new Set([
    "output_dir",
    "outputDir",
    "overwrite_output_dir",
    "overwriteOutputDir",
    "resume_from_checkpoint",
    "reference_cache",
    "referenceCache",
  ]);
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => !free.has(name));
  const shown = (value: unknown) => JSON.stringify(value) ?? "not given";
  return names.flatMap((name) =>
    shown(before[name]) === shown(now[name]) ? [] : [`${name} is ${shown(now[name])}, and was ${shown(before[name])}`],
  );
}

function digest(pairs: readonly TokenizedPair[]): string {
  const hash = createHash("sha256");
  for (const pair of pairs)
    for (const { ids, start } of answersOf(pair)) hash.update(Uint32Array.of(ids.length, start)).update(ids);
  return hash.digest("hex");
}

const newState = () => ({
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
