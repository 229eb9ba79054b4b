/** Checks a trainer's options when it is created, before anything is loaded or computed. */
import { InputError } from "../base/errors";
import { didYouMean } from "../base/names";
import { checkOptions } from "../base/options";
import { received } from "../base/received";
import { isObject } from "../base/values";
import { expectList, expectRows } from "../data/rows/givenRows";
import { areTokenized } from "../data/tokenize/tokenizedPair";
import { expectModel } from "../models/expectModel";
import { type PreferenceLoss, dpop } from "../preference";
import { expectTokenizer } from "../text/expectTokenizer";
import { trainingArguments } from "./arguments";
import { checkLoss, expectAnswersFor } from "./lossCheck";
import { evaluationMetrics } from "./metrics/names";
import { type PreferenceTrainerOptions, readTrainingArguments } from "./prepare/prepare";
import { comparingMetrics } from "./metrics/names";

const NAMES: readonly (keyof PreferenceTrainerOptions)[] = [
  "model",
  "train",
  "evaluation",
  "tokenizer",
  "loss",
  "maxLength",
  "truncationMode",
  "resumeFromCheckpoint",
  "config",
  "dataName",
  ...(Object.keys(trainingArguments) as (keyof typeof trainingArguments)[]),
];

/**
 * Throws unless a trainer can run with these options, as far as can be told without any work. The output folder is
 * checked when the run starts.
 *
 * @throws TypeError for an unknown option, with the nearest one, and for a value of the wrong type; RangeError for a number
 * out of range; InputError for an invalid setting or row
 */
export function checkTrainerOptions(options: PreferenceTrainerOptions): void {
  checkOptions("PreferenceTrainer", options, NAMES);
  const { model, train, evaluation, tokenizer, loss, maxLength, truncationMode, resumeFromCheckpoint, config, dataName } =
    options;
  expectModel(model);
  expectRowsOrPairs(train, "train");
  if (evaluation !== undefined) expectRowsOrPairs(evaluation, "evaluation");
  if (tokenizer !== undefined) expectTokenizer(tokenizer);
  const ofLoss = checkLoss(loss ?? dpop(), model.parameters().next().value!.device);
  const own = (loss ?? dpop()) as PreferenceLoss;
  expectAnswersFor(own, train, "train");
  expectAnswersFor(own, evaluation ?? [], "evaluation");
  const expect = (name: string, value: unknown, holds: boolean, expected: string): void => {
    if (value !== undefined && !holds) throw new RangeError(`Expected ${expected} for '${name}' but received ${received(value)}`);
  };
  const isLength = maxLength === null || (Number.isSafeInteger(maxLength) && maxLength! > 1);
  expect("maxLength", maxLength, isLength, "an integer above 1, or null,");
  expect("truncationMode", truncationMode, ["keep_start", "keep_end"].includes(truncationMode!), `"keep_start" or "keep_end"`);
  const canResume = resumeFromCheckpoint === null || ["string", "boolean"].includes(typeof resumeFromCheckpoint);
  expect("resumeFromCheckpoint", resumeFromCheckpoint, canResume, "a checkpoint's folder, true or false");
  expect("config", config, isObject(config), "an object");
  expect("dataName", dataName, typeof dataName === "string", "a string");
  const { metricForBestModel } = readTrainingArguments(options);
  const compares = evaluation === undefined || evaluation.some(({ rejected }) => rejected !== undefined);
  const measured = evaluationMetrics.filter((metric) => compares || !comparingMetrics.includes(metric));
  if (metricForBestModel !== null) expectMetric(metricForBestModel, [...measured, ...ofLoss]);
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
function expectRowsOrPairs(rows: unknown, name: string): void {
  expectList(rows, name, "rows");
  if (!areTokenized(rows)) expectRows(rows, name);
}
