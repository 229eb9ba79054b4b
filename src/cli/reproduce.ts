/** `smaug reproduce`: the paper's effect from nothing, as a table, a summary and a report. */
import { access, constants, mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { writeFileAtomically } from "../data/atomicWrite";
import { InputError } from "../native/errors";
import { expectPlainRows, loadPreferences } from "../data/preferences";
import { describeRefusals } from "../data/screening";
import { renderReport } from "../paper/report/report";
import type { Preset } from "../paper/settings";
import { caveat, findings, formatTable, toSummary } from "../paper/summary";
import { Progress } from "../train/progress";

interface ReproduceOptions {
  preset: Preset;
  seed: number;
  data?: string;
  out: string;
  json?: boolean;
}

export function reproduceCommand(): Command {
  return new Command("reproduce")
    .description("train a small model, then DPO, DPOP and SFT from it, and show what each does to the chosen answers")
    .addOption(new Option("--preset <name>", "quick: the effect, in about a minute; smoke: the same path in seconds")
      .choices(["quick", "smoke"]).default("quick"))
    .option("--seed <n>", "the same seed gives the same numbers", parseSeed, 0)
    .option("--data <file>", "JSONL with prompt, chosen and rejected, instead of generated arithmetic")
    .option("--out <folder>", "where report.html and summary.json go", "runs/quickstart")
    .option("--json", "print summary.json instead of the table")
    .addHelpText("after", "\nExample:\n  $ smaug reproduce --data pairs.jsonl --seed 1 --out runs/pairs\n")
    .action(reproduce);
}

async function reproduce({ preset, seed, data, out, json }: ReproduceOptions): Promise<void> {
  await expectUsableFolder(out);
  const rows = data === undefined ? undefined : expectPlainRows(await loadPreferences(data), data);
  const { runExperiment } = await import("../paper/experiment.js"); // loads libtorch
  const result = runExperiment({
    preset,
    seed,
    data: rows && { name: data!, rows },
    startPhase: (label, total) => new Progress(label, total),
    onRefusals: (refused) => process.stderr.write(`${describeRefusals(refused, rows!.length)}\n`),
  });

  const report = await renderReport(result);
  const summary = `${JSON.stringify(toSummary(result), null, 2)}\n`;
  const files = { report: join(out, "report.html"), summary: join(out, "summary.json") };
  await mkdir(out, { recursive: true });
  await writeFileAtomically(files.report, report);
  await writeFileAtomically(files.summary, summary);

  const warning = caveat(result);
  if (warning) process.stderr.write(`warning: ${warning}\n`);
  const parts = [formatTable(result.methods), findings(result).join("\n"), `${files.report}\n${files.summary}`];
  process.stdout.write(json ? summary : `\n${parts.join("\n\n")}\n`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new InvalidArgumentError("Expected a non-negative integer.");
}

/** Fails now rather than after the work when nothing could be written there; creates nothing. */
async function expectUsableFolder(folder: string): Promise<void> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const stats = await stat(path).catch(() => undefined);
    if (!stats) continue;
    if (!stats.isDirectory()) throw new InputError(`Expected a folder for '--out' but '${path}' is a file`);
    await access(path, constants.W_OK).catch(() => {
      throw new InputError(`Expected a folder that may be written to for '--out' but '${path}' may not`);
    });
    return;
  }
}
