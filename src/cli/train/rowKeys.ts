/** Checks the keys that say which rows a run reads, before any row is read. */
import { InputError } from "../../base/errors";
import { conflict, type Problem } from "../../base/problems";
import { expectColumnMapping } from "../../data/reading/columnMapping";
import type { RunConfig } from "./arguments";

/** An invalid column mapping, conflicting keys for evaluation rows, and a config of data that is not named. */
export function rowProblems({ columnMapping, evalDatasetName, evalDatasetConfig, testSplitSize }: RunConfig): Problem[] {
  const problems = columnMapping === null ? [] : mappingProblems(columnMapping);
  if (evalDatasetName !== null && testSplitSize !== null)
    problems.push(
      conflict(
        ["test_split_size", "eval_dataset_name"],
        "one of 'eval_dataset_name' and 'test_split_size'",
        `${evalDatasetName} and ${testSplitSize}: each says what to evaluate on. Leave one out.`,
      ),
    );
  if (evalDatasetConfig !== null && evalDatasetName === null)
    problems.push(
      conflict(
        ["eval_dataset_config", "eval_dataset_name"],
        "'eval_dataset_name' with 'eval_dataset_config'",
        `only ${evalDatasetConfig}: dataset_config is that of dataset_name`,
      ),
    );
  return problems;
}

function mappingProblems(mapping: Readonly<Record<string, string>>): Problem[] {
  try {
    expectColumnMapping(mapping);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [conflict("column_mapping", error.message)];
  }
}
