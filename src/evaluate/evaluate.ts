/**
 * Running tasks on a model: all of them are read and checked first, then each is scored. Results have the shape of
 * lm-evaluation-harness 0.4's JSON (results.ts).
 */

import { fits, integer, share } from "../base/arguments";
import { expected } from "../base/errors";
import { checkOptions } from "../base/options";
import { received } from "../base/values";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import type { Tokenizer } from "../text";
import { expectTokenizer } from "../text/tokenizer";
import { answerScores, choiceScores } from "./metrics";
import { type PreparedTask, prepare } from "./prepare";
import { Encoder } from "./requests";
import { type EvaluationResults, type Outcome, resultsOf, type TaskOutcome } from "./results";
import { TaskRows } from "./rows";
import { answersTo, logLikelihoods } from "./scoring";
import { expectTasks, sourceOf, type TaskData } from "./tasks/data";
import { findTasks, taskNames } from "./tasks/list";
import { ANSWER_TOKENS, type AnswerTask, type ChoiceTask, type Group, numFewshot, type Task } from "./tasks/task";

export interface EvaluateOptions {
  /** Names (`taskNames()` lists them), files (YAML, or a JavaScript module), or custom tasks. */
  tasks: readonly (string | Task)[];
  /**
   * Where rows are: a folder with one folder or file a task, named for it, or for each task a file, a folder or a hub
   * id. `mmlu` means all its subjects. Default: the data sets on the hub.
   */
  data?: TaskData;
  /** Examples before each question; the leaderboard's numbers when left out. TruthfulQA keeps its own. */
  numFewshot?: number;
  /** The first so many questions of each task; below 1 that share of them. */
  limit?: number;
  /** Which examples are drawn. Default 1234, the harness's. */
  fewshotSeed?: number;
  /** The most tokens the model sees; its `max_position_embeddings` when left out. */
  maxLength?: number;
  /** Tokens of a batch of choices, those that are shared counted once. Default: 2048 on the CPU, 16384 elsewhere. */
  maxTokens?: number;
  /** Problems answered at once. Default 8. */
  batchSize?: number;
  /** Keep every question with its responses under `samples`. */
  logSamples?: boolean;
  onProgress?: (task: string, done: number, total: number) => void;
  signal?: AbortSignal;
}

/** The options that are numbers. */
export const evaluationArguments = {
  numFewshot,
  limit: share("the first so many questions of each task; below 1 that share of them"),
  fewshotSeed: integer(1234, "which examples are drawn", { min: 0 }), // the harness's
  maxLength: integer(0, "the most tokens the model sees; its max_position_embeddings when left out", { min: 1 }),
  maxTokens: integer(0, "tokens of choices run at once, shared ones counted once", { min: 1 }),
  batchSize: integer(8, "word problems answered at once", { min: 1 }),
} as const;

const NAMES = [
  "tasks",
  "data",
  "numFewshot",
  "limit",
  "fewshotSeed",
  "maxLength",
  "maxTokens",
  "batchSize",
  "logSamples",
  "onProgress",
  "signal",
];

/**
 * Scores a model on tasks.
 *
 * ```ts
 * const model = await loadModel("models/SmolLM2-135M");
 * const tokenizer = await loadTokenizer("models/SmolLM2-135M");
 * const { results } = await evaluate(model, tokenizer, { tasks: ["arc_challenge"], limit: 100 });
 * console.log(results.arc_challenge["acc_norm,none"]);
 * ```
 *
 * @throws InputError for an unknown task, with its nearest neighbour, data of another schema, an empty split, a
 *   question without a right answer, and too few rows for the examples
 */
export async function evaluate(model: CausalLM, tokenizer: Tokenizer, options: EvaluateOptions): Promise<EvaluationResults> {
  expectModel(model);
  expectTokenizer(tokenizer);
  return evaluatePrepared(model, tokenizer, await prepareEvaluation(options));
}

export interface PreparedEvaluation {
  readonly options: EvaluateOptions;
  readonly tasks: readonly PreparedTask[];
  readonly groups: readonly Group[];
  /** When it was begun, in ms. */
  readonly started: number;
}

/**
 * The part of {@link evaluate} that needs no model, so that what is wrong with tasks or data shows before one is loaded.
 *
 * @throws InputError as `evaluate` does
 */
export async function prepareEvaluation(options: EvaluateOptions): Promise<PreparedEvaluation> {
  checkOptions("evaluate", options, NAMES);
  expectTaskList(options.tasks);
  checkNumbers(options);
  const { tasks: wanted, data, fewshotSeed: seed = evaluationArguments.fewshotSeed.fallback } = options;
  const started = Date.now();
  const { tasks, groups } = await findTasks(wanted);
  expectTasks(data, [...taskNames(), ...tasks.map(({ name }) => name)]);
  const rows = new TaskRows();
  const prepared: PreparedTask[] = [];
  for (const task of tasks) {
    const source = await sourceOf(task, data);
    prepared.push(await prepare(task, { source, shots: options.numFewshot, limit: options.limit, seed, rows }));
  }
  return { options, tasks: prepared, groups, started };
}

/** The rest of {@link evaluate}: scores what is prepared. */
export async function evaluatePrepared(
  model: CausalLM,
  tokenizer: Tokenizer,
  { options, tasks, groups, started }: PreparedEvaluation,
): Promise<EvaluationResults> {
  const { fewshotSeed = evaluationArguments.fewshotSeed.fallback, limit = null, logSamples = false } = options;
  const { maxLength = model.config.maxPositionEmbeddings } = options;
  const encoder = new Encoder(tokenizer, maxLength);
  const outcomes: TaskOutcome[] = [];
  const wasTraining = model.training;
  model.eval();
  try {
    for (const each of tasks) {
      const outcome =
        each.task.kind === "choice" ? choose(model, encoder, each, options) : answer(model, tokenizer, encoder, each, options);
      outcomes.push({ ...each, ...(await outcome) });
    }
  } finally {
    if (wasTraining) model.train();
  }
  return resultsOf(outcomes, groups, { started, maxLength, fewshotSeed, limit, logSamples });
}

type ScoredTask = Pick<TaskOutcome, "outcomes" | "truncated" | "unfinished">;

async function choose(
  model: CausalLM,
  encoder: Encoder,
  { task, questions }: PreparedTask,
  options: EvaluateOptions,
): Promise<ScoredTask> {
  const { onProgress, signal, maxTokens } = options;
  const sequences = questions.flatMap(({ contexts, continuations }) => {
    const texts = contexts();
    return continuations.map((continuation, i) => encoder.scored(texts[i % texts.length]!, continuation));
  });
  const likelihoods = await logLikelihoods(model, sequences, {
    maxTokens,
    signal,
    onProgress: (done) => onProgress?.(task.name, done, sequences.length),
  });
  let at = 0;
  const outcomes = questions.map(({ item, continuations }): Outcome[] => {
    const own = likelihoods.slice(at, (at += continuations.length));
    const scores = choiceScores(task as ChoiceTask, item as Parameters<typeof choiceScores>[1], own);
    const responses = own.map(({ logLikelihood, isGreedy }) => [logLikelihood, isGreedy] as [number, boolean]);
    return [{ filter: "none", scores, responses, read: responses }];
  });
  return { outcomes, truncated: sequences.filter(({ cut }) => cut > 0).length, unfinished: 0 };
}

async function answer(
  model: CausalLM,
  tokenizer: Tokenizer,
  encoder: Encoder,
  { task, questions }: PreparedTask,
  { onProgress, signal, batchSize = evaluationArguments.batchSize.fallback }: EvaluateOptions,
): Promise<ScoredTask> {
  const { until, maxTokens = ANSWER_TOKENS } = task as AnswerTask;
  const prompts = questions.map(({ contexts }) => encoder.prompt(contexts()[0]!, maxTokens));
  const answers = await answersTo(
    model,
    tokenizer,
    prompts.map(({ ids }) => ids),
    {
      until,
      maxTokens,
      batchSize,
      signal,
      onProgress: (done) => onProgress?.(task.name, done, prompts.length),
    },
  );
  const outcomes = questions.map(({ item }, i): Outcome[] => {
    const { text } = answers[i]!;
    return [...answerScores(task as AnswerTask, item as Parameters<typeof answerScores>[1], text)].map(
      ([filter, { read, scores }]) => ({
        filter,
        scores,
        responses: [text],
        read: [read],
      }),
    );
  });
  return {
    outcomes,
    truncated: prompts.filter(({ cut }) => cut > 0).length,
    unfinished: answers.filter(({ hasEnded }) => !hasEnded).length,
  };
}

/**
 * Throws unless `tasks` is a list.
 *
 * @throws TypeError
 */
export function expectTaskList(tasks: unknown): asserts tasks is readonly unknown[] {
  if (Array.isArray(tasks)) return;
  const way = typeof tasks === "string" ? `; put it in a list: [${JSON.stringify(tasks)}]` : "";
  throw new TypeError(`Expected a list of tasks for 'tasks' but received ${received(tasks)}${way}`);
}

function checkNumbers(options: EvaluateOptions): void {
  for (const [name, argument] of Object.entries(evaluationArguments)) {
    const value = options[name as keyof typeof evaluationArguments];
    if (value !== undefined && !fits(value, argument))
      throw new RangeError(expected(argument.expected, received(value), { name }));
  }
}
