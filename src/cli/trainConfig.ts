/**
 * What `smaug train` is asked to do: a YAML (or JSON) file with TRL's keys, and the command line, which overrides it.
 * Nothing is silently ignored: a key is a setting, or a note, or an error that says what to do.
 */
import { readYaml } from "../base/yaml";
import { InputError } from "../native/errors";
import { type ArgumentsOf, nearest, readArguments, snakeCase } from "../train/argument";
import { foreignKey, isTracker } from "./foreignKeys";
import { checkRowKeys } from "./rowKeys";
import { runArguments } from "./runArguments";

export type RunConfig = ArgumentsOf<typeof runArguments>;

export interface ResolvedConfig {
  readonly config: RunConfig;
  /** Keys that were passed over, and why, as lines. */
  readonly notes: readonly string[];
  /** Keys that the file or the command line gave. */
  readonly given: ReadonlySet<string>;
}

const noDifference = "makes no difference here";
const settings = new Map(Object.keys(runArguments).map((name) => [snakeCase(name), name]));

/** Reads `[config.yaml] [--key value ...]`. */
export function resolveConfig(args: readonly string[]): ResolvedConfig {
  const { file, options } = splitArguments(args);
  const notes: string[] = [];
  const fromFile = file === undefined ? {} : check(readConfigFile(file), file, notes);
  const fromLine = check(options, "the command line", notes);
  const values = { ...fromFile, ...fromLine };
  const place = file !== undefined && Object.keys(fromLine).length === 0 ? file : "";
  const config = readArguments(runArguments, values, { nameOf: snakeCase, place });
  for (const key of ["modelNameOrPath", "datasetName"] as const)
    if (config[key] === null)
      throw new InputError(`Expected '${snakeCase(key)}' in ${file ?? "the command line"} but received none: ${runArguments[key].help}`);
  checkRowKeys(config);
  return { config, notes, given: new Set(Object.keys(values)) };
}

/**
 * Drops what is foreign and harmless, with a note, and puts settings for what says the same as they do; refuses what
 * nobody knows and what is not supported.
 */
function check(values: Readonly<Record<string, unknown>>, place: string, notes: string[]): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  const implied: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    if (settings.has(key)) {
      known[key] = key === "report_to" ? oneReport(value, place) : value;
      continue;
    }
    const foreign = foreignKey(key, value);
    if (!foreign) {
      const near = nearest(key, [...settings.keys()]);
      throw new InputError(`Unknown key '${key}' in ${place}${near ? `; did you mean '${near}'?` : ""}`);
    }
    if ("error" in foreign)
      throw new InputError(`Expected no '${key}' in ${place} but received ${JSON.stringify(value)}: ${foreign.error}`);
    Object.assign(implied, foreign.settings);
    const overruled = Object.keys(foreign.settings).some((name) => Object.hasOwn(values, name));
    notes.push(`${key} (${place}) ${overruled ? noDifference : (foreign.note ?? noDifference)}`);
  }
  return { ...implied, ...known };
}

/**
 * TRL's `report_to` may be a list.
 *
 * @returns the one name that says the same; what fits none is left for the setting to refuse
 */
function oneReport(value: unknown, place: string): unknown {
  const list: unknown = typeof value === "string" ? value.split(/[\s,]+/) : value;
  const names: readonly unknown[] = Array.isArray(list) ? list : [list];
  const tracker = names.find(isTracker);
  if (tracker !== undefined)
    throw new InputError(
      `Expected tensorboard, none or all for 'report_to' in ${place} but received ${JSON.stringify(value)}: ` +
        `${String(tracker)} is TRL's and not supported; metrics.jsonl is always written, and TensorBoard events ` +
        "with tensorboard",
    );
  if (names.includes("all") && names.every((name) => name === "all" || name === "tensorboard")) return "all";
  if (names.length > 0 && names.every((name) => name === "tensorboard")) return "tensorboard";
  return names.every((name) => name === "none") ? "none" : value;
}

function readConfigFile(file: string): Record<string, unknown> {
  const value = readYaml(file, "a configuration"); // JSON is YAML too
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InputError(`Expected keys with values in ${file} but received ${value === null ? "an empty file" : typeof value}`);
}

/** `--learning_rate 1e-5`, `--learning-rate=1e-5`, `--use_peft`, and one file. */
function splitArguments(args: readonly string[]): { file: string | undefined; options: Record<string, unknown> } {
  let file: string | undefined;
  const options: Record<string, unknown> = {};
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("--")) {
      if (file !== undefined) throw new InputError(`Expected one configuration file but received ${file} and ${arg}`);
      file = arg;
      continue;
    }
    const [name, ...rest] = arg.slice(2).split("=");
    const key = name!.replaceAll("-", "_");
    if (Object.hasOwn(options, key)) throw new InputError(`Expected --${name} once but received it twice`);
    const next = args[i + 1];
    if (rest.length > 0) options[key] = rest.join("=");
    else if (next !== undefined && !next.startsWith("--")) options[key] = args[++i];
    else options[key] = true;
  }
  return { file, options };
}

/** The configuration as a YAML file would have it. */
export function toSnakeCase(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [snakeCase(name), value]));
}

/** All settings with their defaults, for `--help`. */
export function describeSettings(): string {
  const rows = Object.entries(runArguments).map(([name, { fallback, help }]) => {
    const shown = fallback === null ? "" : ` (${typeof fallback === "object" ? JSON.stringify(fallback) : String(fallback)})`;
    return `  ${snakeCase(name).padEnd(30)} ${help}${shown}`;
  });
  return ["Keys of the file, and options by the same names (default in parentheses):", ...rows].join("\n");
}
