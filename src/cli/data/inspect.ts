/** `smaug data inspect`: rows as the model will see them, lengths, distances, and what is wrong with the data. */
import { styleText } from "node:util";
import { Command } from "commander";
import { optional } from "../../base/arguments";
import { printable } from "../../base/terminal/printable";
import type { Distribution, HistogramBin, InspectedAnswer, InspectedRow, Inspection } from "../../data/inspect";
import { lengthArguments, rowLength } from "../../data/tokenize/lengths";
import { columnMappingOption, datasetConfigOption, option, type RowFlags, rowOptions, splitOption } from "../options";
import { printJson } from "../output";

interface InspectFlags extends RowFlags {
  input?: string;
  model?: string;
  maxLength?: number;
  json?: boolean;
}

/** The default of runs. */
const truncationMode = lengthArguments.truncationMode.fallback;
const BAR = 40; // columns
const ENDS = 300; // characters of a long prompt that are shown at each end
const WORDS = 120; // words or tokens of a long answer that are shown at each end

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("show rows as the model sees them, with the lengths of answers, how they differ, and data warnings")
    .argument("[source]", "a JSONL, JSON or Parquet file, a folder of them, or a data set of the hub")
    .option("--input <source>", "the source, by name as in the commands that make pairs")
    .option("--model <folder>", "count in the tokens of this model (a folder or a name of the hub), not in words")
    .addOption(splitOption())
    .addOption(datasetConfigOption())
    .addOption(columnMappingOption())
    .addOption(option("--max-length <n>", optional({ ...rowLength, help: `${rowLength.help}, as in training` })))
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  $ smaug data inspect pairs.jsonl --model models/SmolLM2-135M-Instruct\n")
    .action(inspect);
}

async function inspect(positional: string | undefined, flags: InspectFlags, command: Command): Promise<void> {
  const { input, model, maxLength, json } = flags;
  if (positional !== undefined && input !== undefined)
    command.error(`error: expected one source but received ${positional} and --input ${input}`);
  const source = positional ?? input ?? command.error("error: missing required argument 'source', or --input");
  if (maxLength !== undefined && model === undefined)
    command.error("error: --max-length counts tokens; name the tokenizer's folder with --model");
  const { loadPreferences } = await import("../../data/rows/preferences.js");
  const { inspectRows } = await import("../../data/inspect.js");
  const { loadTokenizer } = await import("../../text/index.js");
  const { Progress } = await import("../../base/terminal/progress.js");
  const rows = await loadPreferences(source, { ...rowOptions(flags), rejected: "optional" });
  const tokenizer = model === undefined ? undefined : await loadTokenizer(model);
  const progress = new Progress("tokenizing", rows.length);
  const result = await inspectRows(rows, {
    ...(tokenizer ? { tokenizer } : {}),
    ...(maxLength === undefined ? {} : { maxLength, truncationMode }),
    onProgress: (done) => progress.update(done),
  });
  if (json) printJson({ source, ...result });
  else process.stdout.write((await report(source, result, maxLength)).map((line) => `${styled(line)}\n`).join(""));
}

async function report(source: string, result: Inspection, maxLength: number | undefined): Promise<Line[]> {
  const { describeWarnings, describeRejectedRows } = await import("../../data/rows/screening.js");
  const { describeCuts } = await import("../../data/tokenize/tokenizePairs.js");
  const { unit, rows, usable, refused, cut, odd, lengths, editDistance, samples } = result;
  const remarks = [
    ...(refused.length > 0 ? [describeRejectedRows(refused, rows)] : []),
    ...(cut.length > 0 ? [describeCuts(cut, { maxLength: maxLength!, truncationMode })] : []),
    ...describeWarnings(odd),
    ...(lengths.rejected ? [] : ["no row has a rejected answer: only loss_type sft can train on these"]),
  ];
  return [
    ...samples.flatMap((sample) => [...describeSample(sample, unit), ""]),
    ...Object.entries(lengths).flatMap(([name, { histogram, mean, median, p95, max }]) => [
      `${name} ${unit}: mean ${mean.toFixed(1)}, median ${median}, 95 % within ${p95}, longest ${max}`,
      ...bars(histogram, 1),
      "",
    ]),
    ...(editDistance ? describeDistances(editDistance, unit) : []),
    `${usable} of ${rows} rows of ${source} can be trained on${remarks.length > 0 ? "; look at these:" : ""}`,
    ...remarks.map((remark) => `- ${remark}`),
  ];
}

function describeDistances({ mean, median, histogram }: Distribution, unit: string): string[] {
  const between = `edit distance between the answers, in ${unit} of the longer one`;
  return [`${between}: mean ${mean.toFixed(2)}, median ${median.toFixed(2)}`, ...bars(histogram, 0), ""];
}

/** A line of text, and its format on a terminal. */
type Line = string | readonly [format: "bold" | "dim", text: string];

function describeSample({ index, chosen, rejected }: InspectedRow, unit: string): Line[] {
  return [
    ["bold", `row ${index}: prompt (masked), then the ${unit} of the answers, which are learnt`],
    ["dim", ended(bothEnds(chosen.prompt))],
    ["bold", "  chosen"],
    joined(chosen),
    ...(rejected ? describeRejected(rejected, chosen.prompt) : []),
  ];
}

function describeRejected(rejected: InspectedAnswer, prompt: string): Line[] {
  const own: Line[] = [
    ["bold", "  rejected, whose prompt ends differently"],
    ["dim", ended(bothEnds(rejected.prompt))],
  ];
  return [...(rejected.prompt === prompt ? [] : own), ["bold", "  rejected"], joined(rejected)];
}

/** Each unit between bars, with line breaks to be seen. */
function joined({ completion }: InspectedAnswer): string {
  const long = completion.length > 2 * WORDS;
  const left = completion.length - 2 * WORDS;
  const [head, tail] = [completion.slice(0, WORDS), completion.slice(-WORDS)];
  const shown = long ? [...head, ` … ${left} more … `, ...tail] : completion;
  return `│${shown.map((text) => text.replaceAll("\n", "↵\n")).join("│")}│`;
}

function bothEnds(text: string): string {
  if (text.length <= 2 * ENDS + 50) return text;
  return `${text.slice(0, ENDS)} … ${text.length - 2 * ENDS} characters … ${text.slice(-ENDS)}`;
}

/** Formats a line on a terminal. Control characters of rows are escaped. */
function styled(line: Line): string {
  if (typeof line === "string") return printable(line);
  const text = printable(line[1]);
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(line[0], text) : text;
}

const ended = (text: string): string => text.replaceAll("\n", "↵\n");

/** `step` is 1 for whole numbers, whose range [5, 10) reads 5–9. */
function bars(histogram: readonly HistogramBin[], step: 0 | 1): string[] {
  const most = Math.max(...histogram.map(({ count }) => count));
  const labels = histogram.map(({ from, to }) => (from === to - step ? `${from}` : `${from}–${to - step}`));
  const width = Math.max(...labels.map((label) => label.length));
  return histogram.map(({ count }, i) => {
    const bar = "█".repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * BAR)));
    return `  ${labels[i]!.padStart(width)} ${bar} ${count}`;
  });
}
