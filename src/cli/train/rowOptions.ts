/** Options shared by the commands that read preference rows: which rows to read, and how to name their columns. */
import { InvalidArgumentError, Option } from "commander";
import { parseRenaming } from "../../base/arguments";
import { type ColumnMapping, expectColumnMapping } from "../../data/reading/columnMapping";
import type { LoadPreferencesOptions } from "../../data/rows/preferences";
import { tell } from "../output";

export interface RowFlags {
  split?: string;
  datasetConfig?: string;
  columnMapping?: ColumnMapping;
}

export const splitOption = (): Option => new Option("--split <name>", "split of a folder or data set to read");

export const datasetConfigOption = (): Option =>
  new Option("--dataset-config <name>", "which of the configs declared in the data set's card; its default config when left out");

export const columnMappingOption = (): Option =>
  new Option(
    "--column-mapping <names>",
    "renames columns, from the file's name to smaug's: question=prompt,good=chosen",
  ).argParser(parseMapping);

/** The options for `loadPreferences`. */
export function rowOptions({ split, datasetConfig, columnMapping }: RowFlags): LoadPreferencesOptions {
  return {
    ...(split === undefined ? {} : { split }),
    ...(datasetConfig === undefined ? {} : { datasetConfig }),
    ...(columnMapping === undefined ? {} : { columnMapping }),
    onNote: tell,
  };
}

function parseMapping(text: string): ColumnMapping {
  const mapping = parseRenaming(text);
  if (!mapping) throw new InvalidArgumentError("Expected pairs such as question=prompt,good=chosen.");
  expectColumnMapping(mapping);
  return mapping;
}
