/** The options of a trainer, checked when it is made: whatever is wrong shows before anything is loaded or computed. */
import { InputError } from "../base/errors";
import { didYouMean } from "../base/nearest";
import { checkOptions } from "../base/options";
import { received } from "../base/received";
import { isObject } from "../base/values";
import { expectList, expectRows } from "../data/givenRows";
import { areTokenized } from "../data/tokenizedPair";
import { expectModel } from "../models/expectModel";
import { dpop } from "../preference";
import { expectTokenizer } from "../text/expectTokenizer";
import { trainingArguments } from "./arguments";
import { checkLoss } from "./lossCheck";
import { evaluationMetrics } from "./metricNames";
import { type PreferenceTrainerOptions, readTrainingArguments } from "./preparation";

const NAMES: readonly (keyof PreferenceTrainerOptions)[] = [
  "model", "train", "evaluation", "tokenizer", "loss", "maxLength", "truncationMode", "resumeFromCheckpoint", "config", "dataName",
  ...(Object.keys(trainingArguments) as (keyof typeof trainingArguments)[]),
];

/**
 * Throws unless these are options that a trainer can run with, as far as that shows without work. The output folder is
 * looked at when the run begins.
 *
 * @throws TypeError for an unknown option, with the nearest one, and for a value of another kind; RangeError for a number
 * out of its range; InputError for a setting, or a row, that does not fit
 */
export function checkTrainerOptions(options: PreferenceTrainerOptions): void {
  checkOptions("PreferenceTrainer", options, NAMES);
  const { model, train, evaluation, tokenizer, loss, maxLength, truncationMode, resumeFromCheckpoint, config, dataName } = options;
  expectModel(model);
  expectRowsOrPairs(train, "train");
  if (evaluation !== undefined) expectRowsOrPairs(evaluation, "evaluation");
  if (tokenizer !== undefined) expectTokenizer(tokenizer);
  const ofLoss = checkLoss(loss ?? dpop(), model.parameters().next().value!.device);
  const expect = (name: string, value: unknown, holds: boolean, expected: string): void => {
    if (value !== undefined && !holds) throw new RangeError(`Expected ${expected} for '${name}' but received ${received(value)}`);
  };
  const isLength = maxLength === null || (Number.isSafeInteger(maxLength) && maxLength! > 1);
  expect("maxLength", maxLength, isLength, "an integer above 1, or null,");
  expect("truncationMode", truncationMode, ["keep_start", "keep_end"].includes(truncationMode!), `"keep_start" or "keep_end"`);
  const canResume = resumeFromCheckpoint === null || ["string", "boolean"].includes(typeof resumeFromCheckpoint);
  expect("resumeFromCheckpoint", resumeFromCheckpoint, canResume, "a checkpoint's folder, true or false");
  expect("config", config, isObject(config), "an object");
  expect("dataName", dataName, typeof dataName === "string", "a text");
  const { metricForBestModel } = readTrainingArguments(options);
  if (metricForBestModel !== null) expectMetric(metricForBestModel, [...evaluationMetrics, ...ofLoss]);
}

/** Without the check no evaluation would be the best one. */
function expectMetric(metric: string, names: readonly string[]): void {
  const bare = metric.replace(/^eval_/, "");
  if (names.includes(bare)) return;
  throw new InputError(
    `Expected a metric of evaluations for 'metric_for_best_model' but received '${metric}'${didYouMean(bare, names)}`,
  );
}

/** Rows in text, or pairs in tokens. */
function expectRowsOrPairs(rows: unknown, name: string): void {
  expectList(rows, name, "rows");
  if (!areTokenized(rows)) expectRows(rows, name);
}
