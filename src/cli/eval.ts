/** `smaug eval`: a model's scores on benchmarks, as a table and as a JSON file in the evaluation harness's shape. */
import { dirname } from "node:path";
import { makeFolder } from "../base/files/wholeFiles";
import { Command, InvalidArgumentError, Option } from "commander";
import type { EvaluationResults } from "../evaluate";
import { InputError } from "../base/errors";
import type { DType } from "../torch";
import { print, printJson, tell } from "./output";
import { type FileInput, expectWritable, modelInputs } from "./outputFile";

interface Flags {
  model: string;
  adapter?: string;
  tasks: string;
  data?: string[];
  numFewshot?: number;
  limit?: number;
  fewshotSeed?: number;
  maxLength?: number;
  batchSize?: number;
  maxTokensPerBatch?: number;
  device: string;
  dtype?: DType | "auto";
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

export function evalCommand(): Command {
  return new Command("eval")
    .description("scores of a model on benchmarks")
    .requiredOption("--model <folder>", "the model, a folder or hub id; an adapter loads its base model with the adapter on it")
    .option("--adapter <folder>", "an adapter of the model, as PEFT or smaug saved it")
    .requiredOption("--tasks <names>", "what to score it on, with commas between")
    .option("--data <source>", "where the rows are; the hub when left out", (value, before: string[] = []) => [...before, value])
    .option("--num-fewshot <n>", "examples before each question", whole(0))
    .option("--limit <n>", "the first so many questions of each task; below 1 that share of them", limitOf)
    .option("--fewshot-seed <n>", "which examples are drawn (default: 1234)", whole(0))
    .option("--max-length <n>", "the most tokens the model sees; its max_position_embeddings when left out", whole(2))
    .option("--batch-size <n>", "word problems answered at once (default: 8)", whole(1))
    .option("--max-tokens-per-batch <n>", "tokens of choices run at once, shared ones counted once", whole(1))
    .option("--device <name>", "cpu, cuda, cuda:1", "cpu")
    .addOption(
      new Option("--dtype <name>", "of the weights; float32 on the CPU and auto elsewhere when left out").choices([
        "auto",
        "float32",
        "bfloat16",
        "float16",
        "float64",
      ]),
    )
    .option("--out <file>", "write the results as JSON")
    .option("--log-samples", "with every question, its prompt and the responses")
    .option("--contamination <folder>", "instead of scoring, ask whether the model has seen the tasks; a reference model")
    .option("--json", "print the results as JSON instead of the table")
    .addHelpText("after", notes)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const { model: folder, adapter, device, dtype, out, json } = flags;
  const data = dataOf(flags.data);
  const names = flags.tasks.split(",").filter((name) => name !== "");
  if (out !== undefined) expectWritable(out, inputsOf(flags, names, data));
  if (flags.contamination !== undefined) return contaminate(flags, flags.contamination, names, data);
  const { evaluatePrepared, prepareEvaluation, resultsTable } = await import("../evaluate/index.js");
  const { Progress } = await import("../base/terminal/progress.js");
  const { loadTokenizer } = await import("../text/index.js");
  const tokenizer = await loadTokenizer(folder, { adapter });
  const progress = new Map<string, InstanceType<typeof Progress>>();
  const prepared = await prepareEvaluation({
    tasks: names,
    ...(data === undefined ? {} : { data }),
    numFewshot: flags.numFewshot,
    limit: flags.limit,
    fewshotSeed: flags.fewshotSeed,
    maxLength: flags.maxLength,
    batchSize: flags.batchSize,
    maxTokens: flags.maxTokensPerBatch,
    logSamples: flags.logSamples === true,
    onProgress: (task, done, total) => {
      if (!progress.has(task)) progress.set(task, new Progress(task, total));
      progress.get(task)!.update(done);
      if (done === total && prepared.tasks.length <= 10) progress.get(task)!.finish(`${total} requests`);
    },
  });
  const { loadModel } = await import("../models/index.js"); // loads libtorch
  const model = await loadModel(folder, { adapter, device, dtype });
  try {
    const found = await evaluatePrepared(model, tokenizer, prepared);
    found.config = { ...found.config, model: folder, adapter: adapter ?? null, device, dtype: dtype ?? null };
    if (out !== undefined) {
      await writeFile(out, `${JSON.stringify(found, null, 2)}\n`);
    }
    if (json === true) printJson(found);
    else print(resultsTable(found));
    for (const note of notesOf(found)) tell(note);
    if (json !== true && found.smaug.leaderboard_average !== undefined)
      print(`Open LLM Leaderboard average: ${found.smaug.leaderboard_average.toFixed(2)}`);
  } finally {
    model.dispose();
  }
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
async function contaminate(flags: Flags, reference: string, tasks: string[], data: ReturnType<typeof dataOf>): Promise<void> {
  const { model: folder, adapter, device, dtype, out, json, limit } = flags;
  if (limit !== undefined && limit < 1)
    throw new InputError(`Expected a whole number of items for '--limit' with '--contamination' but received ${limit}`);
  const idle = Object.entries(SCORING_ONLY).find(([key]) => flags[key as keyof Flags] !== undefined);
  if (idle) throw new InputError(`Expected no '${idle[1]}' with '--contamination', which has no use for it`);
  const { contamination, continueTexts } = await import("../evaluate/index.js");
  const { expectContaminationTasks } = await import("../evaluate/contamination.js");
  expectContaminationTasks(tasks); // before a model is read
  const { loadModel } = await import("../models/index.js");
  const { loadTokenizer } = await import("../text/index.js");
  const { Progress } = await import("../base/terminal/progress.js");
  const showing = (what: string) => {
    const shown = new Map<string, InstanceType<typeof Progress>>();
    return (task: string, done: number, total: number) => {
      if (!shown.has(task)) shown.set(task, new Progress(`${what} ${task}`, total));
      shown.get(task)!.update(done);
    };
  };
  const writer = await loadModel(reference, { device, dtype });
  const texts = await continueTexts(writer, await loadTokenizer(reference), {
    tasks,
    ...(data === undefined ? {} : { data }),
    ...(limit === undefined ? {} : { items: limit }),
    onProgress: showing("continuing"),
  }).finally(() => writer.dispose());
  const model = await loadModel(folder, { adapter, device, dtype });
  const found = await contamination(model, await loadTokenizer(folder, { adapter }), texts, {
    onProgress: showing("scoring"),
  }).finally(() => model.dispose());
  const result = { model: folder, adapter: adapter ?? null, reference, contamination: found };
  if (out !== undefined) {
    await writeFile(out, `${JSON.stringify(result, null, 2)}\n`);
  }
  const lines = Object.entries(found).map(
    ([task, { share, items }]) => `${task.padEnd(16)} ${share.toFixed(2)} of ${items} items`,
  );
  if (json === true) printJson(result);
  else print(lines.join("\n"));
}

/** Creates the file's folder, too, if it is missing. */
async function writeFile(file: string, content: string): Promise<void> {
  const { writeWhole } = await import("../base/files/wholeFiles.js");
  makeFolder(dirname(file));
  await writeWhole(file, content);
}

/** The inputs that the results must not replace. */
function inputsOf(flags: Flags, tasks: readonly string[], data: ReturnType<typeof dataOf>): FileInput[] {
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

function dataOf(given: readonly string[] | undefined): string | Record<string, string> | undefined {
  if (given === undefined) return undefined;
  const pairs = given.map((each) => /^([\w-]+)=(.+)$/.exec(each));
  if (pairs.length === 1 && !pairs[0]) return given[0];
  const wrong = given.find((_, i) => !pairs[i]);
  if (wrong !== undefined) throw new InputError(`Expected TASK=SOURCE for each of several '--data' but received '${wrong}'`);
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
}

function limitOf(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && (value < 1 || Number.isSafeInteger(value))) return value;
  throw new InvalidArgumentError("Expected a positive integer, or a share below 1.");
}

function whole(from: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= from) return value;
    throw new InvalidArgumentError(`Expected an integer from ${from} on.`);
  };
}
