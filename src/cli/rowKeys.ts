/** What can be wrong with the keys that say which rows a run reads, before any row is read. */
import { InputError } from "../base/errors";
import { expectColumnMapping } from "../data/columnMapping";
import type { RunConfig } from "./trainConfig";

/** @throws InputError when the mapping of columns is none, or two keys say what to evaluate on */
export function checkRowKeys({ columnMapping, evalDatasetName, testSplitSize }: RunConfig): void {
  if (columnMapping !== null) expectColumnMapping(columnMapping);
  if (evalDatasetName !== null && testSplitSize !== null)
    throw new InputError(
      `Expected one of 'eval_dataset_name' and 'test_split_size' but received ${evalDatasetName} and ${testSplitSize}: ` +
        "each says what to evaluate on. Leave one of them out.",
    );
}
