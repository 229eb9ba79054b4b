/** `smaug reproduce`: the paper's effect or its whole comparison from nothing, as tables, a summary and a report. */
import { Command, Option } from "commander";
import { type Argument, integer, number, optional } from "../../base/arguments";
import { InputError } from "../../base/errors";
import { Progress } from "../../base/terminal/progress";
import { expectPlainRows, loadPreferences } from "../../data/rows/preferences";
import { describeRejectedRows } from "../../data/rows/screening";
import { renderReport } from "../../paper/report";
import { ownDefaults as own, type Preset } from "../../paper/settings";
import { caveat, findings, formatTable, toSummary } from "../../paper/summary";
import {
  addOverwriteOption,
  columnMappingOption,
  datasetConfigOption,
  device,
  dtypeOption,
  isOverwriting,
  option,
  overwritingCommand,
  rowOptions,
} from "../options";
import { print, printJson, tell } from "../output";
import { exitOnSignals } from "../run";
import { ReproduceOutput } from "./output";
import {
  checkStudyFlags,
  flagOf,
  reproduceStudy,
  STUDY_OPTIONS,
  STUDY_PRESETS,
  STUDY_SEEDS,
  type StudyFlags,
  type StudyPreset,
} from "./study";

/** A number of things, which may be left out. */
const count = (help: string): Argument<number | null> => optional(integer(0, help, { min: 1 }));

interface ReproduceOptions extends Omit<StudyFlags, "out"> {
  preset: Preset | StudyPreset;
  out?: string;
}

export function reproduceCommand(): Command {
  const command = new Command("reproduce")
    .addOption(
      new Option(
        "--preset <name>",
        "quick: the effect, in about a minute; paper: SFT, DPO, IPO, SLiC and " +
          "DPOP at low and high edit distance over 3 seeds, with DPOP over beta and lambda, in about 20 minutes on one " +
          "core; paper-large: the same with a model 20 times as large; smoke, paper-smoke: the same paths in seconds",
      )
        .choices(["quick", "smoke", ...STUDY_PRESETS])
        .default("quick"),
    )
    .addOption(option("--seed <n>", integer(0, "the same seed gives the same numbers; of several, the first", { min: 0 })))
    .addOption(option("--seeds <n>", count(`how many seeds the paper presets take (default: ${STUDY_SEEDS})`)))
    .option(
      "--data <files...>",
      "rows with prompt, chosen and rejected, instead of generated ones: a JSONL, JSON or " +
        "Parquet file, a folder or a hub id; with a paper preset also two, of low and of high edit distance (one is cut " +
        "in the middle)",
    )
    .addOption(datasetConfigOption())
    .addOption(columnMappingOption())
    .option(
      "--model <folder>",
      "with --preset paper and --data: a model folder or hub id to train adapters on, instead of a small model made here",
    )
    .addOption(option("--device <name>", optional(device("with a paper preset: cpu, cuda, cuda:1 (default: cpu)"))))
    .addOption(dtypeOption("of the weights of --model; float32 on the CPU and auto elsewhere when left out"))
    .addOption(option("--steps <n>", count(`optimizer steps of each cell of --model (default: ${own.steps}, the paper's)`)))
    .addOption(option("--batch-size <n>", count(`pairs in a step of --model (default: ${own.batchSize})`)))
    .addOption(
      option(
        "--learning-rate <x>",
        optional(
          number(0, `of --model (default: ${own.learningRate.toExponential()}, the paper's)`, { above: 0, below: Infinity }),
        ),
      ),
    )
    .addOption(
      option("--held-out <n>", count(`the most prompts held out with --model, at most a tenth of all (default: ${own.heldOut})`)),
    )
    .option("--no-grid", "with a paper preset: only the comparison, without beta and lambda")
    .option(
      "--out <folder>",
      "where report.html and summary.json go; with a paper preset also each finished cell, " +
        "and the same command resumes where it stopped (default: runs/quickstart, or runs/paper)",
    )
    .option("--json", "print summary.json instead of the table");
  return addOverwriteOption(command, "replace results of another preset, seed, model or data in --out")
    .addHelpText(
      "after",
      "\nExample:\n  $ smaug reproduce --data pairs.jsonl --seed 1 --out runs/pairs\n" +
        "  $ smaug reproduce --preset paper --seeds 5 --out runs/paper\n" +
        "  $ smaug reproduce --preset paper --model models/SmolLM2-135M --data metamath.jsonl arc.jsonl --out runs/smollm2\n",
    )
    .action((options: ReproduceOptions, self: Command) => reproduce(options, self));
}

async function reproduce({ preset, ...options }: ReproduceOptions, self: Command): Promise<void> {
  const { seed, data = [], model = null, out = isStudy(preset) ? "runs/paper" : "runs/quickstart" } = options;
  if (!isStudy(preset)) checkOptions(preset, options);
  else checkStudyFlags(preset, { ...options, out });
  for (const [name, flag] of [
    ["datasetConfig", "dataset-config"],
    ["columnMapping", "column-mapping"],
  ] as const)
    if (options[name] !== undefined && data.length === 0)
      throw new InputError(`Expected '--data' with '--${flag}' but received none; '--${flag}' says how to read its rows`);
  const overwriting = isOverwriting(self) ? undefined : overwritingCommand(self);
  const unhandle = exitOnSignals();
  let output: ReproduceOutput | undefined;
  try {
    output = ReproduceOutput.claim(out, { preset, seed, model, data }, overwriting);
    if (isStudy(preset)) await reproduceStudy(preset, { ...options, out }, output);
    else await reproduceOne(preset, { ...options, data: data[0] }, output);
  } finally {
    output?.release();
    unhandle();
  }
}

function checkOptions(preset: Preset, { data = [], ...others }: Omit<ReproduceOptions, "preset">): void {
  for (const name of STUDY_OPTIONS)
    if (others[name] !== undefined && others[name] !== true)
      throw new InputError(
        `Expected no '${flagOf(name)}' with '--preset ${preset}', which runs one seed of a small model; take --preset paper`,
      );
  if (data.length > 1)
    throw new InputError(`Expected one file for '--data' with '--preset ${preset}' but received ${data.length}`);
}

type OneOptions = Omit<ReproduceOptions, "preset" | "data"> & { data: string | undefined };

async function reproduceOne(preset: Preset, { seed, data, json, ...flags }: OneOptions, output: ReproduceOutput): Promise<void> {
  const rows = data === undefined ? undefined : expectPlainRows(await loadPreferences(data, rowOptions(flags)), data);
  const { runExperiment } = await import("../../paper/experiment.js"); // loads libtorch
  const result = await runExperiment({
    preset,
    seed,
    data: rows && { name: data!, rows },
    startPhase: (label, total) => new Progress(label, total),
    onRejectedRows: (refused) => tell(describeRejectedRows(refused, rows!.length)),
  });

  const files = await output.write(await renderReport(result), toSummary(result));
  const warning = caveat(result);
  if (warning) tell(`warning: ${warning}`);
  const parts = [formatTable(result.methods), findings(result).join("\n"), files.names];
  if (json) printJson(files.summary, 2);
  else print(`\n${parts.join("\n\n")}`);
}

const isStudy = (preset: Preset | StudyPreset): preset is StudyPreset => (STUDY_PRESETS as readonly string[]).includes(preset);
