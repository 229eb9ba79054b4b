/** Options of the commands that read preference rows: which of a source's rows, and under which names. */
import { InvalidArgumentError, Option } from "commander";
import { type ColumnMapping, expectColumnMapping } from "../data/columnMapping";
import type { LoadPreferencesOptions } from "../data/preferences";
import { parseRenaming } from "../train/argument";
import { tell } from "./output";

export interface RowFlags {
  split?: string;
  datasetConfig?: string;
  columnMapping?: ColumnMapping;
}

export const splitOption = (): Option => new Option("--split <name>", "which split of a folder or data set");

export const datasetConfigOption = (): Option =>
  new Option("--dataset-config <name>", "which of the configs that the data's card declares; the card's default when left out");

export const columnMappingOption = (): Option =>
  new Option("--column-mapping <names>", "the file's names of columns with ours: question=prompt,good=chosen").argParser(parseMapping);

/** What `loadPreferences` is asked for. */
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
