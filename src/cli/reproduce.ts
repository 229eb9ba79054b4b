/** `smaug reproduce`: the paper's effect or its whole comparison from nothing, as tables, a summary and a report. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { writeFileAtomically } from "../data/atomicWrite";
import { InputError } from "../native/errors";
import { expectUsableFolder } from "../data/outputFolder";
import { expectPlainRows, loadPreferences } from "../data/preferences";
import { describeRefusals } from "../data/screening";
import { renderReport } from "../paper/report/report";
import type { Preset } from "../paper/settings";
import type { StudyPreset } from "../paper/study/plan";
import { caveat, findings, formatTable, toSummary } from "../paper/summary";
import { Progress } from "../train/progress";

interface ReproduceOptions {
  preset: Preset | StudyPreset;
  seed: number;
  seeds?: number;
  data?: string;
  out?: string;
  json?: boolean;
}

/** Named here too, so that the help needs no libtorch. */
const STUDY_PRESETS = ["paper", "paper-smoke"] as const satisfies readonly StudyPreset[];

export function reproduceCommand(): Command {
  return new Command("reproduce")
    .description("train a small model, then DPO, DPOP and SFT from it, and show what each does to the chosen answers")
    .addOption(new Option("--preset <name>", "quick: the effect, in about a minute; paper: SFT, DPO, IPO, SLiC and " +
      "DPOP at low and high edit distance over 3 seeds, with DPOP over beta and lambda, in 10 to 20 minutes on one " +
      "core; smoke, paper-smoke: the same paths in seconds")
      .choices(["quick", "smoke", ...STUDY_PRESETS]).default("quick"))
    .option("--seed <n>", "the same seed gives the same numbers; of several, the first", parseSeed, 0)
    .option("--seeds <n>", "how many seeds the paper presets take (default: 3)", parseCount)
    .option("--data <file>", "JSONL with prompt, chosen and rejected, instead of generated arithmetic")
    .option("--out <folder>", "where report.html and summary.json go; with a paper preset also each finished cell, " +
      "and the same command goes on where it stopped (default: runs/quickstart, or runs/paper)")
    .option("--json", "print summary.json instead of the table")
    .addHelpText("after", "\nExample:\n  $ smaug reproduce --data pairs.jsonl --seed 1 --out runs/pairs\n" +
      "  $ smaug reproduce --preset paper --seeds 5 --out runs/paper\n")
    .action(reproduce);
}

function reproduce({ preset, ...options }: ReproduceOptions): Promise<void> {
  if (isStudy(preset)) {
    if (options.data !== undefined)
      throw new InputError(`Expected no '--data' with '--preset ${preset}', which has its own problems; leave it out`);
    return reproduceStudy(preset, options);
  }
  if (options.seeds !== undefined)
    throw new InputError(`Expected no '--seeds' with '--preset ${preset}', which runs one seed; take --preset paper`);
  return reproduceOne(preset, options);
}

type Options = Omit<ReproduceOptions, "preset">;

async function reproduceOne(preset: Preset, { seed, data, out = "runs/quickstart", json }: Options): Promise<void> {
  expectUsableFolder(out, "--out");
  const rows = data === undefined ? undefined : expectPlainRows(await loadPreferences(data), data);
  const { runExperiment } = await import("../paper/experiment.js"); // loads libtorch
  const result = runExperiment({
    preset,
    seed,
    data: rows && { name: data!, rows },
    startPhase: (label, total) => new Progress(label, total),
    onRefusals: (refused) => process.stderr.write(`${describeRefusals(refused, rows!.length)}\n`),
  });

  const files = await writeFiles(out, await renderReport(result), toSummary(result));
  const warning = caveat(result);
  if (warning) process.stderr.write(`warning: ${warning}\n`);
  const parts = [formatTable(result.methods), findings(result).join("\n"), files.names];
  process.stdout.write(json ? files.summary : `\n${parts.join("\n\n")}\n`);
}

async function reproduceStudy(preset: StudyPreset, options: Options): Promise<void> {
  const { seed, seeds: count = 3, out = "runs/paper", json } = options;
  expectUsableFolder(out, "--out");
  const { runStudy } = await import("../paper/study/run.js"); // loads libtorch, as do those below
  const { studies } = await import("../paper/study/plan.js");
  const { renderStudyReport } = await import("../paper/study/report.js");
  const { claimsInShort, formatStudy, studyCaveat, toStudySummary } = await import("../paper/study/summary.js");
  const { testClaims } = await import("../paper/study/claims.js");
  const result = await runStudy({
    preset,
    study: studies[preset],
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    folder: out,
    startPhase: (label, total) => new Progress(label, total),
    onPlan: (cells, finished) => {
      const left = finished === 0 ? "" : `; ${finished} are in ${out} already`;
      process.stderr.write(`${cells} cells for ${count === 1 ? "1 seed" : `${count} seeds`}${left}\n`);
    },
  });

  const files = await writeFiles(out, await renderStudyReport(result), toStudySummary(result));
  const warning = studyCaveat(result);
  if (warning) process.stderr.write(`warning: ${warning}\n`);
  const parts = [formatStudy(result), claimsInShort(testClaims(result)), files.names];
  process.stdout.write(json ? files.summary : `\n${parts.join("\n\n")}\n`);
}

/** Writes report.html and summary.json; gives the text of the summary, and the names of both. */
async function writeFiles(out: string, report: string, content: object): Promise<{ summary: string; names: string }> {
  const summary = `${JSON.stringify(content, null, 2)}\n`;
  const files = { report: join(out, "report.html"), summary: join(out, "summary.json") };
  await mkdir(out, { recursive: true });
  await writeFileAtomically(files.report, report);
  await writeFileAtomically(files.summary, summary);
  return { summary, names: `${files.report}\n${files.summary}` };
}

const isStudy = (preset: Preset | StudyPreset): preset is StudyPreset =>
  (STUDY_PRESETS as readonly string[]).includes(preset);

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new InvalidArgumentError("Expected a non-negative integer.");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a positive integer.");
}
