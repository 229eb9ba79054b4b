/** Where the rows of tasks are: what an option says, or else what a task file says. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { InputError } from "../../base/errors";
import { didYouMean } from "../../base/names";
import { isObject, received, shown } from "../../base/values";
import type { Task } from "./task";
import { checkKeys, mappingOf, type Yaml } from "./yaml";

/** The keys of a task file about its rows. */
export interface DataKeys {
  /** `dataset_path`. */
  readonly path: string;
  /** `dataset_name`. */
  readonly subset: string | undefined;
  /** `dataset_kwargs`. */
  readonly kwargs: Yaml;
  /** The splits that the task reads. */
  readonly splits: readonly string[];
}

/** Builders of the datasets library that read files of one format, which a task may name instead of a data set. */
const FORMATS = ["json", "parquet"];
const OTHER_FORMATS = ["csv", "text", "arrow", "xml", "pandas", "webdataset", "imagefolder", "audiofolder", "videofolder"];

/**
 * Where the rows are: a data set or, with `dataset_path: json` or `parquet`, the files in `data_files`, in the forms that
 * `datasets.load_dataset` takes: a path or a list is the split `train`, an object has the paths of each split, and
 * relative paths start at the working directory.
 */
export function dataOf(file: string, { path, subset, kwargs, splits }: DataKeys): Pick<Task, "dataset" | "subset" | "dataFiles"> {
  const place = `'dataset_kwargs' of '${file}'`;
  checkKeys(kwargs, ["trust_remote_code", "data_files"], place);
  const { data_files: files } = kwargs;
  if (OTHER_FORMATS.includes(path))
    throw new InputError(
      `Expected json, parquet or a data set for 'dataset_path' of '${file}' but received '${path}'; convert its files`,
    );
  if (!FORMATS.includes(path)) {
    if (files !== undefined)
      throw new InputError(
        `Expected no 'data_files' in ${place} with the data set '${path}' but received ${shown(files)}; ` +
          "name files with dataset_path: json or parquet",
      );
    const beside = resolve(dirname(file), path);
    return { dataset: existsSync(beside) ? beside : path, ...(subset === undefined ? {} : { subset }) };
  }
  if (files === undefined)
    throw new InputError(`Expected 'data_files' in ${place}, since 'dataset_path' is ${path}, but it is missing`);
  const isList = typeof files === "string" || Array.isArray(files);
  const dataFiles = Object.fromEntries(
    Object.entries(isList ? { train: files } : mappingOf(files, `'data_files' in ${place}`)).map(([split, value]) => [
      split,
      [value].flat().map((each) => dataFile(each, path, { file, place: `'data_files' in ${place}` })),
    ]),
  );
  for (const split of splits)
    if (!Object.hasOwn(dataFiles, split))
      throw new InputError(
        `Expected the split '${split}' in 'data_files' in ${place} but received ` +
          `${Object.keys(dataFiles).join(", ") || "none"}${isList ? ", the default for files without a split" : ""}`,
      );
  return { dataset: path, dataFiles };
}

function dataFile(path: unknown, format: string, { file, place }: { file: string; place: string }): string {
  if (typeof path !== "string" || path === "") throw new InputError(`Expected a path for ${place} but received ${shown(path)}`);
  if (/^[a-z][\w+.-]*:\/\//i.test(path))
    throw new InputError(`Expected a local path for ${place} but received '${path}'; download it, or name its data set`);
  if (existsSync(path)) {
    if (/\.parquet$/.test(path) !== (format === "parquet"))
      throw new InputError(`Expected files in the format of 'dataset_path', ${format}, for ${place} but received '${path}'`);
    return path;
  }
  if (/[*?[\]]/.test(path))
    throw new InputError(`Expected a path for ${place} but received the pattern '${path}'; list the files`);
  const beside = resolve(dirname(file), path);
  throw new InputError(
    `Expected a file at '${path}' for ${place} but there is none; a relative path starts at the working directory` +
      (existsSync(beside) ? `: run the command there, or name '${beside}'` : ""),
  );
}

/** A folder with one folder or file a task, named for it; or for each task a file, a folder or a hub id. */
export type TaskData = string | Readonly<Record<string, string>>;

/** What a source may be given for: the task itself, or what it is a part of. */
interface Named {
  readonly name: string;
  readonly family?: string;
}

/** The source of one task; nothing where the task's own data set is to be read. */
export async function sourceOf({ name, family }: Named, data: TaskData | undefined): Promise<string | undefined> {
  if (data === undefined) return undefined;
  if (typeof data !== "string") return data[name] ?? (family === undefined ? undefined : data[family]);
  const there = await readdir(data).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new InputError(
      `Expected a folder with the tasks' data at '${data}' but ${isMissing ? "there is none" : `it cannot be read: ${(error as Error).message}`}`,
    );
  });
  for (const wanted of [name, family]) {
    const found = there.find((each) => each === wanted || each.replace(/\.(jsonl|json|parquet)$/, "") === wanted);
    if (found !== undefined) return join(data, found);
  }
  const names = there.map((each) => `'${each}'`).join(", ");
  throw new InputError(
    `Expected a folder or file named '${family ?? name}' in '${data}' but received ${names || "nothing"}; ` +
      `to name it directly, say for which task it is: ${family ?? name}=${data}`,
  );
}

/** Rejects a source for a name that is not a task: the hub would be asked in its place. */
export function expectTasks(data: TaskData | undefined, known: readonly string[]): void {
  if (data === undefined || typeof data === "string") return;
  if (!isObject(data) || !Object.values(data).every((source) => typeof source === "string"))
    throw new TypeError(`Expected a folder, or an object with a source for each task, for 'data' but received ${received(data)}`);
  for (const name of Object.keys(data)) {
    if (known.includes(name)) continue;
    throw new InputError(`Expected the name of a task for each source but received '${name}'` + didYouMean(name, known));
  }
}
