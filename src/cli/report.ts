/**
 * `smaug report`: the pictures of training runs, one or several side by side, as one HTML file; with `--data` also what
 * they did to the answers of those rows, token by token.
 */
import { dirname, join } from "node:path";
import { makeFolder } from "../base/files/wholeFiles";
import { Command, Option } from "commander";
import { InputError } from "../base/errors";
import type { DiagnosedAnswers } from "../report/diagnosis";
import type { Chart } from "../report/figures";
import type { Run } from "../report/run";
import type { DType } from "../torch";
import { print, printJson, tell } from "./output";
import { type FileInput, expectWritable, modelInputs } from "./outputFile";
import { type RowFlags, columnMappingOption, datasetConfigOption, rowOptions, splitOption } from "./train/rowOptions";

interface Flags extends RowFlags {
  out?: string;
  svg?: string;
  data?: string;
  model?: string;
  device: string;
  dtype?: DType | "auto";
  json?: boolean;
}

const notes = `
A run is the output_dir of a training: its metrics.jsonl is read, or without that the trainer_state.json that other
programs leave. The report of one run goes into its folder, that of several to report.html where you are.

With --data the rows are scored under the base model and under each run's adapter (or model), and the report shows where
the log-probs went: before, at and after the first difference of the answers, by distance from it, against edit distance
and CHES score, and on samples with every token coloured. The base model is the one the adapters name, unless --model
names another. The tokenizer and chat template in a run's folder take precedence over the base model's.

With --svg every picture of the report is also written as an SVG file of its own, with title and legend, in light colours.

Examples:
  $ smaug report runs/dpo runs/dpop --out compared.html
  $ smaug report runs/dpo runs/dpop --data held-out.jsonl --svg pictures
`;

export function reportCommand(): Command {
  return new Command("report")
    .description("draw what training runs logged, several side by side")
    .argument("<runs...>", "folders of runs")
    .option("--out <file>", "where the HTML goes")
    .option("--svg <folder>", "write every picture into this folder, too, as SVG files")
    .option("--data <source>", "preference rows to score token by token: a file, a folder, or a hub id")
    .addOption(splitOption())
    .addOption(datasetConfigOption())
    .addOption(columnMappingOption())
    .option("--model <folder>", "the model the runs are compared with, a folder or a hub id")
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
    .option("--json", "print what was found as one JSON object")
    .addHelpText("after", notes)
    .action(report);
}

async function report(folders: string[], flags: Flags): Promise<void> {
  const { out, svg, data, json } = flags;
  const { writeWhole } = await import("../base/files/wholeFiles.js");
  const { expectUsableFolder } = await import("../base/files/outputFolder.js");
  const { headline, outcome, warnings } = await import("../report/findings.js");
  const { readRuns } = await import("../report/run.js");
  const { renderRuns } = await import("../report/runReport.js");
  const file = out ?? (folders.length > 1 ? "report.html" : join(folders[0]!, "report.html"));
  const aboutData = { split: "split", datasetConfig: "dataset-config", columnMapping: "column-mapping", model: "model" } as const;
  for (const [name, flag] of Object.entries(aboutData) as [keyof typeof aboutData, string][])
    if (flags[name] !== undefined && data === undefined)
      throw new InputError(`Expected '--data' with '--${flag}' but received none; it names the rows to score`);
  const inputs: FileInput[] = [
    ...folders.map((path) => ({ path, option: "runs", kind: "model" as const })),
    ...(data === undefined ? [] : [{ path: data, option: "--data", kind: "data" as const }]),
    ...modelInputs(flags.model, "--model"),
  ];
  expectWritable(file, inputs);
  if (svg !== undefined) expectUsableFolder(svg, "--svg");
  const runs = readRuns(folders);
  for (const note of runs.flatMap(({ notes }) => notes)) tell(`note: ${note}`);
  const answers = data === undefined ? undefined : await diagnosed(runs, data, flags);
  const charts: Chart[] = [];
  const page = await renderRuns(runs, answers, (chart) => charts.push(chart));
  makeFolder(dirname(file));
  await writeWhole(file, page);
  const pictures = svg === undefined ? [] : await writePictures(svg, charts);

  const said = { headline: headline(runs), outcomes: runs.map(outcome), warnings: runs.flatMap(warnings) };
  if (json) {
    const diagnosis = answers && { refused: answers.refused, ...answers.diagnosis };
    printJson({ out: file, ...(svg === undefined ? {} : { svg: pictures }), ...said, ...(diagnosis ? { diagnosis } : {}) });
    return;
  }
  const { finding } = await import("../report/diagnosis.js");
  const found = answers ? [finding(answers.diagnosis)] : [];
  const written = svg === undefined ? [file] : [file, `${pictures.length} pictures in ${svg}`];
  const warned = said.warnings.map((text) => `warning: ${text}`);
  print([said.headline, ...said.outcomes, ...found, ...warned, ...written].join("\n"));
}

async function writePictures(folder: string, charts: readonly Chart[]): Promise<string[]> {
  const { writeSvgFiles } = await import("../report/standaloneSvg.js");
  return (await writeSvgFiles(folder, charts)).map((name) => join(folder, name));
}

/** What the runs did to the answers of these rows. */
async function diagnosed(runs: readonly Run[], data: string, flags: Flags): Promise<DiagnosedAnswers> {
  const { device, dtype } = flags;
  const { loadPreferences } = await import("../data/rows/preferences.js");
  const { describeRefusals, expectSomeKept } = await import("../data/rows/screening.js");
  const { baseOf, closeRuns, isAdapterFolder, openRuns, tokenizeForRuns } = await import("../evaluate/diagnosis/runs.js");
  const { measureRuns } = await import("../evaluate/diagnosis/measure.js");
  const { loadModel, resolveModel } = await import("../models/index.js");
  const { Progress } = await import("../base/terminal/progress.js");
  const { diagnose } = await import("../evaluate/diagnosis/diagnose.js");
  const { samplesOf } = await import("../evaluate/diagnosis/samples.js");

  runs.forEach(({ folder }) => isAdapterFolder(folder));
  const base = flags.model ?? baseOf(runs.map(({ folder }) => folder));
  const rows = await loadPreferences(data, rowOptions(flags));
  if (flags.model === undefined) await resolveModel(runs[0]!.folder); // if the base is missing, the error names its adapter
  const reference = await loadModel(base, { device, dtype });
  try {
    const opened = await openRuns(reference, runs, { device, dtype });
    try {
      const tokenizing = new Progress("tokenizing", rows.length);
      const { tokenizer, tokenized } = await tokenizeForRuns(base, runs, rows, {
        maxLength: reference.config.maxPositionEmbeddings,
        name: data,
        onProgress: (done) => tokenizing.update(done),
      });
      const { pairs, refused } = tokenized;
      expectSomeKept(pairs, refused, data, "scored");
      if (refused.length > 0) tell(describeRefusals(refused, rows.length, "scored"));
      const scoring = new Progress("scoring", pairs.length);
      const measured = await measureRuns(reference, opened, pairs, { onProgress: (done) => scoring.update(done) });
      const diagnosis = diagnose(measured);
      return { diagnosis, data, reference: base, refused: refused.length, samples: samplesOf(diagnosis, measured, tokenizer) };
    } finally {
      closeRuns(opened);
    }
  } finally {
    reference.dispose();
  }
}
