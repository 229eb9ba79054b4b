/** `smaug report`: the pictures of training runs, one or several side by side, as one HTML file. */
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { InputError } from "../native/errors";

interface Flags {
  out?: string;
  json?: boolean;
}

const notes = `
A run is the output_dir of a training: its metrics.jsonl is read, or without that the trainer_state.json that other
programs leave. The report of one run goes into its folder, that of several to report.html where you are.

Example:
  $ smaug report runs/dpo runs/dpop --out compared.html
`;

export function reportCommand(): Command {
  return new Command("report")
    .description("draw what training runs logged, several side by side")
    .argument("<runs...>", "folders of runs")
    .option("--out <file>", "where the HTML goes")
    .option("--json", "print what was found as one JSON object")
    .addHelpText("after", notes)
    .action(report);
}

async function report(folders: string[], { out, json }: Flags): Promise<void> {
  const { writeFileAtomically } = await import("../data/atomicWrite.js");
  const { headline, outcome, warnings } = await import("../report/findings.js");
  const { readRuns } = await import("../report/run.js");
  const { renderRuns } = await import("../report/runReport.js");
  const file = out ?? (folders.length > 1 ? "report.html" : join(folders[0]!, "report.html"));
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new InputError(`Expected a file for '--out' but '${file}' is a folder; name a file in it`);
  const runs = readRuns(folders);
  const page = await renderRuns(runs);
  mkdirSync(dirname(file), { recursive: true });
  await writeFileAtomically(file, page);

  const said = { headline: headline(runs), outcomes: runs.map(outcome), warnings: runs.flatMap(warnings) };
  if (json) console.log(JSON.stringify({ out: file, ...said }));
  else console.log([said.headline, ...said.outcomes, ...said.warnings.map((text) => `warning: ${text}`), file].join("\n"));
}
