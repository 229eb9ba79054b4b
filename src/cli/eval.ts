/** `smaug eval`: a model's scores on benchmarks, as a table and as a JSON file in the evaluation harness's shape. */
import { dirname } from "node:path";
import { Command } from "commander";
import { type Argument, optional } from "../base/arguments";
import { InputError } from "../base/errors";
import { makeFolder, writeWhole } from "../base/files/wholeFiles";
import { Progress } from "../base/terminal/progress";
import {
  contamination,
  continueTexts,
  type EvaluationResults,
  evaluatePrepared,
  prepareEvaluation,
  resultsTable,
  type TaskData,
} from "../evaluate";
import { expectContaminationTasks } from "../evaluate/contamination";
import { evaluationArguments } from "../evaluate/evaluate";
import { loadModel } from "../models";
import { loadTokenizer } from "../text";
import { adapterOption, deviceOption, dtypeOption, type ModelFlags, modelOption, option } from "./options";
import { print, printJson, tell } from "./output";
import { expectWritable, type FileInput, modelInputs } from "./outputFile";

interface Flags extends ModelFlags {
  tasks: string;
  data?: string[];
  numFewshot?: number;
  limit?: number;
  fewshotSeed?: number;
  maxLength?: number;
  batchSize?: number;
  maxTokensPerBatch?: number;
  out?: string;
  logSamples?: boolean;
  contamination?: string;
  json?: boolean;
}

const notes = `
Tasks: arc_challenge, hellaswag, winogrande, truthfulqa_mc2, mmlu (or one of its subjects, such as mmlu_anatomy) and
gsm8k; leaderboard is all six with the Open LLM Leaderboard's average: of acc_norm (ARC, HellaSwag), acc (Winogrande,
TruthfulQA, the plain mean of MMLU's subjects) and strict-match (GSM8K).
A file ending in .yaml is a custom task: task, dataset_path, output_type (multiple_choice or generate_until),
test_split, doc_to_text, doc_to_choice, doc_to_target and the harness's other keys for prompts, metrics and filters;
templates are Jinja, include is supported, Python functions are not run. dataset_path: json or parquet reads the files that
dataset_kwargs names, as in the harness: {data_files: {test: rows.jsonl}}, relative to the working directory. A file ending in
.mjs or .js is a task as a function, its default export:
  export default { kind: "choice", name: "sums", dataset: "sums.jsonl", split: "test", shots: 0, metrics: ["acc"],
    item: (row) => ({ text: row.question, choices: row.options, gold: row.answer }) };
(kind "answer" has until, filters and match in place of metrics: see AnswerTask in smaug's types). The library's
evaluate() takes the same objects.
Prompts, examples, tokens and metrics are those of lm-evaluation-harness 0.4, with the Open LLM Leaderboard's numbers of
examples: 25, 10, 5, 0, 5, 5. Prompts longer than the model's context lose their beginnings, as there, and are counted.
--data gives rows from the disk or elsewhere: --data DIR for a folder with one folder or file a task, or, as often as
needed, --data TASK=FILE_OR_FOLDER_OR_HUB_ID. A folder has the split that is asked and the one that examples come from,
such as test.jsonl and train.jsonl, in the schema of the data set on the hub.
--contamination REFERENCE is the check of swj0419/detect-pretrain-code-contamination, for arc_challenge, truthfulqa_mc2,
mmlu and gsm8k: 100 items (--limit), each continued 100 times by the reference model from its first words. The figure is
the share of items that the model finds likelier than 90 % of those texts; above 0.85 it has very probably seen them.

Examples:
  $ smaug eval --model models/SmolLM2-135M --tasks arc_challenge,winogrande --limit 100 --out results.json
  $ smaug eval --model models/SmolLM2-135M --adapter runs/dpop --tasks leaderboard --data benchmarks --device cuda
  $ smaug eval --model models/tuned --contamination models/SmolLM2-135M --tasks gsm8k
`;

/** Leaves the default to the library, which alone knows whether the option has a use, but names it. */
const withDefault = (argument: Argument<number>): Argument<number | null> =>
  optional({ ...argument, help: `${argument.help} (default: ${argument.fallback})` });

export function evalCommand(): Command {
  return new Command("eval")
    .addOption(modelOption().makeOptionMandatory())
    .addOption(adapterOption())
    .requiredOption("--tasks <names>", "what to score it on, with commas between")
    .option("--data <source>", "where the rows are; the hub when left out", (value, before: string[] = []) => [...before, value])
    .addOption(option("--num-fewshot <n>", optional(evaluationArguments.numFewshot)))
    .addOption(option("--limit <n>", optional(evaluationArguments.limit)))
    .addOption(option("--fewshot-seed <n>", withDefault(evaluationArguments.fewshotSeed)))
    .addOption(option("--max-length <n>", optional(evaluationArguments.maxLength)))
    .addOption(option("--batch-size <n>", withDefault(evaluationArguments.batchSize)))
    .addOption(option("--max-tokens-per-batch <n>", optional(evaluationArguments.maxTokens)))
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .option("--out <file>", "write the results as JSON")
    .option("--log-samples", "with every question, its prompt and the responses")
    .option("--contamination <folder>", "instead of scoring, ask whether the model has seen the tasks; a reference model")
    .option("--json", "print the results as JSON instead of the table")
    .addHelpText("after", notes)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const data = dataOf(flags.data);
  const tasks = flags.tasks.split(",").filter((name) => name !== "");
  if (flags.out !== undefined) expectWritable(flags.out, inputsOf(flags, tasks, data));
  if (flags.contamination === undefined) await score(flags, tasks, data);
  else await contaminate(flags, flags.contamination, tasks, data);
}

async function score(flags: Flags, tasks: string[], data: TaskData | undefined): Promise<void> {
  const { model: folder, adapter, device, dtype, out, json } = flags;
  const tokenizer = await loadTokenizer(folder, { adapter });
  const show = progressByTask();
  const prepared = await prepareEvaluation({
    tasks,
    ...(data === undefined ? {} : { data }),
    numFewshot: flags.numFewshot,
    limit: flags.limit,
    fewshotSeed: flags.fewshotSeed,
    maxLength: flags.maxLength,
    batchSize: flags.batchSize,
    maxTokens: flags.maxTokensPerBatch,
    logSamples: flags.logSamples === true,
    onProgress: (task, done, total) => {
      const progress = show(task, done, total);
      if (done === total && prepared.tasks.length <= 10) progress.finish(`${total} requests`);
    },
  });
  const model = await loadModel(folder, { adapter, device, dtype });
  try {
    const found = await evaluatePrepared(model, tokenizer, prepared);
    found.config = { ...found.config, model: folder, adapter: adapter ?? null, device, dtype: dtype ?? null };
    if (out !== undefined) await writeJson(out, found);
    if (json === true) printJson(found);
    else print(resultsTable(found));
    for (const note of notesOf(found)) tell(note);
    if (json !== true && found.smaug.leaderboard_average !== undefined)
      print(`Open LLM Leaderboard average: ${found.smaug.leaderboard_average.toFixed(2)}`);
  } finally {
    model.dispose();
  }
}

/** Shows a status line for each task. */
function progressByTask(prefix = ""): (task: string, done: number, total: number) => Progress {
  const lines = new Map<string, Progress>();
  return (task, done, total) => {
    const line = lines.get(task) ?? new Progress(`${prefix}${task}`, total);
    lines.set(task, line);
    line.update(done);
    return line;
  };
}

/** Options that change nothing of the contamination check. */
const SCORING_ONLY = {
  numFewshot: "--num-fewshot",
  fewshotSeed: "--fewshot-seed",
  maxLength: "--max-length",
  batchSize: "--batch-size",
  maxTokensPerBatch: "--max-tokens-per-batch",
  logSamples: "--log-samples",
};

/** Two models, one after the other: what the reference writes, then what the model makes of it. */
async function contaminate(flags: Flags, reference: string, tasks: string[], data: TaskData | undefined): Promise<void> {
  const { model: folder, adapter, device, dtype, out, json, limit } = flags;
  if (limit !== undefined && limit < 1)
    throw new InputError(`Expected a whole number of items for '--limit' with '--contamination' but received ${limit}`);
  const idle = Object.entries(SCORING_ONLY).find(([key]) => flags[key as keyof Flags] !== undefined);
  if (idle) throw new InputError(`Expected no '${idle[1]}' with '--contamination', which has no use for it`);
  expectContaminationTasks(tasks); // before a model is read
  const writer = await loadModel(reference, { device, dtype });
  const texts = await continueTexts(writer, await loadTokenizer(reference), {
    tasks,
    ...(data === undefined ? {} : { data }),
    ...(limit === undefined ? {} : { items: limit }),
    onProgress: progressByTask("continuing "),
  }).finally(() => writer.dispose());
  const model = await loadModel(folder, { adapter, device, dtype });
  const found = await contamination(model, await loadTokenizer(folder, { adapter }), texts, {
    onProgress: progressByTask("scoring "),
  }).finally(() => model.dispose());
  const result = { model: folder, adapter: adapter ?? null, reference, contamination: found };
  if (out !== undefined) await writeJson(out, result);
  const lines = Object.entries(found).map(
    ([task, { share, items }]) => `${task.padEnd(16)} ${share.toFixed(2)} of ${items} items`,
  );
  if (json === true) printJson(result);
  else print(lines.join("\n"));
}

/** Writes a whole file, in a folder that is created if it is missing. */
async function writeJson(file: string, value: object): Promise<void> {
  makeFolder(dirname(file));
  await writeWhole(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** The inputs that the results must not replace. */
function inputsOf(flags: Flags, tasks: readonly string[], data: TaskData | undefined): FileInput[] {
  const input =
    (option: string) =>
    (path: string | undefined): FileInput[] =>
      path === undefined ? [] : [{ path, option, kind: "tasks" }];
  return [
    ...modelInputs(flags.model, "--model"),
    ...modelInputs(flags.adapter, "--adapter"),
    ...modelInputs(flags.contamination, "--contamination"),
    ...tasks.flatMap(input("--tasks")),
    ...(typeof data === "object" ? Object.values(data) : [data]).flatMap(input("--data")),
  ];
}

/** What was cut short. */
function notesOf({ smaug, max_length: length }: EvaluationResults): string[] {
  const said = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([task, count]) => `${count} of ${task}`)
      .join(", ");
  const notes: string[] = [];
  if (Object.keys(smaug.truncated).length > 0)
    notes.push(`prompts cut on the left to the model's context of ${length} tokens: ${said(smaug.truncated)}`);
  if (Object.keys(smaug.unfinished).length > 0)
    notes.push(`answers that did not end within the most tokens they may have: ${said(smaug.unfinished)}`);
  return notes;
}

function dataOf(given: readonly string[] | undefined): TaskData | undefined {
  if (given === undefined) return undefined;
  const pairs = given.map((each) => /^([\w-]+)=(.+)$/.exec(each));
  if (pairs.length === 1 && !pairs[0]) return given[0];
  const wrong = given.find((_, i) => !pairs[i]);
  if (wrong !== undefined) throw new InputError(`Expected TASK=SOURCE for each of several '--data' but received '${wrong}'`);
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
}
