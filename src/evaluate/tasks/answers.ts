/** How the answers to a task file's questions end, are read and are counted: its keys for generation, filters and metrics. */
import { InputError } from "../../base/errors";
import { checkPatternSize, compilePattern, shownPattern } from "../../base/patterns";
import { excerpt, shown } from "../../base/values";
import { strip } from "../../jinja";
import { placedFilter } from "../metrics";
import { pythonPattern } from "../python/pattern";
import { ANSWER_TOKENS, type AnswerFilter, type ChoiceMetric, type MatchRules } from "./task";
import { checkKeys, mappingOf, type TaskKeys, type Yaml } from "./yaml";

const CHOICE_METRICS = ["acc", "acc_norm", "acc_bytes"];

/** `metric_list` of a multiple-choice task. */
export function choiceMetricsOf(keys: TaskKeys): ChoiceMetric[] {
  return metricsOf(keys, CHOICE_METRICS).map(({ metric }) => metric as ChoiceMetric);
}

/** `metric_list` of a task whose answers are generated. */
export function matchOf(keys: TaskKeys): MatchRules {
  const place = keys.place("metric_list");
  const [
    { ignore_case: ignoreCase = false, ignore_punctuation: ignorePunctuation = false, regexes_to_ignore: regexes = [] } = {},
  ] = metricsOf(keys, ["exact_match"]);
  if (!Array.isArray(regexes))
    throw new InputError(`Expected a list for 'regexes_to_ignore' in ${place} but received ${shown(regexes)}`);
  return {
    ignoreCase: ignoreCase === true,
    ignorePunctuation: ignorePunctuation === true,
    regexesToIgnore: (regexes as unknown[]).map((source) => regexOf(source, place)),
  };
}

function metricsOf(keys: TaskKeys, known: readonly string[]): Yaml[] {
  const [list, place] = [keys.value("metric_list"), keys.place("metric_list")];
  if (list === undefined) return known.slice(0, 1).map((metric) => ({ metric }));
  return listOf(list, place).map((each) => {
    const entry = mappingOf(each, place);
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

/** `generation_kwargs`. */
export function generationOf(keys: TaskKeys, delimiter: string): { until: string[]; maxTokens: number } {
  const [options, place] = [keys.object("generation_kwargs"), keys.place("generation_kwargs")];
  checkKeys(options, ["until", "max_gen_toks", "do_sample", "temperature"], place);
  const { until = [delimiter], max_gen_toks: maxTokens = ANSWER_TOKENS, do_sample: sampled = false, temperature = 0 } = options;
  if (sampled !== false || temperature !== 0)
    throw new InputError(`Expected greedy generation in ${place} but it asks for sampling`);
  if (!Number.isSafeInteger(maxTokens) || (maxTokens as number) < 1)
    throw new InputError(`Expected a positive integer for 'max_gen_toks' in ${place} but received ${shown(maxTokens)}`);
  const texts = [until].flat();
  if (texts.some((each) => typeof each !== "string" || each === ""))
    throw new InputError(`Expected texts for 'until' in ${place} but received ${shown(until)}`);
  return { until: texts as string[], maxTokens: maxTokens as number };
}

/** `filter_list`. */
export function filtersOf(keys: TaskKeys): AnswerFilter[] {
  const [list, place] = [keys.value("filter_list"), keys.place("filter_list")];
  if (list === undefined) return [{ name: "none", apply: (answer) => answer }];
  return listOf(list, place).map((each) => {
    const { name, filter } = mappingOf(each, place);
    if (typeof name !== "string" || !Array.isArray(filter))
      throw new InputError(`Expected a 'name' and a list 'filter' in ${place} but received ${shown(each)}`);
    const steps = filter.map((step) => stepOf(mappingOf(step, place), place));
    return { name, apply: (answer) => steps.reduce((text, step) => step(text), answer) };
  });
}

function listOf(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new InputError(`Expected a list for ${place} but received ${shown(value)}`);
}

/** A step of a filter, by the name of its function. */
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
    case "regex":
      return regexStep(options, place);
    default:
      throw new InputError(
        "Expected regex, take_first, remove_whitespace, lowercase or uppercase for 'function' in " +
          `${place} but received ${shown(name)}`,
      );
  }
}

function regexStep(options: Yaml, place: string): (text: string) => string {
  const { regex_pattern: pattern, group_select: select = 0, fallback = "[invalid]" } = options;
  if (!Number.isSafeInteger(select))
    throw new InputError(`Expected an integer for 'group_select' in ${place} but received ${shown(select)}`);
  if (typeof fallback !== "string")
    throw new InputError(`Expected a text for 'fallback' in ${place} but received ${shown(fallback)}`);
  return placedFilter("", regexOf(pattern, place), { select: select as number, fallback, place }).apply;
}

/** A pattern of Python's `re`, with flags at its start: `(?i)`. */
function regexOf(source: unknown, place: string): RegExp {
  if (typeof source !== "string") throw new InputError(`Expected a regular expression in ${place} but received ${shown(source)}`);
  checkPatternSize(source, place);
  const [, flags = "", pattern = ""] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(source)!;
  const fault = (part: string) =>
    new InputError(
      `Expected a regular expression for ${place} but received ${shownPattern(source)}: ` +
        `'${excerpt(part)}' is invalid, or JavaScript cannot match it as Python does`,
    );
  const translated = pythonPattern(pattern, fault, { dotAll: flags.includes("s"), multiline: flags.includes("m") });
  return compilePattern(translated, flags.includes("i") ? "iv" : "v", place);
}
