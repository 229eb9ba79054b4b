/** The options of a PreferenceTrainer, and the checks of them that need no work. */

import { readArguments } from "../base/arguments";
import { InputError } from "../base/errors";
import { originsOf } from "../base/files/inputFiles";
import { expectApart, expectUsableFolder, type Input } from "../base/files/outputFolder";
import { didYouMean } from "../base/names";
import { checkOptions } from "../base/options";
import { conflict, type Problem, problemsError } from "../base/problems";
import { expectOneProcess } from "../base/processes";
import { isObject, received } from "../base/values";
import type { RejectedRule } from "../data/reading/columnMapping";
import { expectList, expectRows, type GivenRow } from "../data/rows/givenRows";
import { expectLengths, type TruncationMode } from "../data/tokenize/lengths";
import { areTokenized, type TokenizedPair } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import { dpop, type PairLogProbs, type PreferenceLoss } from "../preference";
import { ldAlphaProblems } from "../preference/losses/combinations";
import { expectLossFunction, guardInputs } from "../preference/losses/loss";
import type { Tokenizer } from "../text";
import { expectTokenizer } from "../text/tokenizer";
import type { Tensor } from "../torch";
import { type TrainingArguments, trainingArguments } from "./arguments";
import { checkLoss, expectAnswersFor, rejectedRule } from "./lossCheck";
import { comparingMetrics, evaluationMetrics } from "./metrics/names";
import { isRunEntry } from "./output/entries";
import { scheduleProblems } from "./schedule";

/** Options of a {@link PreferenceTrainer}: what to train on what, and any of the settings of {@link trainingArguments}. */
export interface PreferenceTrainerOptions extends Partial<TrainingArguments> {
  /** If the model has an adapter, the adapter is trained, otherwise all weights. What it computes now is the reference. */
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
  /** Maximum number of tokens of a prompt and an answer together; null for no limit. Default: 1024, as in TRL. */
  maxLength?: number | null;
  /** Which end of a longer row is kept. Default: `keep_start`, as in TRL. */
  truncationMode?: TruncationMode;
  /** A checkpoint to resume from: its folder, or true for the newest in `outputDir`. */
  resumeFromCheckpoint?: string | boolean | null;
  /** The configuration to record in the first line of `metrics.jsonl`. Default: the settings. */
  config?: object;
  /**
   * What the settings in `config` are when they are left out.
   *
   * @internal
   */
  configDefaults?: Readonly<Record<string, unknown>>;
  /** Where the rows come from, for messages. */
  dataName?: string;
}

/** The options that are not settings of training. */
const OWN_OPTIONS: readonly (keyof PreferenceTrainerOptions)[] = [
  "model",
  "train",
  "evaluation",
  "tokenizer",
  "loss",
  "maxLength",
  "truncationMode",
  "resumeFromCheckpoint",
  "config",
  "configDefaults",
  "dataName",
];

/**
 * Throws unless a trainer can run with these options, as far as can be told without any work. The output folder is
 * checked when the run starts.
 *
 * @throws TypeError for an unknown option, with the nearest one, and for a value of the wrong type; RangeError for a number
 * out of range; InputError for an invalid setting or row
 */
export function checkTrainerOptions(options: PreferenceTrainerOptions): void {
  checkOptions("PreferenceTrainer", options, [...OWN_OPTIONS, ...Object.keys(trainingArguments)]);
  const { model, train, evaluation, tokenizer, resumeFromCheckpoint, config, dataName } = options;
  expectModel(model);
  const loss = lossOf(options);
  const rejected = rejectedRule(loss);
  expectRowsOrPairs(train, "train", rejected);
  if (evaluation !== undefined) expectRowsOrPairs(evaluation, "evaluation", rejected);
  if (tokenizer !== undefined) expectTokenizer(tokenizer);
  const ofLoss = checkLoss(loss, model.device);
  expectAnswersFor(loss, train, "train");
  expectAnswersFor(loss, evaluation ?? [], "evaluation");
  const expect = (name: string, value: unknown, holds: boolean, expected: string): void => {
    if (value !== undefined && !holds) throw new RangeError(`Expected ${expected} for '${name}' but received ${received(value)}`);
  };
  expectLengths(options);
  const canResume = resumeFromCheckpoint === null || ["string", "boolean"].includes(typeof resumeFromCheckpoint);
  expect("resumeFromCheckpoint", resumeFromCheckpoint, canResume, "a checkpoint's folder, true or false");
  expect("config", config, isObject(config), "an object");
  expect("dataName", dataName, typeof dataName === "string", "a string");
  const { metricForBestModel, ldAlpha, dpopTolerance } = readTrainingArguments(options);
  const unread = [...ldAlphaProblems(ldAlpha, [loss]), ...toleranceProblems(dpopTolerance, loss)];
  if (unread.length > 0) throw problemsError(unread);
  const compares = evaluation === undefined || evaluation.some(({ rejected }) => rejected !== undefined);
  const measured = evaluationMetrics.filter((metric) => compares || !comparingMetrics.includes(metric));
  if (metricForBestModel !== null) expectMetric(metricForBestModel, [...measured, ...ofLoss]);
}

/** The problem with a tolerance for a loss that takes none from the trainer. */
function toleranceProblems(tolerance: TrainingArguments["dpopTolerance"], loss: PreferenceLoss): Problem[] {
  if (tolerance === "auto" || loss.withTolerance) return [];
  const expected = "no 'dpop_tolerance' with a loss that takes none from the trainer";
  return [conflict("dpop_tolerance", expected, `${tolerance} with ${loss.name || "another loss"}; leave it out`)];
}

/**
 * The loss to train with.
 *
 * @throws TypeError unless it is a synchronous function; `checkLoss` checks what it returns
 */
export function lossOf({ loss }: Pick<PreferenceTrainerOptions, "loss">): PreferenceLoss {
  const given = loss ?? dpop();
  expectLossFunction(given, "loss");
  return guardInputs(given);
}

/** Checks the metric; with an unknown one, no evaluation would ever be the best. */
function expectMetric(metric: string, names: readonly string[]): void {
  const bare = metric.replace(/^eval_/, "");
  if (names.includes(bare)) return;
  throw new InputError(
    `Expected a metric of evaluations for 'metric_for_best_model' but received '${metric}'${didYouMean(bare, names)}`,
  );
}

/** Rows of text, or tokenised pairs. */
function expectRowsOrPairs(rows: unknown, name: string, rejected: RejectedRule): void {
  expectList(rows, name, "rows");
  if (!areTokenized(rows)) expectRows(rows, name, rejected);
}

/**
 * The settings of a run that is about to start. Also checks the environment and the output folder.
 *
 * @throws InputError for an output folder that cannot be used, or that holds one of the run's inputs
 */
export function readSettings(options: PreferenceTrainerOptions): TrainingArguments {
  expectOneProcess();
  const settings = readTrainingArguments(options);
  expectUsableFolder(settings.outputDir, "output_dir");
  expectApart(settings.outputDir, "output_dir", inputsOf(options), isRunEntry);
  return settings;
}

/**
 * The training settings among a trainer's options.
 *
 * @throws InputError that names every invalid setting
 */
function readTrainingArguments(options: PreferenceTrainerOptions): TrainingArguments {
  const values = Object.fromEntries(
    Object.entries(options).filter(([name]) => !(OWN_OPTIONS as readonly string[]).includes(name)),
  );
  const settings = readArguments(trainingArguments, values);
  const problems = scheduleProblems(settings);
  if (problems.length > 0) throw problemsError(problems);
  return settings;
}

/** The known inputs of the run, which its output must not replace. */
function inputsOf({ model, train, evaluation = [], dataName }: PreferenceTrainerOptions): Input[] {
  const data = [...originsOf(train), ...originsOf(evaluation), ...(dataName === undefined ? [] : [dataName])];
  return [
    ...(model.folder === undefined ? [] : [{ path: model.folder, option: "model", owner: "model's" }]),
    ...originsOf(model).map((path) => ({ path, option: "model", owner: "adapter's" })),
    ...data.map((path) => ({ path, option: "train", owner: "data's" })),
  ];
}
