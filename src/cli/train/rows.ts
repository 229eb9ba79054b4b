/**
 * The rows of a run: those to train on, and those to evaluate on, which come from another split, another source, or rows
 * held out of the training split.
 */

import { InputError } from "../../base/errors";
import { recordOrigin } from "../../base/files/inputFiles";
import { Random } from "../../base/random";
import { type LoadPreferencesOptions, loadPreferences, type RejectedRule, type TrainingRow } from "../../data";
import { MissingRejectedError } from "../../data/reading/columnMapping";
import { DataSet, splitNames } from "../../data/reading/dataFiles";
import { repoName } from "../../hub";
import { tell } from "../output";
import type { RunConfig } from "./arguments";

type RowsConfig = Pick<
  RunConfig,
  | "datasetName"
  | "datasetTrainSplit"
  | "datasetTestSplit"
  | "datasetConfig"
  | "columnMapping"
  | "evalDatasetName"
  | "evalDatasetConfig"
  | "testSplitSize"
  | "useWeighting"
  | "evalStrategy"
  | "seed"
>;

export interface LoadedRows {
  readonly train: TrainingRow[];
  readonly evaluation: TrainingRow[] | undefined;
}

/**
 * @param rejected whether every row must have a rejected answer, which follows from the loss
 * @throws InputError when a source cannot be read or has no rows to evaluate on
 */
export async function loadRows(config: RowsConfig, notes: string[], rejected: RejectedRule = "required"): Promise<LoadedRows> {
  const {
    datasetName,
    datasetTrainSplit,
    datasetTestSplit,
    datasetConfig,
    columnMapping,
    evalDatasetName,
    evalDatasetConfig,
    testSplitSize,
  } = config;
  const source = datasetName!;
  const said = new Set<string>();
  const options = {
    ...(columnMapping === null ? {} : { columnMapping }),
    rejected,
    settings: config.useWeighting ? "loss_type: sft and use_weighting: false" : "loss_type: sft",
    onNote: (line: string) => {
      if (!said.has(line)) tell(line); // two splits have the same columns
      said.add(line);
    },
  };
  const configured = (name: string | null) => (name === null ? options : { ...options, datasetConfig: name });
  const chosen = configured(datasetConfig);
  const train = await load(source, { ...chosen, split: datasetTrainSplit });
  const isEvaluated = config.evalStrategy !== "no";
  if (testSplitSize !== null) {
    if (!isEvaluated)
      notes.push("test_split_size holds rows out of training, but with eval_strategy no they are not evaluated either");
    const parts = holdOut(train, testSplitSize, config.seed);
    Object.values(parts).forEach((rows) => recordOrigin(rows, source));
    return isEvaluated ? parts : { ...parts, evaluation: undefined };
  }
  if (!isEvaluated) {
    if (evalDatasetName !== null) notes.push("eval_dataset_name is not read, since eval_strategy is no");
    return { train, evaluation: undefined };
  }
  if (evalDatasetName === null) {
    await expectTestSplit(config);
    return { train, evaluation: await load(source, { ...chosen, split: datasetTestSplit }) };
  }
  // dataset_config is that of dataset_name.
  const named = evalDatasetConfig ?? (evalDatasetName === source ? datasetConfig : null);
  const splits = await splitNames(evalDatasetName, { config: named ?? undefined });
  // A source with one split is used whole, unless a split other than the default is requested.
  const split = splits.length > 1 || datasetTestSplit !== "test" ? { split: datasetTestSplit } : {};
  return { train, evaluation: await load(evalDatasetName, { ...configured(named), ...split }) };
}

interface RowOptions extends LoadPreferencesOptions {
  readonly rejected: RejectedRule;
  /** Those with which chosen answers are enough. */
  readonly settings: string;
}

async function load(source: string, { settings, ...options }: RowOptions): Promise<TrainingRow[]> {
  try {
    return await loadPreferences(source, options);
  } catch (error) {
    if (!(error instanceof MissingRejectedError)) throw error;
    throw new InputError(`${error.message}; to train on chosen answers alone, set ${settings}`, { cause: error });
  }
}

/**
 * Checks the files of a source on this machine: that it has the config, and the split that a run evaluates on.
 *
 * @throws InputError that names the configs, or says where else rows for evaluation can come from
 */
export async function expectSplits(config: RowsConfig): Promise<void> {
  const { datasetConfig, evalDatasetName, testSplitSize, evalStrategy } = config;
  const source = config.datasetName!;
  if (repoName(source) !== undefined) return;
  const isTested = evalStrategy !== "no" && evalDatasetName === null && testSplitSize === null;
  if (isTested) await expectTestSplit(config);
  else await splitNames(source, { config: datasetConfig ?? undefined });
}

/** Checks that the split to evaluate on is there, and that no file of it is trained on. */
async function expectTestSplit(config: RowsConfig): Promise<void> {
  const { datasetTrainSplit: train, datasetTestSplit: test, datasetConfig } = config;
  const source = config.datasetName!;
  const set = await DataSet.open(source, { config: datasetConfig ?? undefined });
  const instead = "name another file with eval_dataset_name, hold rows out with test_split_size, or set eval_strategy: no";
  if (!set.has(test)) {
    const found = set.splitNames().map((each) => `'${each}'`);
    throw new InputError(
      `Expected the split '${test}' (dataset_test_split) in '${source}' to evaluate on but received ${found.join(", ")}; ${instead}`,
    );
  }
  const trained = new Set(set.files(train).map(({ path }) => path));
  const both = set.files(test).find(({ path }) => trained.has(path));
  if (both)
    throw new InputError(
      `Expected other files in the split '${test}' (dataset_test_split) than in '${train}' (dataset_train_split) but '${both.path}' ` +
        `is in both; ${instead}`,
    );
}

/**
 * Draws the held-out rows by the seed; both parts keep the order of the file. The count is that of
 * `datasets.train_test_split`: a share is rounded up.
 */
export function holdOut(
  rows: readonly TrainingRow[],
  size: number,
  seed: number,
): { train: TrainingRow[]; evaluation: TrainingRow[] } {
  const count = size < 1 ? Math.ceil(size * rows.length) : size;
  if (count >= rows.length)
    throw new InputError(
      `Expected a 'test_split_size' that leaves rows to train on, but ${size} holds out ${count} of ${rows.length} rows. Hold out fewer.`,
    );
  const drawn = new Set(new Random(seed, "test split").shuffled(rows.map((_, i) => i)).slice(0, count));
  return { train: rows.filter((_, i) => !drawn.has(i)), evaluation: rows.filter((_, i) => drawn.has(i)) };
}
