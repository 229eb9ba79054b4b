/**
 * The report of training runs: report.html, one file that opens offline. Curves of every metric that was logged, one
 * colour a run, each picture with its numbers behind it; what went wrong; and the settings, first those that differ.
 */
import { join } from "node:path";
import { writeWhole } from "../base/files/wholeFiles";
import { REPORT_FILE } from "../train/output/entries";
import { type DiagnosedAnswers, diagnosisSections } from "./diagnosis";
import { type Chart, type Draw, type Line, legend, loadCharts } from "./figures";
import { headline, meanAt, outcome, warnings } from "./findings";
import { breakable, type Html, html, short } from "./html";
import { curve, ENDS, firstGroup, groupsOf, type MetricGroup, type Picture, pointsOf, thinned } from "./metrics";
import { page, SERIES } from "./page";
import { configOf, type LoggedRun, type RunLine, readRuns } from "./run";
import {
  type Compared,
  figure,
  folded,
  footer,
  introduction,
  note,
  numbersTable,
  section,
  settingsList,
  stacked,
  type TableRow,
  table,
  versionsText,
} from "./sections";
import { TOKEN_STYLE } from "./tokens";

const DASHES = "5 3";
/** Rows of a table of numbers. The whole is in metrics.jsonl. */
const MOST_ROWS = 200;
/** Highest value over lowest, from which a logarithmic scale shows more. */
const FAR_APART = 100;

/**
 * The report of the runs in these folders as HTML.
 *
 * @throws InputError when a folder is not there, has no metrics, or a line in it is broken
 *
 * ```ts
 * writeFileSync("compared.html", await renderRunReport(["runs/dpo", "runs/dpop"]));
 * ```
 */
export async function renderRunReport(folders: readonly string[]): Promise<string> {
  if (folders.length === 0) throw new RangeError("Expected at least one folder for 'folders' but received none");
  return renderRuns(readRuns(folders));
}

/** Writes a run's report.html into its folder, whole or not at all, and returns its path. */
export async function writeRunReport(outputDir: string): Promise<string> {
  const file = join(outputDir, REPORT_FILE);
  await writeWhole(file, await renderRunReport([outputDir]));
  return file;
}

/**
 * The report of runs that have been read, with the answers' tokens under them where those were measured. `onChart` is
 * told of every picture in it.
 */
export async function renderRuns(
  runs: readonly LoggedRun[],
  diagnosed?: DiagnosedAnswers,
  onChart?: (chart: Chart) => void,
): Promise<string> {
  const drawn = await loadCharts();
  const draw: Draw = (chart) => {
    onChart?.(chart);
    return drawn(chart);
  };
  const sections = [
    introduction({
      kicker: `smaug report · ${runs.map(({ name }) => name).join(" · ")}`,
      title: headline(runs),
      findings: runs.map(outcome),
      warnings: runs.flatMap(warnings),
      notes: runs.flatMap(({ notes }) => notes).map((text) => `Note: ${text}.`),
    }),
    endSection(runs),
    ...(diagnosed ? diagnosisSections(diagnosed, draw) : []),
    ...groupsOf(runs).map((group) => groupSection(group, runs, draw)),
    settingsSection(runs),
  ];
  return page(headline(runs), sections, diagnosed ? TOKEN_STYLE : "");
}

/** What each run came to, next to what it began with. */
function endSection(runs: readonly LoggedRun[]): Html {
  const pictures = [...firstGroup(runs).pictures, ...ENDS];
  const row = (picture: Picture, linesOf: (run: LoggedRun) => readonly RunLine[], count?: number): TableRow[] => {
    if (runs.every((run) => meanAt("end", linesOf(run), picture.metric) === undefined)) return [];
    const cells = runs.map((run) => {
      const [start, end] = (["start", "end"] as const).map((at) => meanAt(at, linesOf(run), picture.metric, count));
      if (start === undefined || end === undefined) return null;
      const scale = scaleOf(picture, run);
      return stacked(short(end * scale), `from ${short(start * scale)}`);
    });
    return [{ head: breakable(picture.label), cells }];
  };
  const training = pictures.flatMap((picture) => row(picture, ({ lines }) => lines));
  const evaluation = pictures.flatMap((picture) => row(picture, ({ evaluations }) => evaluations, 1));
  const rows = [
    "training: the last lines logged (mean of up to five), from the first",
    ...training,
    ...(evaluation.length > 0 ? ["the last evaluation, from the first", ...evaluation] : []),
  ];
  return section(`What ${runs.length > 1 ? "each run" : "the run"} came to`, table(runs.map(compared), rows));
}

function groupSection(group: MetricGroup, runs: readonly LoggedRun[], draw: Draw): Html {
  const logged = group.pictures.filter(({ metric }) => runs.some((run) => isLogged(run, metric)));
  if (logged.length === 0) return html``;
  const pictures = logged.filter(({ isInTableOnly }) => !isInTableOnly);
  const charts = pictures.map((picture) => chartOf(picture, group, runs));
  const reading = readingOf(charts, pictures.some(({ inNats }) => inNats) ? runs : []);
  return section(
    group.title,
    note(group.note),
    figure(
      html`${runs.length > 1 ? legend(runs.map(compared)) : ""}
<div class="${group.isLarge ? "pictures" : "pictures halves"}">${charts.map(draw)}</div>`,
      reading,
    ),
    numbersOf(logged, runs),
  );
}

/** How to read charts; `scaled` are the runs whose rewards are divided by β in them. */
function readingOf(charts: readonly Pick<Chart, "lines">[], scaled: readonly LoggedRun[]): string {
  const lines = charts.flatMap((chart) => chart.lines);
  return [
    ...(scaled.length > 0 ? [betas(scaled)] : []),
    ...(lines.some(({ behind }) => behind) ? ["Pale: each logged line; strong: their running mean."] : []),
    ...(lines.some(({ dash }) => dash) ? ["Dashed: evaluations."] : []),
  ].join(" ");
}

/** What rewards are divided by. */
function betas(runs: readonly LoggedRun[]): string {
  const same = runs.every(({ beta }) => beta === runs[0]!.beta);
  return same ? `β is ${runs[0]!.beta}.` : `β is ${runs.map(({ name, beta }) => `${beta} (${name})`).join(", ")}.`;
}

function chartOf(picture: Picture, { isLarge = false }: MetricGroup, runs: readonly LoggedRun[]): Chart {
  const { metric, label, subject = label, inNats, ruleY, mayBeLog = false, isExact = false } = picture;
  const lines = runs.flatMap((run, i): Line[] => {
    const of = (each: readonly RunLine[]) => pointsOf(each, metric, scaleOf(picture, run));
    const color = colorOf(i);
    return [
      { name: run.name, color, ...(isExact ? { points: thinned(of(run.lines)) } : curve(of(run.lines))) },
      { name: `${run.name}, evaluation`, color, dash: DASHES, points: thinned(of(run.evaluations)) },
    ].filter(({ points }) => points.length > 0);
  });
  const values = lines.flatMap(({ points, behind = [] }) => [...points, ...behind].map(({ y }) => y));
  const [low, high] = values.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
  const log = mayBeLog && low > 0 && high / low > FAR_APART;
  return {
    description: `${subject} over training steps${runs.length > 1 ? ", by run" : ""}`,
    caption: readingOf([{ lines }], inNats ? runs : []),
    xLabel: "step",
    yLabel: log ? `${label} (logarithmic)` : label,
    lines,
    names: "elsewhere",
    half: !isLarge,
    log,
    ...(ruleY === undefined ? {} : { ruleY }),
  };
}

/** The logged values of some pictures: a row a step, evaluations in columns of their own. */
function numbersOf(pictures: readonly Picture[], runs: readonly LoggedRun[]): Html {
  const columns = runs.flatMap((run) =>
    pictures.flatMap((picture) =>
      (
        [
          ["", run.lines],
          ["eval_", run.evaluations],
        ] as const
      ).flatMap(([prefix, lines]) => {
        const points = pointsOf(lines, picture.metric, scaleOf(picture, run));
        if (points.length === 0) return [];
        const head = `${prefix}${picture.metric}${picture.inNats ? " ÷ β" : ""}`;
        return [{ head: runs.length > 1 ? `${run.name}: ${head}` : head, values: new Map(points.map(({ x, y }) => [x, y])) }];
      }),
    ),
  );
  const steps = [...new Set(columns.flatMap(({ values }) => [...values.keys()]))].sort((a, b) => a - b);
  const every = Math.ceil(steps.length / MOST_ROWS);
  const kept = steps.filter((_, i) => i % every === 0 || i === steps.length - 1);
  const rows = kept.map((step) => [step, ...columns.map(({ values }) => values.get(step) ?? null)]);
  const heads = [every > 1 ? `step (1 of ${every})` : "step", ...columns.map(({ head }) => head)];
  return numbersTable(heads, rows, short);
}

function settingsSection(runs: readonly LoggedRun[]): Html {
  const settings = runs.map(settingsOf);
  const names = [...new Set(settings.flatMap((each) => [...each.keys()]))];
  const isSame = (name: string) => settings.every((each) => each.get(name) === settings[0]!.get(name));
  const different = names
    .filter((name) => !isSame(name))
    .map((name) => ({ head: breakable(name), cells: settings.map((each) => each.get(name) ?? null) }));
  const same = names.filter(isSame).map((name) => [name, settings[0]!.get(name)!] as const);
  const versions = runs.map(({ header }) => versionsText(header["versions"] ?? {}));
  const body = section(
    "Settings",
    names.length === 0 ? note("The folder has no metrics.jsonl with a run header.") : "",
    different.length === 0
      ? ""
      : html`${note("What differs between the runs.")}${table(runs.map(compared), different, { className: "texts" })}`,
    same.length === 0
      ? ""
      : folded(runs.length > 1 ? `The ${same.length} that are the same` : `All ${same.length}`, settingsList(same)),
  );
  return html`${body}
${footer([...new Set(versions)].filter((text) => text !== "").join(" / "))}`;
}

/** The run header and the configuration as text, without what is not set. */
function settingsOf({ header, closing }: LoggedRun): Map<string, string> {
  const { config: _, versions: __, ...stated } = header;
  const runtime = closing?.["train_runtime"];
  const all = {
    ...configOf(header),
    ...stated,
    ...(runtime === undefined ? {} : { train_runtime: `${runtime.toFixed(1)} s` }),
  };
  const given = Object.entries(all).filter(([, value]) => value !== null);
  return new Map(given.map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string {
  if (typeof value === "number") return short(value);
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

const isLogged = ({ lines, evaluations }: LoggedRun, metric: string): boolean =>
  pointsOf(lines, metric).length > 0 || pointsOf(evaluations, metric).length > 0;
const scaleOf = ({ inNats }: Picture, { beta }: LoggedRun): number => (inNats ? 1 / beta! : 1);
const colorOf = (run: number): string => SERIES[run % SERIES.length]!;
const compared = ({ name }: LoggedRun, run: number): Compared => ({ name, color: colorOf(run) });
