/** Locates the rows of a task file. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { shown } from "../../base/values";
import { InputError } from "../../base/errors";
import type { Task } from "./task";
import { type Yaml, checkKeys, objectOf } from "./yaml";

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
    Object.entries(isList ? { train: files } : objectOf(files, `'data_files' in ${place}`)).map(([split, value]) => [
      split,
      [value].flat().map((each) => dataFile(each, path, { file, place: `'data_files' in ${place}` })),
    ]),
  );
  for (const split of splits)
    if (!Object.hasOwn(dataFiles, split))
      throw new InputError(
        `Expected the split '${split}' in 'data_files' in ${place} but found ` +
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
