/** What the commands that make pairs have in common: their options, making the pairs, and the statistics. */
import { Command } from "commander";
import { integer, optional } from "../../base/arguments";
import { escapeJson } from "../../base/terminal/printable";
import type { Recipe } from "../../data/recipes/recipe";
import type { Distances, Statistics } from "../../data/recipes/statistics";
import { datasetConfigOption, option, splitOption } from "../options";
import { percent, printJson, tell, tellJson } from "../output";
import { expectWritable, type FileInput, writeLines } from "../outputFile";

export interface RecipeFlags {
  input?: string;
  out: string;
  split?: string;
  datasetConfig?: string;
  seed: number;
  limit?: number;
  maxShots: number;
  model?: string;
  json?: boolean;
}

interface Summary extends Statistics {
  readonly recipe: string;
  readonly input: string;
  readonly split: string | null;
  readonly out: string;
  readonly seed: number;
  readonly seconds: number;
  readonly rows_per_second: number;
}

const ROWS_PER_UPDATE = 1000; // of the status line
const LABELS = { examples: "reading examples", pairs: "making pairs" };

/** A command with the options of all recipes. */
export function pairsCommand(
  name: string,
  description: string,
  { dataset, maxShots }: { dataset?: string; maxShots: number },
): Command {
  const source = "a JSONL, JSON or Parquet file, a folder of them, or a data set of the hub";
  const command = new Command(name).description(description);
  if (dataset === undefined) command.requiredOption("--input <source>", source);
  else command.option("--input <source>", source, dataset);
  return command
    .option("--out <file>", "where the pairs go, a JSON line each; - is standard output", "-")
    .addOption(splitOption())
    .addOption(datasetConfigOption())
    .addOption(option("--seed <n>", integer(0, "seed of every draw: the same seed gives the same bytes", { min: 0 })))
    .addOption(
      option("--limit <n>", optional(integer(0, "take the first rows only; their pairs are the same as without it", { min: 1 }))),
    )
    .addOption(
      option(
        "--max-shots <n>",
        integer(maxShots, "worked examples before a question: from 0 to this, equally likely", { min: 0 }),
      ),
    )
    .option("--model <folder>", "edit distances in the tokens of this model too (a folder or a name of the hub)")
    .option("--json", "print the statistics as one JSON object");
}

/** Makes the pairs, writes them, and prints what they are like. */
export async function makePairFile(recipe: Recipe, flags: RecipeFlags): Promise<void> {
  const { out, split, datasetConfig: config, seed, limit, maxShots, json } = flags;
  const input = flags.input!;
  const model: FileInput[] = flags.model === undefined ? [] : [{ path: flags.model, option: "--model", kind: "model" }];
  expectWritable(out, [{ path: input, option: "--input", kind: "data" }, ...model]);
  const { lineOf } = await import("../../data/recipes/recipe.js");
  const { makePairs } = await import("../../data/recipes/pairs.js");
  const { StatisticsCollector } = await import("../../data/recipes/statistics.js");
  const { loadTokenizer } = await import("../../text/index.js");
  const { Progress } = await import("../../base/terminal/progress.js");
  const tokenizer = flags.model === undefined ? undefined : await loadTokenizer(flags.model);

  const statistics = new StatisticsCollector(seed, maxShots, tokenizer);
  const progress = new Map<string, InstanceType<typeof Progress>>(); // each from its own start: it shows a rate
  const start = performance.now();
  const pairs = makePairs(
    recipe,
    input,
    {
      split,
      config,
      seed,
      limit,
      maxShots,
      onProgress: (rows, phase) => {
        if (!progress.has(phase)) progress.set(phase, new Progress(LABELS[phase]));
        if (rows % ROWS_PER_UPDATE === 0) progress.get(phase)!.update(rows, "rows");
      },
    },
    statistics,
  );
  const isTerminal = out === "-" && process.stdout.isTTY;
  await writeLines(out, pairs, isTerminal ? (pair) => escapeJson(lineOf(pair)) : lineOf);
  const seconds = (performance.now() - start) / 1000;

  const summary: Summary = {
    recipe: recipe.name,
    input,
    split: split ?? null,
    out,
    seed,
    ...statistics.summary(),
    seconds: Number(seconds.toFixed(3)),
    rows_per_second: Number((statistics.rows / seconds).toFixed(1)),
  };
  if (!json) tell(await describe(summary));
  else (out === "-" ? tellJson : printJson)(summary);
}

async function describe(summary: Summary): Promise<string> {
  const { describeReasons, TOKEN_SAMPLE } = await import("../../data/recipes/statistics.js");
  const { input, out, rows, rows_used, pairs, unusable, left_out_pairs, shots, edit_distance, seconds } = summary;
  const low = percent(summary.low_edit_distance);
  const distances = Object.entries(edit_distance) as [string, Distances | null][];
  const from = (unit: string, { pairs: count }: Distances) =>
    unit === "token" && count < pairs ? ` (of ${TOKEN_SAMPLE} pairs drawn)` : "";
  return [
    `${pairs} pairs from ${rows_used} of ${rows} rows of ${input} in ${seconds.toFixed(1)} s ` +
      `(${Math.round(summary.rows_per_second)} rows/s)${out === "-" ? "" : `: ${out}`}`,
    ...(unusable.length > 0 ? [`${percent(summary.unusable_share)} of the rows make no pair (counted from 0):`] : []),
    ...describeReasons(unusable).map((line) => `  ${line}`),
    ...(left_out_pairs.length > 0 ? ["wrong answers left out of rows that are used:"] : []),
    ...describeReasons(left_out_pairs, "answer").map((line) => `  ${line}`),
    `prompts by their number of examples: ${shots.map((count, i) => `${i}: ${count}`).join(", ")}`,
    "edit distance between the answers, as a share of the longer one:",
    ...distances.map(([unit, found]) =>
      found === null
        ? `  ${unit.padEnd(9)}  not counted; name a tokenizer's folder with --model`
        : `  ${unit.padEnd(9)}  mean ${percent(found.mean)}, median ${percent(found.median)}, 80 % within ` +
          `${percent(found.p10)}–${percent(found.p90)}, at most ${low} in ${percent(found.low)} of the pairs` +
          from(unit, found),
    ),
  ].join("\n");
}
