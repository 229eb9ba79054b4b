/**
 * The configuration of `smaug train`: a YAML (or JSON) file with TRL's keys, and the command line, which overrides it.
 * Nothing is silently ignored: every key is a setting, a note, or part of the one error that names everything to change.
 */

import { type Argument, checkArguments, itemsOf } from "../../base/arguments";
import { InputError } from "../../base/errors";
import { shellQuoted } from "../../base/files/paths";
import { readYaml } from "../../base/formats/yaml";
import { nearest, snakeCase } from "../../base/names";
import { type Problem, problemsError, unfit, unknown, unwanted } from "../../base/problems";
import { isObject, shown } from "../../base/values";
import { type RunConfig, runArguments } from "./arguments";
import { type Answer, foreignKey, isTracker } from "./keys";
import { runProblems, unreadSettings } from "./problems";
import { splitArguments } from "./splitArguments";

export interface ResolvedConfig {
  readonly config: RunConfig;
  /** What was ignored or read as something else, and why, one line each. */
  readonly notes: readonly string[];
  /** Keys that the file or the command line gave. */
  readonly given: ReadonlySet<string>;
  /** The configuration file. */
  readonly file: string | undefined;
}

const table: Readonly<Record<string, Argument<unknown>>> = Object.fromEntries(
  Object.entries(runArguments).map(([name, argument]) => [snakeCase(name), argument]),
);

/** New names of settings. */
const aliases: Readonly<Record<string, string>> = { activation_checkpointing: "gradient_checkpointing" };

/**
 * Reads `[config.yaml] [--key value ...]`.
 *
 * @throws InputError that names every key and value to change, in the file and on the command line, and what to write
 * instead
 */
export function resolveConfig(args: readonly string[]): ResolvedConfig {
  const { file, options, problems } = splitArguments(args);
  const sources: Source[] = [];
  if (file !== undefined)
    sources.push({ where: ` in ${file}`, values: readConfigFile(file), written: (key, value) => `${key}: ${asYaml(value)}` });
  sources.push({ where: " on the command line", values: options, written: (key, value) => `--${key} ${asArgument(value)}` });
  const reading = new Reading(sources);
  reading.problems.push(...problems.map((problem) => ({ ...problem, source: sources.at(-1)! })));
  return { ...reading.resolve(), file };
}

/** The file, or the command line. */
interface Source {
  /** " in dpop.yaml" */
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** A setting as it is written in this source. */
  written(key: string, value: unknown): string;
}

/** Reads the keys and collects settings, notes and problems. */
class Reading {
  readonly problems: (Problem & { source: Source })[] = [];
  private readonly notes: string[] = [];
  private readonly moot: string[] = [];
  /** Settings, with the key and source each came from. */
  private readonly settings = new Map<string, { value: unknown; key: string; source: Source }>();
  /** Everything given; the command line overrides the file. */
  private readonly all: Readonly<Record<string, unknown>>;

  constructor(private readonly sources: readonly Source[]) {
    this.all = Object.assign(Object.create(null), ...sources.map(({ values }) => values)) as Record<string, unknown>;
  }

  resolve(): Omit<ResolvedConfig, "file"> {
    for (const source of this.sources) this.readSource(source);
    const values = Object.fromEntries([...this.settings].map(([name, { value }]) => [name, value]));
    const { settings: config, problems } = checkArguments(runArguments, values, snakeCase);
    const given = new Set(this.settings.keys());
    const unfitKeys = new Set(problems.map(({ key }) => key));
    // A conflict between two settings means nothing while one of them is invalid.
    const together = runProblems(config).filter((problem) => !problem.keys.some((key) => unfitKeys.has(key)));
    for (const problem of [...problems, ...together]) this.problems.push(this.located(problem));
    this.moot.push(...unreadSettings(config, new Set([...given].filter((key) => !unfitKeys.has(key)))));
    if (this.problems.length > 0) throw this.error();
    if (this.moot.length > 0) this.notes.push(`these have no effect: ${this.moot.join(", ")}`);
    return { config, notes: this.notes, given };
  }

  private error(): InputError {
    const places = this.sources.filter((source) => this.problems.some((problem) => problem.source === source));
    // Options the user has just typed need no location.
    const where = places.length === 1 && places[0] === this.sources.at(-1) ? "" : places.map((place) => place.where).join(" and");
    const postscript = this.moot.length > 0 ? `These have no effect and can stay: ${this.moot.join(", ")}` : "";
    return problemsError(this.problems, where, postscript);
  }

  /** The problem, under the key that the user wrote, and where it is. */
  private located(problem: Problem): Problem & { source: Source } {
    const { key = problem.key, source = this.sources[0]! } = this.settings.get(problem.key) ?? {};
    const sentence = (where: string) =>
      aliases[key] === problem.key ? problem.sentence(where).replace(`'${problem.key}'`, `'${key}'`) : problem.sentence(where);
    return { ...problem, key, source, sentence };
  }

  private readSource(source: Source): void {
    const own: [string, unknown, string][] = [];
    for (const [key, value] of Object.entries(source.values)) {
      if (this.isOverridden(key, source)) continue;
      const name = aliases[key] ?? key;
      if (Object.hasOwn(table, name)) {
        if (name === key || !isNull(value)) own.push([name, key === "report_to" ? this.reportTo(value) : value, key]);
      } else this.readForeign(key, value, source);
    }
    own.sort(([a, , aKey], [b, , bKey]) => Number(a !== aKey) - Number(b !== bKey)); // a new name wins, as in transformers
    for (const [name, value, key] of own) this.settings.set(name, { value, key, source });
  }

  /** Whether the command line overrides a key of the file. */
  private isOverridden(key: string, source: Source): boolean {
    const line = this.sources.at(-1)!;
    return source !== line && Object.hasOwn(line.values, key);
  }

  private readForeign(key: string, value: unknown, source: Source): void {
    const foreign = foreignKey(key, value, this.all);
    if (foreign) this.take(key, value, source, foreign);
    else this.problems.push({ ...unknown(key, nearest(key, [...Object.keys(table), ...Object.keys(aliases)])), source });
  }

  private take(key: string, value: unknown, source: Source, { owner, answer }: { owner: string; answer: Answer }): void {
    if (answer.kind === "moot") {
      this.moot.push(answer.because ? `${key} (${answer.because})` : key);
    } else if (answer.kind === "read") {
      const sources = this.sources.slice(this.sources.indexOf(source)); // those before it are overridden
      const overruled = Object.keys(answer.settings).some((name) => sources.some(({ values }) => Object.hasOwn(values, name)));
      if (overruled) this.moot.push(key);
      else this.notes.push(`${key} ${answer.note}`);
      for (const [name, each] of Object.entries(answer.settings)) this.settings.set(name, { value: each, key, source });
    } else {
      const { says, line } = answer.kind === "write" ? this.instead(key, answer, source) : leftOut(owner, answer.because);
      const heading = `${owner} keys, and what to write instead:`;
      this.problems.push({ ...unwanted(key, value, `it is ${owner}${says}`, heading, line), source });
    }
  }

  /** What to write instead of a key; the rest of the configuration is checked as if that were already written. */
  private instead(
    key: string,
    { settings, because }: Answer & { kind: "write" },
    source: Source,
  ): { says: string; line: string } {
    const isGiven = (name: string) => Object.hasOwn(this.all, name);
    const open = Object.entries(settings).filter(([name]) => !isGiven(name));
    if (open.length === 0) {
      const line = `leave it out; ${Object.keys(settings).join(" and ")} ${Object.keys(settings).length === 1 ? "is" : "are"} already set`;
      return { says: `: ${line}`, line };
    }
    const parts: string[] = [];
    const unfitting: string[] = [];
    for (const [name, value] of open) {
      const argument = table[name];
      if (argument && argument.read(value) === undefined) {
        const { wayOut, line } = unfit(name, argument.expected, shown(value), argument.wayOut?.(value));
        unfitting.push(wayOut ?? `write ${name}; ${line}`);
        continue;
      }
      if (argument) this.settings.set(name, { value, key, source });
      parts.push(source.written(name, value));
    }
    const line =
      [...(parts.length > 0 ? [`write ${parts.join(" and ")}`] : []), ...unfitting].join("; ") + (because ? ` (${because})` : "");
    return { says: `; ${line}`, line };
  }

  /** TRL's `report_to` may be a list and may name trackers, which never stop a run. */
  private reportTo(value: unknown): unknown {
    const names = isNull(value) ? [] : itemsOf(value);
    const others = names.filter(isTracker);
    if (others.length > 0) {
      this.notes.push(
        `report_to: ${others.join(", ")} is not supported; metrics.jsonl and TensorBoard events (output_dir/runs) are written instead`,
      );
      return names.every((name) => isTracker(name) || name === "tensorboard" || name === "all") ? "tensorboard" : value;
    }
    if (names.includes("all") && names.every((name) => name === "all" || name === "tensorboard")) return "all";
    if (names.length > 0 && names.every((name) => name === "tensorboard")) return "tensorboard";
    return names.every((name) => name === "none") ? "none" : value;
  }
}

/** The answer to a key without an equivalent, to follow "it is axolotl's". */
function leftOut(owner: string, because: string): { says: string; line: string } {
  const line = because === "" ? "not supported; leave it out" : `leave it out; ${because}`;
  return { says: owner === "TRL's" ? ` and not supported${because && `; ${because}`}` : `; ${line}`, line };
}

function isNull(value: unknown): boolean {
  return value === null || value === "null";
}

function readConfigFile(file: string): Record<string, unknown> {
  const value = readYaml(file, "a configuration"); // JSON is YAML too
  if (isObject(value)) return value;
  throw new InputError(
    `Expected keys with values in ${file} but received ${value === null ? "an empty file" : Array.isArray(value) ? "a list" : typeof value}`,
  );
}

/** A value as one line of YAML. */
function asYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(asYaml).join(", ")}]`;
  if (isObject(value))
    return `{ ${Object.entries(value)
      .map(([key, each]) => `${asYaml(key)}: ${asYaml(each)}`)
      .join(", ")} }`;
  if (typeof value !== "string") return JSON.stringify(value);
  const isPlain =
    /^[A-Za-z_./<][\w./@<> -]*$/.test(value) &&
    !/^(true|false|null|yes|no|on|off|y|n|\.inf|\.nan)$/i.test(value) &&
    Number.isNaN(Number(value));
  return isPlain && !value.endsWith(" ") ? value : JSON.stringify(value);
}

function asArgument(value: unknown): string {
  if (Array.isArray(value)) return value.map((each) => shellQuoted(String(each))).join(" ");
  return shellQuoted(isObject(value) ? JSON.stringify(value) : String(value));
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
  return [
    "Keys of the file, and options by the same names, --max_steps or --max-steps (default in parentheses). A list is written",
    "q_proj v_proj, q_proj,v_proj or [q_proj, v_proj]. Unsupported keys of TRL, and keys of axolotl and LLaMA-Factory,",
    "are answered with what to write instead.",
    ...rows,
  ].join("\n");
}
