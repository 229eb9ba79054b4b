/**
 * `smaug report`: the pictures of training runs, one or several side by side, as one HTML file; with `--data` also what
 * they did to the answers of those rows, token by token.
 */
import { dirname, join } from "node:path";
import { Command } from "commander";
import { InputError } from "../base/errors";
import { expectUsableFolder } from "../base/files/outputFolder";
import { makeFolder, writeWhole } from "../base/files/wholeFiles";
import { kebabCase } from "../base/names";
import { Progress } from "../base/terminal/progress";
import { loadPreferences } from "../data/rows/preferences";
import { describeRejectedRows, expectSomeKept } from "../data/rows/screening";
import { diagnose } from "../evaluate/diagnosis/diagnose";
import { measureRuns } from "../evaluate/diagnosis/measure";
import { baseOf, closeRuns, isAdapterFolder, openRuns, tokenizeForRuns } from "../evaluate/diagnosis/runs";
import { samplesOf } from "../evaluate/diagnosis/samples";
import { loadModel } from "../models";
import { resolveModel } from "../models/modelSource";
import { type DiagnosedAnswers, finding } from "../report/diagnosis";
import type { Chart } from "../report/figures";
import { headline, outcome, warnings } from "../report/findings";
import { type LoggedRun, readRuns } from "../report/run";
import { renderRuns } from "../report/runReport";
import { writeSvgFiles } from "../report/standaloneSvg";
import { REPORT_FILE } from "../train/output/entries";
import {
  columnMappingOption,
  datasetConfigOption,
  deviceOption,
  dtypeOption,
  type ModelFlags,
  modelOption,
  type RowFlags,
  rowOptions,
  splitOption,
} from "./options";
import { print, printJson, tell } from "./output";
import { expectWritable, type FileInput, modelInputs } from "./outputFile";

interface Flags extends RowFlags, Pick<ModelFlags, "device" | "dtype">, Partial<Pick<ModelFlags, "model">> {
  out?: string;
  svg?: string;
  data?: string;
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
    .argument("<runs...>", "folders of runs")
    .option("--out <file>", "where the HTML goes")
    .option("--svg <folder>", "write every picture into this folder, too, as SVG files")
    .option("--data <source>", "preference rows to score token by token: a file, a folder, or a hub id")
    .addOption(splitOption())
    .addOption(datasetConfigOption())
    .addOption(columnMappingOption())
    .addOption(modelOption("the model the runs are compared with, a folder or a hub id"))
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .option("--json", "print what was found as one JSON object")
    .addHelpText("after", notes)
    .action(report);
}

async function report(folders: string[], flags: Flags): Promise<void> {
  const { out, svg, data, json } = flags;
  const file = out ?? (folders.length > 1 ? REPORT_FILE : join(folders[0]!, REPORT_FILE));
  expectNoIdleFlags(flags);
  expectWritable(file, inputsOf(folders, flags));
  if (svg !== undefined) expectUsableFolder(svg, "--svg");
  const runs = readRuns(folders);
  for (const note of runs.flatMap(({ notes }) => notes)) tell(`note: ${note}`);
  const answers = data === undefined ? undefined : await diagnosed(runs, data, flags);
  const charts: Chart[] = [];
  const page = await renderRuns(runs, answers, (chart) => charts.push(chart));
  makeFolder(dirname(file));
  await writeWhole(file, page);
  const pictures = svg === undefined ? [] : (await writeSvgFiles(svg, charts)).map((name) => join(svg, name));

  const said = { headline: headline(runs), outcomes: runs.map(outcome), warnings: runs.flatMap(warnings) };
  if (json) {
    const diagnosis = answers && { refused: answers.refused, ...answers.diagnosis };
    printJson({ out: file, ...(svg === undefined ? {} : { svg: pictures }), ...said, ...(diagnosis ? { diagnosis } : {}) });
    return;
  }
  const found = answers ? [finding(answers.diagnosis)] : [];
  const written = svg === undefined ? [file] : [file, `${pictures.length} pictures in ${svg}`];
  const warned = said.warnings.map((text) => `warning: ${text}`);
  print([said.headline, ...said.outcomes, ...found, ...warned, ...written].join("\n"));
}

/** Options that only say how the rows of `--data` are scored. */
const ABOUT_DATA = ["split", "datasetConfig", "columnMapping", "model"] as const;

function expectNoIdleFlags(flags: Flags): void {
  const idle = ABOUT_DATA.find((name) => flags[name] !== undefined);
  if (idle !== undefined && flags.data === undefined)
    throw new InputError(`Expected '--data' with '--${kebabCase(idle)}' but received none; it names the rows to score`);
}

function inputsOf(folders: readonly string[], { data, model }: Flags): FileInput[] {
  return [
    ...folders.map((path) => ({ path, option: "runs", kind: "model" as const })),
    ...(data === undefined ? [] : [{ path: data, option: "--data", kind: "data" as const }]),
    ...modelInputs(model, "--model"),
  ];
}

/** What the runs did to the answers of these rows. */
async function diagnosed(runs: readonly LoggedRun[], data: string, flags: Flags): Promise<DiagnosedAnswers> {
  const { device, dtype } = flags;
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
      if (refused.length > 0) tell(describeRejectedRows(refused, rows.length, "scored"));
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
