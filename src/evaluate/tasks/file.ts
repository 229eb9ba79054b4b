/**
 * A user's own task from a YAML file: the keys of lm-evaluation-harness that say where rows are and how a prompt is
 * written, with Jinja templates. What would run Python (`!function`, `process_docs`) is an error that says so.
 */
import { basename } from "node:path";
import { fits } from "../../base/arguments";
import { InputError } from "../../base/errors";
import { expectPath } from "../../base/options";
import { shown } from "../../base/values";
import { choiceMetricsOf, filtersOf, generationOf, matchOf } from "./answers";
import { dataOf } from "./data";
import { type AnswerTask, type ChoiceTask, numFewshot, type Task } from "./task";
import { choiceReader, expectOne, expectText, goldReader, textReader } from "./template";
import { checkKeys, mappingOf, TaskKeys, type Yaml } from "./yaml";

/** Keys that have no use for the other kind of task. */
const USELESS = { multiple_choice: ["generation_kwargs", "filter_list"], generate_until: ["doc_to_choice"] } as const;

type Kind = keyof typeof USELESS;

/** @throws InputError for a file that cannot be read, an unknown key, with its nearest neighbour, or a wrong value */
export async function readTaskFile(file: string): Promise<Task> {
  expectPath(file, "file", "a task file");
  const keys = await TaskKeys.read(file);
  const kind = kindOf(keys);
  const common = commonOf(keys);
  return kind === "multiple_choice" ? choiceTask(keys, common) : answerTask(keys, common);
}

function kindOf(keys: TaskKeys): Kind {
  const kind = keys.text("output_type", "generate_until");
  if (!Object.hasOwn(USELESS, kind))
    throw new InputError(`Expected multiple_choice or generate_until for ${keys.place("output_type")} but received '${kind}'`);
  for (const key of USELESS[kind as Kind])
    if (keys.value(key) !== undefined)
      throw new InputError(`Expected no ${keys.place(key)} beside ${kind}, which has no use for it`);
  const repeats = keys.value("repeats") ?? 1;
  if (repeats !== 1) throw new InputError(`Expected 1 for ${keys.place("repeats")} but received ${shown(repeats)}`);
  return kind as Kind;
}

/** What both kinds of tasks have. */
type Common = Omit<ChoiceTask, "kind" | "metrics" | "item"> & Required<Pick<ChoiceTask, "shotDelimiter">>;

function commonOf(keys: TaskKeys): Common {
  const description = keys.text("description", "");
  const place = keys.place("description");
  const { split, shotSplit, drawSpare } = splitsOf(keys);
  return {
    name: keys.text("task", basename(keys.file).replace(/\.ya?ml$/, "")),
    alias: keys.text("task_alias", keys.text("task", basename(keys.file))),
    version: (keys.value("metadata") as { version?: number } | undefined)?.version ?? 0,
    ...dataOf(keys.file, {
      path: keys.requiredText("dataset_path"),
      subset: keys.text("dataset_name", undefined),
      kwargs: mappingOf(keys.value("dataset_kwargs") ?? undefined, keys.place("dataset_kwargs")),
      splits: [split, shotSplit],
    }),
    split,
    shotSplit,
    drawSpare,
    shots: shotsOf(keys),
    shotsFixed: keys.value("num_fewshot") === 0, // an option only changes a number that the file leaves out, as in the harness
    sampler: samplerOf(keys.object("fewshot_config"), keys.place("fewshot_config")),
    description,
    ...(/\{[{%#]/.test(description) ? { describe: textReader(description, place) } : {}),
    targetDelimiter: keys.text("target_delimiter", " "),
    shotDelimiter: keys.text("fewshot_delimiter", "\n\n"),
  };
}

function splitsOf(keys: TaskKeys): Required<Pick<ChoiceTask, "split" | "shotSplit" | "drawSpare">> {
  const textOf = (key: string) => keys.text(key, undefined);
  const [training, validation, test] = ["training_split", "validation_split", "test_split"].map(textOf);
  const split = test ?? validation;
  if (split === undefined)
    throw new InputError(`Expected 'test_split' or 'validation_split' in '${keys.file}' but received neither`);
  const fewshot = textOf("fewshot_split");
  // `undefined === undefined` counts: the harness compares None with None.
  return { split, shotSplit: fewshot ?? training ?? validation ?? split, drawSpare: fewshot === test };
}

function shotsOf(keys: TaskKeys): number {
  const shots = keys.value("num_fewshot") ?? numFewshot.fallback;
  if (fits(shots, numFewshot)) return shots as number;
  throw new InputError(`Expected ${numFewshot.expected} for ${keys.place("num_fewshot")} but received ${shown(shots)}`);
}

function samplerOf(config: Yaml, place: string): "random" | "first" {
  checkKeys(config, ["sampler"], place);
  const { sampler = "default" } = config;
  if (sampler === "default") return "random";
  if (sampler === "first_n") return "first";
  throw new InputError(`Expected default or first_n for 'sampler' in ${place} but received ${shown(sampler)}`);
}

function choiceTask(keys: TaskKeys, common: Common): ChoiceTask {
  const place = keys.place("doc_to_text");
  const prompt = textReader(keys.requiredText("doc_to_text"), place, expectText(place));
  const choices = choiceReader(keys.value("doc_to_choice"), keys.place("doc_to_choice"));
  const gold = goldReader(keys.value("doc_to_target"), keys.place("doc_to_target"));
  return {
    kind: "choice",
    ...common,
    metrics: choiceMetricsOf(keys),
    item: (row) => {
      const options = choices(row);
      return { text: prompt(row), choices: options, gold: gold(row, options) };
    },
  };
}

function answerTask(keys: TaskKeys, common: Common): AnswerTask {
  const place = keys.place("doc_to_target");
  const prompt = textReader(keys.requiredText("doc_to_text"), keys.place("doc_to_text"));
  const target = textReader(keys.requiredText("doc_to_target"), place, expectOne(place));
  return {
    kind: "answer",
    ...common,
    ...generationOf(keys, common.shotDelimiter),
    filters: filtersOf(keys),
    match: matchOf(keys),
    item: (row) => ({ text: prompt(row), target: target(row) }),
  };
}
