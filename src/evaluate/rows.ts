/**
 * The rows of tasks, with all their columns, from the files that the rule in data/reading/dataFiles.ts names. A task may be
 * about a part of a data set: a configuration of its card, a folder, or the rows with that value in their column
 * `subject`.
 */
import { expected, InputError } from "../base/errors";
import { excerpt, isObject, shown } from "../base/values";
import type { Row } from "../data/fields";
import { type DataFile, DataSet, dataFile } from "../data/reading/dataFiles";
import { streamLots } from "../data/reading/records";
import { hasNumber, rememberNumbers } from "../text/exactNumbers";

export interface PlacedRow {
  readonly row: Row;
  /** For messages, such as `'test.jsonl', line 3`. */
  readonly place: string;
}

export interface SplitOptions {
  split: string;
  subset?: string | undefined;
  /** Patterns of the files of a hub data set to fetch. Default: all data files. */
  files?: readonly string[] | undefined;
  /** Whether this is the split that is evaluated, not the one that examples come from. */
  evaluated: boolean;
}

/** cais/mmlu has all its subjects once more in a configuration of this name. */
const ALL = "all";

/**
 * The rows of one command's tasks. A file is read once and a source opened once, though 57 tasks may want it; all is
 * kept as long as this object is.
 */
export class TaskRows {
  private readonly sets = new Map<string, Promise<DataSet>>();
  private readonly files = new Map<string, Promise<PlacedRow[]>>();

  /**
   * The rows of one split. A source that is one file is the split that is evaluated, whatever its name.
   *
   * @throws InputError when the source has no such split, or no rows in it
   */
  async split(source: string, { split, subset, files, evaluated }: SplitOptions): Promise<PlacedRow[]> {
    const set = await this.open(source, files);
    const part = subset === undefined ? undefined : set.part(subset);
    const found = set.isFile ? wholeFile(set, source, split, evaluated) : splitFiles(part ?? set.part(ALL) ?? set, source, split);
    const rows = await this.read(found);
    const bySubject = subset !== undefined && !part && rows.some(({ row }) => row.subject !== undefined);
    const chosen = bySubject ? rows.filter(({ row }) => row.subject === subset) : rows;
    if (chosen.length > 0) return chosen;
    const what = bySubject ? `rows of the subject '${subset}'` : "rows";
    throw new InputError(`Expected ${what} in the split '${split}' of '${source}' but it is empty; name a source that has some`);
  }

  /** The rows of files that a task lists itself. */
  async ofFiles(paths: readonly string[]): Promise<PlacedRow[]> {
    const rows = await this.read(paths.map(dataFile));
    if (rows.length > 0) return rows;
    throw new InputError(`Expected rows in ${paths.map((path) => `'${path}'`).join(", ")} but received none`);
  }

  private open(source: string, files: readonly string[] | undefined): Promise<DataSet> {
    const key = JSON.stringify([source, files]);
    const configOption = "'subset' of the task (in a task file, 'dataset_name')";
    return kept(this.sets, key, () => DataSet.open(source, { files, configOption }));
  }

  private async read(files: readonly DataFile[]): Promise<PlacedRow[]> {
    const rows: PlacedRow[] = [];
    for (const file of files) for (const row of await kept(this.files, file.path, () => rowsOf(file))) rows.push(row);
    return rows;
  }
}

function kept<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = made.get(key);
  if (!value) made.set(key, (value = make()));
  return value;
}

function wholeFile(set: DataSet, source: string, split: string, evaluated: boolean): DataFile[] {
  if (evaluated) return set.files();
  throw new InputError(
    `Expected a folder with the split '${split}', where the examples come from, but '${source}' is one file; ` +
      "name a folder that has both splits, or ask for 0 examples",
  );
}

function splitFiles(set: DataSet, source: string, split: string): DataFile[] {
  const files = set.find(split);
  if (files.length > 0) return files;
  throw new InputError(
    `Expected files of the split '${excerpt(split)}' in '${source}' but received ${set.describe()}; a file's name says its ` +
      "split, such as 'test.jsonl'",
  );
}

async function rowsOf(file: DataFile): Promise<PlacedRow[]> {
  const rows: PlacedRow[] = [];
  const columns = { required: [], keepNulls: true };
  for await (const records of streamLots([file], { columns, form: "every row is a JSON object" }))
    for (const record of records) {
      const { value, place } = record;
      if (!isObject(value)) throw new InputError(expected("a JSON object", shown(value), { where: `in ${place}` }));
      // A template shows the numbers that JavaScript would change.
      if (hasNumber(value)) rememberNumbers(value, record.exact?.());
      rows.push({ row: value, place });
    }
  return rows;
}
