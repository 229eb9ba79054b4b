/**
 * Whether a model has seen a benchmark: the check the paper uses (swj0419/detect-pretrain-code-contamination). Of 100
 * questions with their answers, the first 40 % of the words of each are continued a hundred times by a reference model.
 * An item whose own text the model finds likelier than nearly all of these has probably been trained on; the figure is
 * the share of such items. Sampling is our own, so that single draws differ from that tool's.
 */

import { InputError } from "../base/errors";
import { didYouMean } from "../base/names";
import { checkOptions } from "../base/options";
import { isObject, received } from "../base/values";
import { integersOf, objectOf, RowError, textOf, textsOf } from "../data/fields";
import { generate } from "../generate";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import type { Tokenizer } from "../text";
import { expectTokenizer } from "../text/tokenizer";
import { expectTaskList } from "./evaluate";
import { PythonRandom } from "./python/random";
import { type PlacedRow, TaskRows } from "./rows";
import { logLikelihoods } from "./scoring";
import { expectTasks, sourceOf, type TaskData } from "./tasks/data";
import { taskNames } from "./tasks/list";
import type { Row } from "./tasks/task";

/** An item's text and other ends for it. */
export interface ContinuedText {
  readonly text: string;
  /** Whole texts: the same beginning, another end. */
  readonly others: readonly string[];
}

/** What a benchmark comes to. */
export interface ContaminationResult {
  /** Share of items whose score is below 0.1. Above 0.85 it is read as "very probably trained on". */
  share: number;
  items: number;
  /** Of each item: share of the other texts that are likelier than its own, by the mean over their tokens. */
  scores: number[];
}

export interface ContinueOptions {
  /** Names: arc_challenge, truthfulqa_mc2, mmlu, gsm8k. */
  tasks: readonly string[];
  /** As for `evaluate`. */
  data?: TaskData;
  /** Items of each benchmark. Default 100. */
  items?: number;
  /** Continuations of each item. Default 100. */
  samples?: number;
  /** Of the sampling. Which items are taken is fixed. Default 0. */
  seed?: number;
  onProgress?: (task: string, done: number, total: number) => void;
}

interface Benchmark {
  readonly dataset: string;
  readonly subset: string;
  readonly split: string;
  /** Nothing for rows that the tool passes over. */
  text(row: Row): string | undefined;
}

const PREFIX_SHARE = 0.4;
const MOST_TOKENS = 150; // of another text; the item's own is scored whole
const LIKELY = 0.1;
const TOP_K = 50; // what transformers samples from when nothing is said

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  arc_challenge: {
    dataset: "allenai/ai2_arc",
    subset: "ARC-Challenge",
    split: "test",
    text: (row) => {
      const right = "ABCD".indexOf(textOf(row, "answerKey"));
      return right < 0 ? undefined : withAnswer(row, textsOf(objectOf(row, "choices"), "text")[right]);
    },
  },
  truthfulqa_mc2: {
    dataset: "truthfulqa/truthful_qa",
    subset: "multiple_choice",
    split: "validation",
    text: (row) => {
      const targets = objectOf(row, "mc1_targets");
      return withAnswer(row, textsOf(targets, "choices")[integersOf(targets, "labels").indexOf(1)]);
    },
  },
  mmlu: {
    dataset: "cais/mmlu",
    subset: "all",
    split: "test",
    text: (row) => withAnswer(row, textsOf(row, "choices")[row["answer"] as number]),
  },
  gsm8k: {
    dataset: "openai/gsm8k",
    subset: "main",
    split: "test",
    text: (row) => withAnswer(row, textOf(row, "answer")),
  },
};

function withAnswer(row: Row, answer: string | undefined): string {
  if (answer === undefined) throw new RowError("Expected a right answer but no choice is one");
  return `${textOf(row, "question")} ${answer}`;
}

/**
 * Draws the items and continues each with the reference model, which may be given back afterwards.
 *
 * ```ts
 * const texts = await continueTexts(reference, tokenizer, { tasks: ["gsm8k"] });
 * const { gsm8k } = await contamination(model, modelTokenizer, texts);
 * console.log(gsm8k.share);
 * ```
 *
 * @throws InputError for a benchmark it does not know, or data of another schema
 */
export async function continueTexts(
  reference: CausalLM,
  tokenizer: Tokenizer,
  options: ContinueOptions,
): Promise<Record<string, ContinuedText[]>> {
  expectModel(reference, "reference");
  expectTokenizer(tokenizer);
  checkOptions("continueTexts", options, ["tasks", "data", "items", "samples", "seed", "onProgress"]);
  expectTaskList(options.tasks);
  const { tasks, data, items = 100, samples = 100, seed = 0, onProgress } = options;
  for (const [name, value] of Object.entries({ items, samples }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`Expected a positive integer for '${name}' but received ${value}`);
  expectContaminationTasks(tasks);
  expectTasks(data, taskNames());
  const rows = new TaskRows();
  const drawn: [task: string, texts: string[]][] = [];
  // All of them before any work.
  for (const task of tasks) drawn.push([task, await itemsOf(task, rows, await sourceOf({ name: task }, data), items)]);
  const found: Record<string, ContinuedText[]> = {};
  for (const [task, texts] of drawn) {
    found[task] = [];
    for (const [i, text] of texts.entries()) {
      found[task].push({ text, others: await otherEnds(reference, tokenizer, text, samples, seed * 2 ** 20 + i) });
      onProgress?.(task, i + 1, texts.length);
    }
  }
  return found;
}

/** Refuses no task, and one that the check does not have. */
export function expectContaminationTasks(tasks: readonly string[]): void {
  const names = Object.keys(BENCHMARKS);
  if (tasks.length === 0)
    throw new InputError(`Expected one of ${names.join(", ")} for the contamination check but received none`);
  for (const task of tasks) {
    if (names.includes(task)) continue;
    throw new InputError(
      `Expected one of ${names.join(", ")} for the contamination check but received '${task}'` + didYouMean(task, names),
    );
  }
}

async function itemsOf(task: string, reader: TaskRows, source: string | undefined, count: number): Promise<string[]> {
  const benchmark = BENCHMARKS[task]!;
  const { dataset, subset, split } = benchmark;
  const rows = await reader.split(source ?? dataset, {
    split,
    subset: subset === "all" ? undefined : subset,
    files: source === undefined ? [`${subset}/*${split}*`] : undefined,
    evaluated: true,
  });
  const texts = rows.flatMap(({ row, place }) => textAt(benchmark, row, place) ?? []);
  return new PythonRandom(0).shuffled(texts.filter((text) => wordsOf(text).length > 1)).slice(0, count);
}

function textAt(benchmark: Benchmark, row: Row, place: PlacedRow["place"]): string | undefined {
  try {
    return benchmark.text(row);
  } catch (error) {
    if (error instanceof RowError) throw new InputError(`${error.message}. In ${place}`);
    throw error;
  }
}

/** As many new tokens as words are missing: the tool's rule. */
async function otherEnds(
  reference: CausalLM,
  tokenizer: Tokenizer,
  text: string,
  samples: number,
  seed: number,
): Promise<string[]> {
  const words = wordsOf(text);
  const kept = Math.ceil(words.length * PREFIX_SHARE);
  const prefix = tokenizer.encode(words.slice(0, kept).join(" "));
  const answers = await generate(
    reference,
    Array.from({ length: samples }, () => prefix),
    {
      doSample: true,
      topK: TOP_K,
      maxNewTokens: words.length - kept,
      minNewTokens: 1,
      seed,
      tokenizer,
    },
  );
  return answers.map(({ tokens }) => tokenizer.decode([...prefix, ...tokens], { skipSpecialTokens: true }));
}

/** Scores the texts with the model that is looked into. */
export async function contamination(
  model: CausalLM,
  tokenizer: Tokenizer,
  texts: Readonly<Record<string, readonly ContinuedText[]>>,
  options: { onProgress?: (task: string, done: number, total: number) => void } = {},
): Promise<Record<string, ContaminationResult>> {
  expectModel(model);
  expectTokenizer(tokenizer);
  checkOptions("contamination", options, ["onProgress"]);
  if (!isObject(texts) || !Object.values(texts).every(Array.isArray))
    throw new TypeError(`Expected the result of continueTexts for 'texts' but received ${received(texts)}`);
  const { onProgress } = options;
  const found: Record<string, ContaminationResult> = {};
  for (const [task, items] of Object.entries(texts)) {
    const scores: number[] = [];
    for (const { text, others } of items) {
      const [own, ...rest] = await meanLosses(model, tokenizer, text, others);
      scores.push(rest.filter((loss) => loss < own!).length / rest.length);
      onProgress?.(task, scores.length, items.length);
    }
    found[task] = {
      share: scores.filter((score) => score < LIKELY).length / scores.length,
      items: scores.length,
      scores,
    };
  }
  return found;
}

/** Mean loss over the tokens of the text and of the others, in nats; not a number for a text of one token. */
export async function meanLosses(
  model: CausalLM,
  tokenizer: Tokenizer,
  text: string,
  others: readonly string[],
): Promise<number[]> {
  const all = [tokenizer.encode(text), ...others.map((other) => tokenizer.encode(other).slice(0, MOST_TOKENS))];
  const scored = all.filter((ids) => ids.length > 1);
  const likelihoods = await logLikelihoods(
    model,
    scored.map((ids) => ({ ids: Int32Array.from(ids), start: 1, cut: 0 })),
  );
  const losses = new Map(scored.map((ids, i) => [ids, -likelihoods[i]!.logLikelihood / (ids.length - 1)]));
  return all.map((ids) => losses.get(ids) ?? NaN);
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
