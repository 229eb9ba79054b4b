/**
 * A user's own task from a YAML file: the keys of lm-evaluation-harness that say where rows are and how a prompt is
 * written, with Jinja templates. What would run Python (`!function`, `process_docs`) is an error that says so.
 */
import { basename } from "node:path";
import { expectPath } from "../../base/options";
import { checkPatternSize, compilePattern } from "../../base/patterns";
import { shown } from "../../base/values";
import { InputError } from "../../base/errors";
import { strip } from "../../jinja";
import { type AnswerFilter, type MatchRules, placedFilter } from "../filters";
import type { ChoiceMetric, Task } from "./task";
import { dataOf } from "./data";
import { choiceReader, expectOne, expectText, goldReader, textReader } from "./fields";
import { type Yaml, checkKeys, objectOf, readTaskYaml } from "./yaml";

const CHOICE_METRICS = ["acc", "acc_norm", "acc_bytes"];

/** @throws InputError for a file that cannot be read, an unknown key, with its nearest neighbour, or a wrong value */
export async function readTaskFile(file: string): Promise<Task> {
  expectPath(file, "file", "a task file");
  const yaml = await readTaskYaml(file);
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
    throw new InputError(`Expected multiple_choice or generate_until for ${place("output_type")} but received '${kind}'`);

  const unused = kind === "multiple_choice" ? ["generation_kwargs", "filter_list"] : ["doc_to_choice"];
  for (const key of unused)
    if (yaml[key] !== undefined) throw new InputError(`Expected no ${place(key)} beside ${kind}, which has no use for it`);
  const { repeats = 1 } = yaml;
  if (repeats !== 1) throw new InputError(`Expected 1 for ${place("repeats")} but received ${shown(repeats)}`);

  const [training, validation, test] = ["training_split", "validation_split", "test_split"].map((key) => text(key, undefined));
  const split = test ?? validation;
  if (split === undefined) throw new InputError(`Expected 'test_split' or 'validation_split' in '${file}' but found neither`);
  const fewshotSplit = text("fewshot_split", undefined);
  const shots = yaml["num_fewshot"] ?? 0;
  if (!Number.isSafeInteger(shots) || (shots as number) < 0)
    throw new InputError(`Expected an integer from 0 on for ${place("num_fewshot")} but received ${shown(shots)}`);
  const shotSplit = fewshotSplit ?? training ?? validation ?? test!;
  const description = text("description", "");
  const common = {
    name: text("task", basename(file).replace(/\.ya?ml$/, "")),
    alias: text("task_alias", text("task", basename(file))),
    version: ((yaml["metadata"] as Yaml | undefined)?.["version"] as number | undefined) ?? 0,
    ...dataOf(file, {
      path: required("dataset_path"),
      subset: text("dataset_name", undefined),
      kwargs: objectOf(yaml["dataset_kwargs"] ?? undefined, place("dataset_kwargs")),
      splits: [split, shotSplit],
    }),
    split,
    shotSplit,
    shots: shots as number,
    shotsFixed: yaml["num_fewshot"] === 0, // an option changes only what is not said, as in the harness
    sampler: samplerOf(yaml["fewshot_config"], place("fewshot_config")),
    drawSpare: fewshotSplit === test, // as in the harness, where none is equal to none
    description,
    ...(/\{[{%#]/.test(description) ? { describe: textReader(description, place("description")) } : {}),
    targetDelimiter: text("target_delimiter", " "),
    shotDelimiter: text("fewshot_delimiter", "\n\n"),
  } as const;
  const isChoice = kind === "multiple_choice";
  const prompt = textReader(
    required("doc_to_text"),
    place("doc_to_text"),
    isChoice ? expectText(place("doc_to_text")) : undefined,
  );
  if (!isChoice) {
    const target = textReader(required("doc_to_target"), place("doc_to_target"), expectOne(place("doc_to_target")));
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
  const choices = choiceReader(yaml["doc_to_choice"], place("doc_to_choice"));
  const gold = goldReader(yaml["doc_to_target"], place("doc_to_target"));
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
    { ignore_case: ignoreCase = false, ignore_punctuation: ignorePunctuation = false, regexes_to_ignore: regexes = [] } = {},
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
  if (typeof source !== "string") throw new InputError(`Expected a regular expression in ${place} but received ${shown(source)}`);
  checkPatternSize(source, place);
  const [, flags = "", pattern = ""] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(source)!;
  try {
    return new RegExp(pattern.replaceAll("(?P<", "(?<").replaceAll("\\Z", "$").replaceAll("\\A", "^"), `${flags}u`);
  } catch {
    // Escapes that only Unicode mode refuses, such as \-.
    return compilePattern(pattern.replaceAll("(?P<", "(?<"), [...new Set(flags)].join(""), place);
  }
}
