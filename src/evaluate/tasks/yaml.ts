/** Reads the keys of a task's YAML file and of the files it includes. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { InputError } from "../../base/errors";
import { didYouMean } from "../../base/names";
import { isObject, shown } from "../../base/values";

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

/** The keys of a task file, and of the files that it includes. */
export class TaskKeys {
  private constructor(
    readonly file: string,
    private readonly keys: Yaml,
  ) {}

  /** @throws InputError for a file that cannot be read, or an unknown key, with its nearest neighbour */
  static async read(file: string): Promise<TaskKeys> {
    return new TaskKeys(file, await readYaml(file, new Set()));
  }

  /** Where a key is, for messages. */
  place(key: string): string {
    return `'${key}' of '${this.file}'`;
  }

  /** The value of a key; undefined where it is missing. */
  value(key: string): unknown {
    return this.keys[key];
  }

  /** A text; null counts as missing. */
  text<D>(key: string, fallback: D): string | D {
    const value = this.value(key) ?? undefined;
    if (value === undefined) return fallback;
    if (typeof value === "string") return value;
    throw new InputError(`Expected a text for ${this.place(key)} but received ${shown(value)}`);
  }

  requiredText(key: string): string {
    const value = this.text(key, undefined);
    if (value === undefined) throw new InputError(`Expected a text for ${this.place(key)} but it is missing`);
    return value;
  }

  object(key: string): Yaml {
    return mappingOf(this.value(key), this.place(key));
  }
}

/** A file's own keys take precedence over those of the files that it includes, as in the harness. */
async function readYaml(file: string, read: Set<string>): Promise<Yaml> {
  if (read.has(resolve(file)))
    throw new InputError(`Expected task files to include '${file}' only once but received another include`);
  read.add(resolve(file));
  const { parseYaml, readYamlText } = await import("../../base/formats/yaml.js"); // YAML is only loaded for such tasks
  const source = readYamlText(file, "a task file");
  if (/!function\b/.test(source))
    throw new InputError(
      `Expected templates in '${file}' but received !function, which runs Python code; ` +
        "write the task as a JavaScript module (.mjs) instead",
    );
  const object = mappingOf(parseYaml(source, `'${file}'`), `'${file}'`);
  const unknown = Object.keys(object).find((key) => !KEYS.includes(key) && !IDLE.includes(key));
  if (unknown !== undefined)
    throw new InputError(
      `Expected a known key in '${file}' but received '${unknown}'${didYouMean(unknown, KEYS) || ";"} ` +
        `Known keys: ${KEYS.join(", ")}`,
    );
  const { include, ...own } = object;
  const names = include === undefined ? [] : [include].flat();
  let merged: Yaml = {};
  for (const name of names) {
    if (typeof name !== "string")
      throw new InputError(`Expected a file, or a list of files, for 'include' of '${file}' but received ${shown(include)}`);
    merged = { ...merged, ...(await readYaml(isAbsolute(name) ? name : join(dirname(file), name), read)) };
  }
  return { ...merged, ...own };
}

export function mappingOf(value: unknown, place: string): Yaml {
  if (value === undefined) return {};
  if (isObject(value)) return value;
  throw new InputError(`Expected an object for ${place} but received ${shown(value)}`);
}

/** Throws for a key that is not known: an unsupported setting would change the results. */
export function checkKeys(object: Yaml, known: readonly string[], place: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new InputError(`Expected ${known.join(", ")} in ${place} but received '${unknown}'`);
}
