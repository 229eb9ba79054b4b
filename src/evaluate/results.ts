/**
 * Results in the shape of lm-evaluation-harness 0.4's JSON, so that what reads its files reads these. What it has no
 * place for (the leaderboard's average, counts of what was cut short) is under `smaug`. And their table.
 */

import { createHash } from "node:crypto";
import { packageVersion } from "../base/package";
import { mean, standardError } from "../base/samples";
import { pooledSummary, type Scores, type Summary } from "./metrics";
import type { PreparedTask } from "./prepare";
import { leaderboard } from "./tasks/list";
import { ANSWER_TOKENS, type Group, type Item, type Task } from "./tasks/task";

/** A question under one filter. */
export interface Outcome {
  readonly filter: string;
  readonly scores: Scores;
  /** A log-likelihood and whether it is the greedy continuation, for each choice; or the answer. */
  readonly responses: readonly unknown[];
  /** What the filter made of them. */
  readonly read: readonly unknown[];
}

export interface TaskOutcome extends PreparedTask {
  /** By question, then by filter. */
  readonly outcomes: readonly (readonly Outcome[])[];
  /** Prompts that lost tokens on the left, being longer than the model's context. */
  readonly truncated: number;
  /** Answers that the most tokens ended, not the model. */
  readonly unfinished: number;
}

/** Values by `metric,filter` and `metric_stderr,filter`, alongside `name`, `alias`, `sample_len`. */
export type TaskResults = Record<string, number | string | Record<string, number>>;

/** A question with its responses. */
export interface Sample {
  doc_id: number;
  doc: object;
  target: unknown;
  arguments: unknown[];
  resps: unknown[];
  filtered_resps: unknown[];
  filter: string;
  metrics: string[];
  prompt_hash: string;
  target_hash: string;
  [metric: string]: unknown;
}

export interface EvaluationResults {
  results: Record<string, TaskResults>;
  groups?: Record<string, TaskResults>;
  group_subtasks: Record<string, readonly string[]>;
  configs: Record<string, object>;
  versions: Record<string, number | string | null>;
  "n-shot": Record<string, number>;
  higher_is_better: Record<string, Record<string, boolean>>;
  "n-samples": Record<string, { original: number; effective: number }>;
  samples?: Record<string, Sample[]>;
  config: Record<string, unknown>;
  /** Unix time of the start, in seconds. */
  date: number;
  max_length: number;
  total_evaluation_time_seconds: string;
  smaug: {
    version: string;
    /** The mean of the six tasks of the Open LLM Leaderboard, in percent, when all of them were run. */
    leaderboard_average?: number;
    /** Prompts cut on the left to the model's context, by task; tasks without any are left out. */
    truncated: Record<string, number>;
    /** Answers that were ended by the most tokens they may have. */
    unfinished: Record<string, number>;
  };
}

interface RunFacts {
  /** Milliseconds since 1970. */
  started: number;
  maxLength: number;
  fewshotSeed: number;
  limit: number | null;
  logSamples: boolean;
}

export function resultsOf(outcomes: readonly TaskOutcome[], groups: readonly Group[], run: RunFacts): EvaluationResults {
  const summaries = new Map<string, Map<string, Summary>>(); // of tasks and groups, by "metric,filter"
  for (const each of outcomes) summaries.set(each.task.name, summariesOf(each));
  const leaves = new Map<string, string[]>(outcomes.map(({ task }) => [task.name, [task.name]]));
  for (const { name, members } of groups) {
    leaves.set(
      name,
      members.flatMap((member) => leaves.get(member)!),
    );
    const parts = leaves.get(name)!.map((leaf) => summaries.get(leaf)!);
    const keys = [...parts[0]!.keys()].filter((key) => parts.every((part) => part.has(key)));
    summaries.set(name, new Map(keys.map((key) => [key, pooledSummary(parts.map((part) => part.get(key)!))])));
  }
  const sizes = new Map(outcomes.map(({ task, questions }) => [task.name, questions.length]));
  const entry = ({ name, alias = name }: Task | Group): TaskResults => ({
    name,
    alias,
    sample_len: leaves.get(name)!.reduce((sum, leaf) => sum + sizes.get(leaf)!, 0),
    ...values(summaries.get(name)!),
  });
  const groupResults = Object.fromEntries(
    groups.map((group) => [
      group.name,
      {
        ...entry(group),
        sample_count: Object.fromEntries([...summaries.get(group.name)!].map(([key, { size }]) => [key, size])),
      },
    ]),
  );
  const all: (Task | Group)[] = [...outcomes.map(({ task }) => task), ...groups];
  const byName = <T>(of: (each: Task | Group) => T) => Object.fromEntries(all.map((each) => [each.name, of(each)]));
  const shots = new Map(outcomes.map(({ task, shots }) => [task.name, shots]));
  const counted = (of: (each: TaskOutcome) => number) =>
    Object.fromEntries(outcomes.filter((each) => of(each) > 0).map((each) => [each.task.name, of(each)]));
  const average = averageOf(summaries, leaves);
  return {
    results: { ...Object.fromEntries(outcomes.map(({ task }) => [task.name, entry(task)])), ...groupResults },
    ...(groups.length > 0 ? { groups: groupResults } : {}),
    group_subtasks: Object.fromEntries(groups.map(({ name, members }) => [name, members])),
    configs: Object.fromEntries(outcomes.map((each) => [each.task.name, configOf(each)])),
    versions: byName(({ version = null }) => version),
    "n-shot": byName(({ name }) => shots.get(leaves.get(name)![0]!)!),
    higher_is_better: byName(({ name }) =>
      Object.fromEntries([...summaries.get(name)!.keys()].map((key) => [key.split(",")[0]!, true])),
    ),
    "n-samples": Object.fromEntries(
      outcomes.map(({ task, size, questions }) => [task.name, { original: size, effective: questions.length }]),
    ),
    ...(run.logSamples ? { samples: Object.fromEntries(outcomes.map((each) => [each.task.name, samplesOf(each)])) } : {}),
    config: { model: "smaug", limit: run.limit, fewshot_seed: run.fewshotSeed },
    date: run.started / 1000,
    max_length: run.maxLength,
    total_evaluation_time_seconds: String((Date.now() - run.started) / 1000),
    smaug: {
      version: packageVersion(),
      ...(average === undefined ? {} : { leaderboard_average: average }),
      truncated: counted(({ truncated }) => truncated),
      unfinished: counted(({ unfinished }) => unfinished),
    },
  };
}

function summariesOf({ outcomes }: TaskOutcome): Map<string, Summary> {
  const columns = new Map<string, number[]>();
  for (const { filter, scores } of outcomes.flat())
    for (const [metric, value] of Object.entries(scores)) {
      const key = `${metric},${filter}`;
      const column = columns.get(key);
      if (column) column.push(value);
      else columns.set(key, [value]);
    }
  return new Map(
    [...columns].map(([key, column]) => [
      key,
      { value: mean(column), error: standardError(column) ?? "N/A", size: column.length },
    ]),
  );
}

function values(summaries: ReadonlyMap<string, Summary>): TaskResults {
  return Object.fromEntries(
    [...summaries].flatMap(([key, { value, error }]) => [
      [key, value],
      [key.replace(",", "_stderr,"), error],
    ]),
  );
}

/** The harness has all of a task's keys here; these are the ones it can be run from. */
function configOf({ task, source, shots }: TaskOutcome): object {
  return {
    task: task.name,
    ...(task.alias === undefined ? {} : { task_alias: task.alias }),
    dataset_path: source,
    ...(task.subset === undefined ? {} : { dataset_name: task.subset }),
    ...(task.dataFiles === undefined || source !== task.dataset ? {} : { dataset_kwargs: { data_files: task.dataFiles } }),
    test_split: task.split,
    ...(task.shotSplit === undefined ? {} : { fewshot_split: task.shotSplit }),
    description: task.description ?? "",
    target_delimiter: task.targetDelimiter ?? " ",
    fewshot_delimiter: task.shotDelimiter ?? "\n\n",
    num_fewshot: shots,
    output_type: task.kind === "choice" ? "multiple_choice" : "generate_until",
    ...(task.kind === "answer"
      ? {
          generation_kwargs: {
            until: task.until,
            do_sample: false,
            temperature: 0,
            max_gen_toks: task.maxTokens ?? ANSWER_TOKENS,
          },
        }
      : {}),
    metadata: { version: task.version ?? null },
  };
}

function samplesOf({ task, questions, outcomes }: TaskOutcome): Sample[] {
  const filters = outcomes[0]?.length ?? 0;
  return Array.from({ length: filters }, (_, filter) =>
    questions.map(({ index, row, item, contexts, continuations }, i): Sample => {
      const outcome = outcomes[i]![filter]!;
      const texts = contexts();
      const target = targetOf(item);
      const args =
        task.kind === "choice"
          ? continuations.map((continuation, k) => [texts[k % texts.length], continuation])
          : [[texts[0], { until: task.until }]];
      return {
        doc_id: index,
        doc: row,
        target,
        arguments: args,
        resps: outcome.responses.map((response) => [response]),
        filtered_resps: [...outcome.read],
        filter: outcome.filter,
        metrics: Object.keys(outcome.scores),
        prompt_hash: sha256(texts[0]!),
        target_hash: sha256(String(target)),
        ...outcome.scores,
      };
    }),
  ).flat();
}

function targetOf(item: Item): unknown {
  return "texts" in item ? item.ending : "target" in item ? item.target : item.gold;
}

/** The leaderboard took the plain mean of MMLU's subjects; `mmlu` in the results counts each question once, as the harness does. */
function averageOf(
  summaries: ReadonlyMap<string, ReadonlyMap<string, Summary>>,
  leaves: ReadonlyMap<string, readonly string[]>,
): number | undefined {
  const found = Object.entries(leaderboard).map(([name, key]) => {
    const parts = leaves.get(name)?.map((leaf) => summaries.get(leaf)!.get(key)?.value);
    return parts?.every((value) => value !== undefined) ? mean(parts as number[]) : undefined;
  });
  return found.every((value) => value !== undefined) ? 100 * mean(found as number[]) : undefined;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Of the table that the harness prints, one line a metric. */
const HEADERS = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
const LEFT = [0, 2, 4];

/**
 * A Markdown table; members of a group stand under it, indented.
 *
 * ```ts
 * console.log(resultsTable(await evaluate(model, tokenizer, { tasks: ["winogrande"] })));
 * ```
 */
export function resultsTable(found: EvaluationResults): string {
  const { results, group_subtasks: members } = found;
  const inGroups = new Set(Object.values(members).flat());
  const lines: string[][] = [];
  const add = (name: string, depth: number): void => {
    lines.push(...linesOf(name, depth, found));
    for (const member of members[name] ?? []) add(member, depth + 1);
  };
  for (const name of Object.keys(results)) if (!inGroups.has(name)) add(name, 0);
  const widths = HEADERS.map((header, column) =>
    Math.max(1, ...[header, ...lines.map((line) => line[column]!)].map((cell) => cell.length)),
  );
  const isLeft = (column: number) => LEFT.includes(column);
  const cell = (text: string, column: number) => (isLeft(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!));
  const row = (cells: readonly string[]) => `|${cells.map(cell).join("|")}|`;
  const rule = row(widths.map((width, column) => (isLeft(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  return [row(HEADERS), rule, ...lines.map(row)].join("\n");
}

function linesOf(name: string, depth: number, { results, versions, "n-shot": shots }: EvaluationResults): string[][] {
  const entry = results[name]!;
  const keys = Object.keys(entry)
    .filter((key) => key.includes(",") && !key.includes("_stderr,"))
    .sort();
  const title = `${depth > 0 ? `${" ".repeat(depth)}- ` : ""}${entry["alias"]}`;
  return keys.map((key, i) => {
    const [metric, filter] = key.split(",") as [string, string];
    const first = i === 0 ? [title, String(versions[name] ?? "")] : ["", ""];
    return [
      ...first,
      filter,
      String(shots[name]),
      metric,
      "↑",
      numberOf(entry, key),
      "±",
      numberOf(entry, `${metric}_stderr,${filter}`),
    ];
  });
}

function numberOf(entry: TaskResults, key: string): string {
  const value = entry[key];
  return typeof value === "number" ? value.toFixed(4) : String(value);
}
