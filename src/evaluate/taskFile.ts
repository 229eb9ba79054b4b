/**
 * A user's own task from a YAML file: the keys of lm-evaluation-harness that say where rows are and how a prompt is
 * written, with Jinja templates. What would run Python (`!function`, `process_docs`) is an error that says so.
 */
import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { checkPatternSize, compilePattern } from "../base/patterns";
import { shown } from "../base/values";
import { InputError } from "../native/errors";
import { strip } from "../jinja";
import { nearest } from "../train/argument";
import { RowError } from "./fields";
import { type AnswerFilter, type MatchRules, placedFilter } from "./filters";
import { Template } from "./template";
import type { ChoiceMetric, Row, Task } from "./task";

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
];
/** Keys of the harness that change no number here. */
const IDLE = ["tag", "group", "should_decontaminate", "doc_to_decontamination_query"];
const CHOICE_METRICS = ["acc", "acc_norm", "acc_bytes"];

type Yaml = Readonly<Record<string, unknown>>;
type Read<T> = (row: Row) => T;

/** @throws InputError for a file that cannot be read, an unknown key, with its nearest neighbour, or a wrong value */
export async function readTaskFile(file: string): Promise<Task> {
  const yaml = await parsed(file);
  const place = (key: string) => `'${key}' of '${file}'`;
  const text = <D>(key: string, otherwise: D): string | D => {
    const value = yaml[key] ?? undefined;
    if (value === undefined) return otherwise;
    if (typeof value === "string") return value;
    throw new InputError(`Expected a text for ${place(key)} but received ${shown(value)}`);
  };
  const required = (key: string): string => {
    const value = text(key, undefined);
    if (value === undefined) throw new InputError(`Expected a text for ${place(key)} but it is missing`);
    return value;
  };
  const kind = text("output_type", "generate_until");
  if (kind !== "multiple_choice" && kind !== "generate_until")
    throw new InputError(
      `Expected multiple_choice or generate_until for ${place("output_type")} but received '${kind}'`,
    );

  const unused = kind === "multiple_choice" ? ["generation_kwargs", "filter_list"] : ["doc_to_choice"];
  for (const key of unused)
    if (yaml[key] !== undefined)
      throw new InputError(`Expected no ${place(key)} beside ${kind}, which has no use for it`);
  const { repeats = 1, dataset_kwargs: kwargs } = yaml;
  if (repeats !== 1) throw new InputError(`Expected 1 for ${place("repeats")} but received ${shown(repeats)}`);
  checkKeys(objectOf(kwargs, place("dataset_kwargs")), ["trust_remote_code"], place("dataset_kwargs"));

  const [training, validation, test] = ["training_split", "validation_split", "test_split"].map((key) =>
    text(key, undefined),
  );
  const split = test ?? validation;
  if (split === undefined)
    throw new InputError(`Expected 'test_split' or 'validation_split' in '${file}' but found neither`);
  const fewshotSplit = text("fewshot_split", undefined);
  const shots = yaml["num_fewshot"] ?? 0;
  if (!Number.isSafeInteger(shots) || (shots as number) < 0)
    throw new InputError(`Expected an integer from 0 on for ${place("num_fewshot")} but received ${shown(shots)}`);
  const path = required("dataset_path");
  const beside = resolve(dirname(file), path);
  const subset = text("dataset_name", undefined);
  const common = {
    name: text("task", basename(file).replace(/\.ya?ml$/, "")),
    alias: text("task_alias", text("task", basename(file))),
    version: ((yaml["metadata"] as Yaml | undefined)?.["version"] as number | undefined) ?? 0,
    dataset: existsSync(beside) ? beside : path,
    ...(subset === undefined ? {} : { subset }),
    split,
    shotSplit: fewshotSplit ?? training ?? validation ?? test!,
    shots: shots as number,
    shotsFixed: yaml["num_fewshot"] === 0, // an option changes only what is not said, as in the harness
    sampler: samplerOf(yaml["fewshot_config"], place("fewshot_config")),
    drawSpare: fewshotSplit === test, // as in the harness, where none is equal to none
    description: text("description", ""),
    targetDelimiter: text("target_delimiter", " "),
    shotDelimiter: text("fewshot_delimiter", "\n\n"),
  } as const;
  const prompt = await textReader(required("doc_to_text"), place("doc_to_text"));
  if (kind === "generate_until") {
    const target = await textReader(required("doc_to_target"), place("doc_to_target"));
    const generation = objectOf(yaml["generation_kwargs"], place("generation_kwargs"));
    return {
      kind: "answer",
      ...common,
      ...generationOf(generation, common.shotDelimiter, place("generation_kwargs")),
      filters: filtersOf(yaml["filter_list"], place("filter_list")),
      match: matchOf(yaml["metric_list"], place("metric_list")),
      item: (row) => ({ text: prompt(row), target: target(row) }),
    };
  }
  const choices = await choiceReader(yaml["doc_to_choice"], place("doc_to_choice"));
  const gold = await goldReader(yaml["doc_to_target"], place("doc_to_target"));
  return {
    kind: "choice",
    ...common,
    metrics: choiceMetrics(yaml["metric_list"], place("metric_list")),
    item: (row) => {
      const options = choices(row);
      return { text: prompt(row), choices: options, gold: gold(row, options) };
    },
  };
}

async function parsed(file: string): Promise<Yaml> {
  const { parseYaml, readYamlText } = await import("../base/yaml.js");
  const source = readYamlText(file, "a task file");
  if (/!function\b/.test(source))
    throw new InputError(
      `Expected templates in '${file}' but found !function, which runs Python; ` +
        "write a task in JavaScript (the 'tasks' of 'evaluate') instead",
    );
  const yaml = parseYaml(source, `'${file}'`);
  const object = objectOf(yaml, `'${file}'`);
  for (const key of Object.keys(object))
    if (!KEYS.includes(key) && !IDLE.includes(key)) {
      const near = nearest(key, KEYS);
      throw new InputError(
        `Expected a known key in '${file}' but found '${key}'${near === undefined ? ";" : `; did you mean '${near}'?`} ` +
          `There are ${KEYS.join(", ")}`,
      );
    }
  return object;
}

/** A column's text, or a template's. */
async function textReader(source: string, place: string): Promise<Read<string>> {
  if (!/\{[{%#]/.test(source)) {
    const plain = await Template.parse(source, place);
    return (row) => (Object.hasOwn(row, source) ? String(row[source]) : plain.render(row));
  }
  const template = await Template.parse(source, place);
  return (row) => template.render(row);
}

async function choiceReader(value: unknown, place: string): Promise<Read<string[]>> {
  const listOf = (list: unknown): string[] => {
    if (Array.isArray(list) && list.length > 1 && list.every((each) => typeof each === "string"))
      return list as string[];
    throw new RowError(`Expected a list of at least two texts for ${place} but found ${shown(list)}`);
  };
  if (Array.isArray(value)) {
    const fixed = listOf(value.map(String));
    return () => fixed;
  }
  if (typeof value !== "string")
    throw new InputError(`Expected a list, a column or a template for ${place} but received ${shown(value)}`);
  if (!value.includes("{{")) return (row) => listOf(row[value]);
  const template = await Template.expression(value, place);
  return (row) => listOf(template.evaluate(row));
}

/** Which choices are right: an index or a choice's text, from a column or a template, or a list of indices. */
async function goldReader(
  value: unknown,
  place: string,
): Promise<(row: Row, choices: readonly string[]) => number | number[]> {
  const indexOf = (found: unknown, choices: readonly string[]): number => {
    const gold =
      typeof found === "string" ? (/^\d+$/.test(found) ? Number(found) : choices.indexOf(found)) : (found as number);
    if (Number.isSafeInteger(gold) && gold >= 0 && gold < choices.length) return gold;
    throw new RowError(
      `Expected one of the ${choices.length} choices for ${place} but found ${shown(found)}: no choice is right`,
    );
  };
  const check = (found: unknown, choices: readonly string[]) =>
    Array.isArray(found) && found.length > 0 ? found.map((each) => indexOf(each, choices)) : indexOf(found, choices);
  if (typeof value === "number") return (_, choices) => check(value, choices);
  if (typeof value !== "string")
    throw new InputError(`Expected an index, a column or a template for ${place} but received ${shown(value)}`);
  if (!value.includes("{{")) return (row, choices) => check(row[value], choices);
  const trimmed = value.trim();
  const isExpression = trimmed.startsWith("{{") && trimmed.endsWith("}}") && trimmed.indexOf("{{", 2) < 0;
  const template = isExpression ? await Template.expression(value, place) : await Template.parse(value, place);
  return (row, choices) => check(isExpression ? template.evaluate(row) : template.render(row), choices);
}

function samplerOf(value: unknown, place: string): "random" | "first" {
  const config = objectOf(value, place);
  checkKeys(config, ["sampler"], place);
  const { sampler = "default" } = config;
  if (sampler === "default") return "random";
  if (sampler === "first_n") return "first";
  throw new InputError(`Expected default or first_n for 'sampler' in ${place} but received ${shown(sampler)}`);
}

function metricsOf(value: unknown, known: readonly string[], place: string): Yaml[] {
  const list = value === undefined ? known.slice(0, 1).map((metric) => ({ metric })) : value;
  if (!Array.isArray(list)) throw new InputError(`Expected a list for ${place} but received ${shown(value)}`);
  return list.map((each) => {
    const entry = objectOf(each, place);
    const { metric, aggregation = "mean" } = entry;
    const rules = metric === "exact_match" ? ["ignore_case", "ignore_punctuation", "regexes_to_ignore"] : [];
    checkKeys(entry, ["metric", "aggregation", "higher_is_better", ...rules], place);
    if (!known.includes(metric as string))
      throw new InputError(`Expected ${known.join(" or ")} for 'metric' in ${place} but received ${shown(metric)}`);
    if (aggregation !== "mean")
      throw new InputError(`Expected mean for 'aggregation' in ${place} but received ${shown(aggregation)}`);
    return entry;
  });
}

function choiceMetrics(value: unknown, place: string): ChoiceMetric[] {
  return metricsOf(value, CHOICE_METRICS, place).map(({ metric }) => metric as ChoiceMetric);
}

function matchOf(value: unknown, place: string): MatchRules {
  const [
    {
      ignore_case: ignoreCase = false,
      ignore_punctuation: ignorePunctuation = false,
      regexes_to_ignore: regexes = [],
    } = {},
  ] = metricsOf(value, ["exact_match"], place);
  if (!Array.isArray(regexes))
    throw new InputError(`Expected a list for 'regexes_to_ignore' in ${place} but received ${shown(regexes)}`);
  return {
    ignoreCase: ignoreCase === true,
    ignorePunctuation: ignorePunctuation === true,
    regexesToIgnore: (regexes as unknown[]).map((source) => regexOf(source, place)),
  };
}

function generationOf(options: Yaml, delimiter: string, place: string): { until: string[]; maxTokens: number } {
  checkKeys(options, ["until", "max_gen_toks", "do_sample", "temperature"], place);
  const { until = [delimiter], max_gen_toks: maxTokens = 256, do_sample: sampled = false, temperature = 0 } = options;
  if (sampled !== false || temperature !== 0)
    throw new InputError(`Expected greedy generation in ${place} but it asks for sampling`);
  if (!Number.isSafeInteger(maxTokens) || (maxTokens as number) < 1)
    throw new InputError(`Expected a positive integer for 'max_gen_toks' in ${place} but received ${shown(maxTokens)}`);
  const texts = [until].flat();
  if (texts.some((each) => typeof each !== "string" || each === ""))
    throw new InputError(`Expected texts for 'until' in ${place} but received ${shown(until)}`);
  return { until: texts as string[], maxTokens: maxTokens as number };
}

function filtersOf(value: unknown, place: string): AnswerFilter[] {
  if (value === undefined) return [{ name: "none", apply: (answer) => answer }];
  if (!Array.isArray(value)) throw new InputError(`Expected a list for ${place} but received ${shown(value)}`);
  return value.map((each) => {
    const { name, filter } = objectOf(each, place);
    if (typeof name !== "string" || !Array.isArray(filter))
      throw new InputError(`Expected a 'name' and a list 'filter' in ${place} but received ${shown(each)}`);
    const steps = filter.map((step) => stepOf(objectOf(step, place), place));
    return { name, apply: (answer) => steps.reduce((text, step) => step(text), answer) };
  });
}

function stepOf({ function: name, ...options }: Yaml, place: string): (text: string) => string {
  switch (name) {
    case "take_first":
      return (text) => text;
    case "remove_whitespace":
      return (text) => strip(text, "strip");
    case "lowercase":
      return (text) => text.toLowerCase();
    case "uppercase":
      return (text) => text.toUpperCase();
    case "regex": {
      const { regex_pattern: pattern, group_select: select = 0, fallback = "[invalid]" } = options;
      if (!Number.isSafeInteger(select))
        throw new InputError(`Expected an integer for 'group_select' in ${place} but received ${shown(select)}`);
      if (typeof fallback !== "string")
        throw new InputError(`Expected a text for 'fallback' in ${place} but received ${shown(fallback)}`);
      return placedFilter("", regexOf(pattern, place), { select: select as number, fallback, place }).apply;
    }
    default:
      throw new InputError(
        "Expected regex, take_first, remove_whitespace, lowercase or uppercase for 'function' in " +
          `${place} but received ${shown(name)}`,
      );
  }
}

/** Python's notation where JavaScript has another: flags at the start, named groups, the ends of the text. */
function regexOf(source: unknown, place: string): RegExp {
  if (typeof source !== "string")
    throw new InputError(`Expected a regular expression in ${place} but received ${shown(source)}`);
  checkPatternSize(source, place);
  const [, flags = "", pattern = ""] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(source)!;
  try {
    return new RegExp(pattern.replaceAll("(?P<", "(?<").replaceAll("\\Z", "$").replaceAll("\\A", "^"), `${flags}u`);
  } catch {
    // Escapes that only Unicode mode refuses, such as \-.
    return compilePattern(pattern.replaceAll("(?P<", "(?<"), [...new Set(flags)].join(""), place);
  }
}

function objectOf(value: unknown, place: string): Yaml {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Yaml;
  throw new InputError(`Expected an object for ${place} but received ${shown(value)}`);
}

/** Nothing is silently ignored: a setting that is not here would change the numbers. */
function checkKeys(object: Yaml, known: readonly string[], place: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new InputError(`Expected ${known.join(", ")} in ${place} but found '${unknown}'`);
}
