/** Checks the keys that say which rows a run reads, before any row is read. */
import { InputError } from "../base/errors";
import { type Problem, conflict } from "../base/problems";
import { expectColumnMapping } from "../data/columnMapping";
import type { RunConfig } from "./trainConfig";

/** An invalid column mapping, and two conflicting keys for evaluation rows. */
export function rowProblems({ columnMapping, evalDatasetName, testSplitSize }: RunConfig): Problem[] {
  const problems = columnMapping === null ? [] : mappingProblems(columnMapping);
  if (evalDatasetName !== null && testSplitSize !== null)
    problems.push(
      conflict(
        "test_split_size",
        `Expected one of 'eval_dataset_name' and 'test_split_size' but received ${evalDatasetName} and ${testSplitSize}: ` +
          "each says what to evaluate on. Leave one out.",
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
