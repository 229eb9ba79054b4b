/** `smaug reproduce --preset paper`: the paper's comparison, on a small model made here or on a user's. */
import { createHash } from "node:crypto";
import { InputError } from "../../base/errors";
import { kebabCase } from "../../base/names";
import { Progress } from "../../base/terminal/progress";
import type { PreferenceRow } from "../../data/rows/preferenceRow";
import { expectPlainRows, loadPreferences } from "../../data/rows/preferences";
import { describeRejectedRows, expectSomeKept } from "../../data/rows/screening";
import { rowLength } from "../../data/tokenize/lengths";
import { expectBothAnswers } from "../../data/tokenize/tokenizedPair";
import { ownDefaults, presets } from "../../paper/settings";
import type { Study } from "../../paper/study/plan";
import type { Subject } from "../../paper/study/subject";
import type { DType } from "../../torch";
import { type RowFlags, rowOptions } from "../options";
import { print, printJson, tell } from "../output";
import type { ReproduceOutput } from "./output";

/** Named here, so that the help needs no libtorch. */
export const STUDY_PRESETS = ["paper", "paper-large", "paper-smoke"] as const;
/** Default number of seeds. */
export const STUDY_SEEDS = 3;
export type StudyPreset = (typeof STUDY_PRESETS)[number];

const SETTINGS = { paper: presets.quick, "paper-large": presets.large, "paper-smoke": presets.smoke };

/** Options that apply to a user's model only. */
const OWN_OPTIONS = ["dtype", "steps", "batchSize", "learningRate", "heldOut"] as const;
/** Options of these presets alone. */
export const STUDY_OPTIONS = ["seeds", "model", "grid", "device", ...OWN_OPTIONS] as const;

/** As it is written on a command line. */
export const flagOf = (name: (typeof STUDY_OPTIONS)[number]): string => (name === "grid" ? "--no-grid" : `--${kebabCase(name)}`);

export interface StudyFlags extends Omit<RowFlags, "split"> {
  seed: number;
  seeds?: number;
  data?: string[];
  model?: string;
  device?: string;
  dtype?: DType | "auto";
  steps?: number;
  batchSize?: number;
  learningRate?: number;
  heldOut?: number;
  /** True when left out. */
  grid: boolean;
  out: string;
  json?: boolean;
}

export async function reproduceStudy(preset: StudyPreset, flags: StudyFlags, output: ReproduceOutput): Promise<void> {
  const { seed, seeds: count = STUDY_SEEDS, out, json } = flags;
  const { runStudy } = await import("../../paper/study/run.js"); // loads libtorch, as do those below
  const { paperStudy } = await import("../../paper/study/plan.js");
  const { renderStudyReport } = await import("../../paper/study/report.js");
  const { claimsInShort, formatStudy, studyCaveat, toStudySummary } = await import("../../paper/study/summary.js");
  const { testClaims } = await import("../../paper/study/claims.js");
  using subject = await createSubject(preset, flags);
  const study: Study = {
    ...paperStudy,
    corpora: paperStudy.corpora.filter((corpus) => subject.description.corpora[corpus]),
    ...(flags.grid ? {} : { grid: [] }),
  };
  const result = await runStudy({
    preset,
    study,
    subject,
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    folder: out,
    overwriting: output.overwriting,
    startPhase: (label, total) => new Progress(label, total),
    onPlan: (cells, finished) => {
      const left = finished === 0 ? "" : `; ${finished} are in ${out} already`;
      tell(`${cells} cells for ${count === 1 ? "1 seed" : `${count} seeds`}${left}`);
    },
  });

  const files = await output.write(await renderStudyReport(result), toStudySummary(result));
  const warning = studyCaveat(result);
  if (warning) tell(`warning: ${warning}`);
  const parts = [formatStudy(result), claimsInShort(testClaims(result)), files.names];
  if (json) printJson(files.summary, 2);
  else print(`\n${parts.join("\n\n")}`);
}

export function checkStudyFlags(preset: StudyPreset, flags: StudyFlags): void {
  const { model, data } = flags;
  if (data && data.length > 2)
    throw new InputError(`Expected one or two sources of rows for '--data' but received ${data.length}`);
  if (model !== undefined && preset !== "paper")
    throw new InputError(`Expected '--preset paper' with '--model' but received '${preset}'; --steps makes it short`);
  if (model !== undefined && !data)
    throw new InputError("Expected '--data' with '--model' but received none; it names the rows to train on");
  const idle = OWN_OPTIONS.find((name) => flags[name] !== undefined);
  if (model === undefined && idle !== undefined)
    throw new InputError(`Expected '--model' with '${flagOf(idle)}' but received none; the small model has settings of its own`);
}

async function createSubject(preset: StudyPreset, flags: StudyFlags): Promise<Subject> {
  const settings = SETTINGS[preset];
  if (flags.model !== undefined) return ownModel(flags.model, flags);
  const { SmallModel, corporaOfRows, generatedCorpora } = await import("../../paper/study/smallModel.js");
  const { data, out, device } = flags;
  if (!data)
    return new SmallModel(
      out,
      generatedCorpora(settings),
      "For each seed two small language models were trained, on " +
        "generated grade-school arithmetic and on multiple choice. From those references every method was trained on " +
        "pairs whose answers hardly differ, and on pairs whose answers are wholly other texts.",
      device,
    );
  const sources = await Promise.all(
    data.map(async (name) => {
      const rows = expectPlainRows(await loadPreferences(name, rowOptions(flags)), name);
      return { name, rows, digest: shortDigest(rows) };
    }),
  );
  const corpora = corporaOfRows(sources, settings, (name, refused, rows) =>
    tell(`${name}: ${describeRejectedRows(refused, rows)}`),
  );
  return new SmallModel(
    out,
    corpora,
    `For each seed and half a small language model was trained on the rows of ` +
      `${data.join(" and ")}, and from it every method.`,
    device,
  );
}

/** A user's model; its rows are read before it is loaded. */
async function ownModel(name: string, flags: StudyFlags): Promise<Subject> {
  const { OwnModel } = await import("../../paper/study/ownModel.js");
  const { splitByDistance } = await import("../../paper/study/subject.js");
  const { tokenizeRows } = await import("../../data/tokenize/tokenizePairs.js");
  const { completionOf } = await import("../../preference/difference.js");
  const { loadModel } = await import("../../models/index.js");
  const { loadTokenizer } = await import("../../text/index.js");
  const { data = [], out: folder, device = "cpu", dtype } = flags;
  const read = await Promise.all(
    data.map(async (source) => ({ name: source, rows: await loadPreferences(source, rowOptions(flags)) })),
  );
  const tokenizer = await loadTokenizer(name);
  const model = await loadModel(name, { device, dtype });
  try {
    const maxLength = Math.min(MOST_TOKENS, model.config.maxPositionEmbeddings);
    const sources = [];
    for (const { name: source, rows } of read) {
      const { pairs, refused } = await tokenizeRows(rows, tokenizer, { maxLength, name: source });
      expectSomeKept(pairs, refused, source);
      expectBothAnswers(pairs, "the study");
      if (refused.length > 0) tell(`${source}: ${describeRejectedRows(refused, rows.length)}`);
      sources.push({ name: source, rows: pairs, digest: shortDigest(rows) });
    }
    const halves = splitByDistance(sources, ({ chosen, rejected }) => [completionOf(chosen), completionOf(rejected)]);
    const given = Object.entries(flags).filter(([key, value]) => key in ownDefaults && value !== undefined);
    const settings = { ...ownDefaults, ...Object.fromEntries(given) };
    return await OwnModel.of({ folder, name, model, sources: halves, tokenizer, settings, device });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Of prompt and answer together, as in training; a longer row is refused. */
const MOST_TOKENS = rowLength.fallback;

const shortDigest = (rows: readonly PreferenceRow[]): string =>
  createHash("sha256").update(JSON.stringify(rows)).digest("hex").slice(0, 16);
