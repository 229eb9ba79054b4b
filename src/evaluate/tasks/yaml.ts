/** Reads the keys of a task's YAML file and of the files it includes. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { shown } from "../../base/values";
import { InputError } from "../../base/errors";
import { nearest } from "../../base/names";

export type Yaml = Readonly<Record<string, unknown>>;

const KEYS = [
  "task",
  "task_alias",
  "dataset_path",
  "dataset_name",
  "output_type",
  "training_split",
  "validation_split",
  "test_split",
  "fewshot_split",
  "fewshot_config",
  "num_fewshot",
  "description",
  "doc_to_text",
  "doc_to_target",
  "doc_to_choice",
  "target_delimiter",
  "fewshot_delimiter",
  "metric_list",
  "generation_kwargs",
  "filter_list",
  "metadata",
  "repeats",
  "dataset_kwargs",
  "include",
];
/** Keys of the harness that do not affect results here. */
const IDLE = ["tag", "group", "should_decontaminate", "doc_to_decontamination_query"];

/** The keys of a file and of the files it includes; its own take precedence, as in the harness. */
export async function readTaskYaml(file: string, read = new Set<string>()): Promise<Yaml> {
  if (read.has(resolve(file)))
    throw new InputError(`Expected task files to include '${file}' only once but found another include`);
  read.add(resolve(file));
  const { parseYaml, readYamlText } = await import("../../base/formats/yaml.js");
  const source = readYamlText(file, "a task file");
  if (/!function\b/.test(source))
    throw new InputError(
      `Expected templates in '${file}' but found !function, which runs Python code; ` +
        "write the task as a JavaScript module (.mjs) instead",
    );
  const object = objectOf(parseYaml(source, `'${file}'`), `'${file}'`);
  for (const key of Object.keys(object))
    if (!KEYS.includes(key) && !IDLE.includes(key)) {
      const near = nearest(key, KEYS);
      throw new InputError(
        `Expected a known key in '${file}' but found '${key}'${near === undefined ? ";" : `; did you mean '${near}'?`} ` +
          `Known keys: ${KEYS.join(", ")}`,
      );
    }
  const { include, ...own } = object;
  const names = include === undefined ? [] : [include].flat();
  let merged: Yaml = {};
  for (const name of names) {
    if (typeof name !== "string")
      throw new InputError(`Expected a file, or a list of files, for 'include' of '${file}' but received ${shown(include)}`);
    merged = { ...merged, ...(await readTaskYaml(isAbsolute(name) ? name : join(dirname(file), name), read)) };
  }
  return { ...merged, ...own };
}

export function objectOf(value: unknown, place: string): Yaml {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Yaml;
  throw new InputError(`Expected an object for ${place} but received ${shown(value)}`);
}

/** Nothing is silently ignored: an unsupported setting would change the results. */
export function checkKeys(object: Yaml, known: readonly string[], place: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new InputError(`Expected ${known.join(", ")} in ${place} but found '${unknown}'`);
}
