/**
 * The report of training runs: report.html, one file that opens offline. Curves of every metric that was logged, one
 * colour a run, each picture with its numbers behind it; what went wrong; and the settings, first those that differ.
 */
import { join } from "node:path";
import { writeFileAtomically } from "../data/atomicWrite";
import { type DiagnosedAnswers, diagnosisSections } from "./diagnosisSection";
import { type Chart, type Line, legend, loadCharts } from "./figures";
import { headline, meanAt, outcome, warnings } from "./findings";
import { type Html, html } from "./html";
import { numbersTable, short } from "./numbers";
import { page } from "./page";
import { type Run, type RunLine, configOf, readRuns } from "./run";
import { curve, pointsOf, thinned } from "./series";
import { SERIES, STYLE } from "./style";
import { TOKEN_STYLE } from "./tokens";

/** A picture of one metric. */
interface Picture {
  readonly metric: string;
  readonly label: string;
  /** Divides rewards by each run's β. */
  readonly inNats?: boolean;
  readonly ruleY?: number;
  /** Logarithmic where the values are positive and far apart. */
  readonly mayBeLog?: boolean;
  /** Has no noise that a running mean would take out. */
  readonly isExact?: boolean;
}

/** Pictures that belong together, with their numbers as one table. */
interface Group {
  readonly title: string;
  readonly note: string;
  readonly pictures: readonly Picture[];
  /** Pictures as wide as the page, not two in a row. */
  readonly isLarge?: boolean;
}

type Draw = (chart: Chart) => Html;

const DASHES = "5 3";
/** Rows of a table of numbers. The whole is in metrics.jsonl. */
const MOST_ROWS = 200;
/** Highest value over lowest, from which a logarithmic scale shows more. */
const FAR_APART = 100;

const AGAINST_REFERENCE: Group = {
  title: "Against the reference",
  note:
    "Log-prob of the whole answer minus the reference's, in nats, mean over the pairs of each logged step: rewards/chosen " +
    "and rewards/rejected divided by β. The rule at 0 is the reference. A chosen curve below it says that the model has " +
    "become less likely to give the preferred answer.",
  isLarge: true,
  pictures: [
    { metric: "rewards/chosen", label: "chosen answer, nats against the reference", inNats: true, ruleY: 0 },
    { metric: "rewards/rejected", label: "rejected answer, nats against the reference", inNats: true, ruleY: 0 },
  ],
};

const REWARDS: Group = {
  title: "Rewards",
  note:
    "rewards/chosen and rewards/rejected as they were logged. Not every run here says what its β and its reference are, so " +
    "they cannot be given in nats against the reference.",
  isLarge: true,
  pictures: [
    { metric: "rewards/chosen", label: "reward of the chosen answer", ruleY: 0 },
    { metric: "rewards/rejected", label: "reward of the rejected answer", ruleY: 0 },
  ],
};

const GROUPS: readonly Group[] = [
  {
    title: "Log-probs",
    note: "Of whole answers, in nats, mean over the pairs of each logged step: other pairs in every step, so these vary more.",
    pictures: [
      { metric: "logps/chosen", label: "logps/chosen, nats" },
      { metric: "logps/rejected", label: "logps/rejected, nats" },
    ],
  },
  {
    title: "Margin and accuracy",
    note: "Reward of the chosen minus that of the rejected answer (with β), and the share of pairs where it is above 0.",
    pictures: [
      { metric: "rewards/margins", label: "rewards/margins", ruleY: 0 },
      { metric: "rewards/accuracies", label: "rewards/accuracies" },
    ],
  },
  {
    title: "DPOP's penalty",
    note: "By how many nats chosen answers are below the reference, mean over pairs without λ and β, and the share of pairs where it counts.",
    pictures: [
      { metric: "dpop/penalty_mean", label: "dpop/penalty_mean, nats" },
      { metric: "dpop/penalty_active", label: "dpop/penalty_active" },
    ],
  },
  {
    title: "Optimisation",
    note: "The gradient's norm is that before clipping. Losses of different kinds are not to be compared.",
    pictures: [
      { metric: "loss", label: "loss", mayBeLog: true },
      { metric: "grad_norm", label: "grad_norm", mayBeLog: true },
      { metric: "learning_rate", label: "learning_rate", isExact: true },
    ],
  },
  {
    title: "Tokens",
    note: "Entropy of the next token in nats, over the tokens of both answers; share of chosen tokens that are the likeliest; means of the logits.",
    pictures: [
      { metric: "entropy", label: "entropy, nats" },
      { metric: "mean_token_accuracy", label: "mean_token_accuracy" },
      { metric: "logits/chosen", label: "logits/chosen" },
      { metric: "logits/rejected", label: "logits/rejected" },
    ],
  },
  {
    title: "Speed and memory",
    note: "Tokens are those of both answers with their prompts, whatever packing made of them.",
    pictures: [
      { metric: "perf/tokens_per_second", label: "tokens per second" },
      { metric: "perf/peak_memory_gib", label: "peak memory, GiB", isExact: true },
      { metric: "perf/mfu", label: "model FLOP utilisation" },
      { metric: "perf/prefix_sharing_saved", label: "tokens saved by shared prefixes" },
    ],
  },
];

/** Metrics that no picture is needed of. */
const UNSEEN = new Set([
  "step", "epoch", "num_tokens", "perf/packing_saved", "perf/tflops", "runtime", "samples_per_second", "steps_per_second",
]);

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
  const file = join(outputDir, "report.html");
  await writeFileAtomically(file, await renderRunReport([outputDir]));
  return file;
}

/** The report of runs that have been read, with the answers' tokens under them where those were measured. */
export async function renderRuns(runs: readonly Run[], diagnosed?: DiagnosedAnswers): Promise<string> {
  const draw = await loadCharts();
  const first = runs.every(({ beta }) => beta !== undefined) ? AGAINST_REFERENCE : REWARDS;
  const groups = [first, ...GROUPS, otherMetrics(runs)];
  const sections = [
    introduction(runs),
    endTable(runs),
    ...(diagnosed ? diagnosisSections(diagnosed, draw) : []),
    ...groups.map((group) => groupSection(group, runs, draw)),
    settingsSection(runs),
  ];
  return page(headline(runs), sections, `${STYLE}${diagnosed ? TOKEN_STYLE : ""}`);
}

function introduction(runs: readonly Run[]): Html {
  const found = runs.flatMap(warnings);
  return html`<header>
<p>smaug report · ${runs.map(({ name }) => name).join(" · ")}</p>
<h1>${headline(runs)}</h1>
<ul>${runs.map((run) => html`<li>${outcome(run)}</li>`)}</ul>
${found.map((text) => html`<p class="warning">${text}</p>`)}
</header>`;
}

/** What each run came to, beside what it began with. */
function endTable(runs: readonly Run[]): Html {
  const rewards = (runs.every(({ beta }) => beta !== undefined) ? AGAINST_REFERENCE : REWARDS).pictures;
  const pictures = [
    ...rewards,
    ...["rewards/margins", "rewards/accuracies", "loss", "dpop/penalty_mean", "grad_norm", "entropy", "mean_token_accuracy"].map(
      (metric) => ({ metric, label: metric }),
    ),
  ];
  const row = (picture: Picture, linesOf: (run: Run) => readonly RunLine[], count?: number): Html[] => {
    if (runs.every((run) => meanAt("end", linesOf(run), picture.metric) === undefined)) return [];
    const cells = runs.map((run) => {
      const [start, end] = (["start", "end"] as const).map((at) => meanAt(at, linesOf(run), picture.metric, count));
      if (start === undefined || end === undefined) return html`<td>–</td>`;
      const scale = scaleOf(picture, run);
      return html`<td>${short(end * scale)}<small>from ${short(start * scale)}</small></td>`;
    });
    return [html`<tr><th>${picture.label}</th>${cells}</tr>`];
  };
  const training = pictures.flatMap((picture) => row(picture, ({ lines }) => lines));
  const evaluation = pictures.flatMap((picture) => row(picture, ({ evaluations }) => evaluations, 1));
  const heading = (text: string) => html`<tr class="group"><th colspan="${runs.length + 1}">${text}</th></tr>`;
  return html`<section>
<h2>What ${runs.length > 1 ? "each run" : "the run"} came to</h2>
<div class="sideways"><table>
<thead><tr><th></th>${runs.map(({ name }, i) => html`<th class="${colorOf(i)}">${name}</th>`)}</tr></thead>
<tbody>${heading("training: the last lines logged (mean of up to five), from the first")}${training}${
  evaluation.length > 0 ? html`${heading("the last evaluation, from the first")}${evaluation}` : ""}</tbody>
</table></div>
</section>`;
}

function groupSection(group: Group, runs: readonly Run[], draw: Draw): Html {
  const pictures = group.pictures.filter(({ metric }) => runs.some((run) => isLogged(run, metric)));
  if (pictures.length === 0) return html``;
  const hasEvaluations = runs.some(({ evaluations }) => pictures.some(({ metric }) => pointsOf(evaluations, metric).length > 0));
  const hasMeans = runs.some(({ lines }) => pictures.some(({ metric, isExact }) => !isExact && curve(pointsOf(lines, metric)).behind));
  const reading = [
    ...(pictures.some(({ inNats }) => inNats) ? [betas(runs)] : []),
    ...(hasMeans ? ["Pale: each logged line; strong: their running mean."] : []),
    ...(hasEvaluations ? ["Dashed: evaluations."] : []),
  ];
  const names = runs.length > 1 ? legend(runs.map(({ name }, i) => ({ name, color: colorOf(i) }))) : "";
  return html`<section>
<h2>${group.title}</h2>
<p class="note">${group.note}</p>
<figure>
${names}
<div class="${group.isLarge ? "pictures" : "pictures halves"}">${pictures.map((picture) => draw(chartOf(picture, group, runs)))}</div>
${reading.length > 0 ? html`<figcaption>${reading.join(" ")}</figcaption>` : ""}
</figure>
${numbersOf(pictures, runs)}
</section>`;
}

/** What rewards are divided by. */
function betas(runs: readonly Run[]): string {
  const same = runs.every(({ beta }) => beta === runs[0]!.beta);
  return same ? `β is ${runs[0]!.beta}.` : `β is ${runs.map(({ name, beta }) => `${beta} (${name})`).join(", ")}.`;
}

function chartOf(picture: Picture, { isLarge = false }: Group, runs: readonly Run[]): Chart {
  const { metric, label, ruleY, mayBeLog = false, isExact = false } = picture;
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
    description: `${label} over training steps${runs.length > 1 ? ", by run" : ""}`,
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
function numbersOf(pictures: readonly Picture[], runs: readonly Run[]): Html {
  const columns = runs.flatMap((run) =>
    pictures.flatMap((picture) =>
      ([["", run.lines], ["eval_", run.evaluations]] as const).flatMap(([prefix, lines]) => {
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

/** What was logged and is in no group. */
function otherMetrics(runs: readonly Run[]): Group {
  const known = new Set([...AGAINST_REFERENCE.pictures, ...GROUPS.flatMap(({ pictures }) => pictures)].map(({ metric }) => metric));
  const logged = new Set(runs.flatMap(({ lines, evaluations }) => [...lines, ...evaluations].flatMap((line) => Object.keys(line))));
  const rest = [...logged].filter((metric) => !known.has(metric) && !UNSEEN.has(metric)).sort();
  return { title: "More", note: "Whatever else was logged.", pictures: rest.map((metric) => ({ metric, label: metric })) };
}

function settingsSection(runs: readonly Run[]): Html {
  const settings = runs.map(settingsOf);
  const names = [...new Set(settings.flatMap((each) => [...each.keys()]))];
  const isSame = (name: string) => settings.every((each) => each.get(name) === settings[0]!.get(name));
  const table = (some: readonly string[]) => html`<div class="sideways"><table class="texts">
<thead><tr><th></th>${runs.map(({ name }, i) => html`<th class="${colorOf(i)}">${name}</th>`)}</tr></thead>
<tbody>${some.map((name) => html`<tr><th>${name}</th>${settings.map((each) => html`<td>${each.get(name) ?? "–"}</td>`)}</tr>`)}</tbody>
</table></div>`;
  const list = (some: readonly string[]) =>
    html`<dl class="settings">${some.map((name) => html`<dt>${name}</dt><dd>${settings[0]!.get(name)!}</dd>`)}</dl>`;
  const different = names.filter((name) => !isSame(name));
  const same = names.filter(isSame);
  const versions = runs.map(({ statement }) => Object.entries(statement["versions"] ?? {}).map((entry) => entry.join(" ")).join(" · "));
  const none = html`<p class="note">The folder has no metrics.jsonl with a statement of the run.</p>`;
  return html`<section>
<h2>Settings</h2>
${names.length === 0 ? none : ""}
${different.length > 0 ? html`<p class="note">What differs between the runs.</p>${table(different)}` : ""}
${same.length > 0 ? html`<details><summary>${runs.length > 1 ? `The ${same.length} that are the same` : `All ${same.length}`}</summary>${list(same)}</details>` : ""}
</section>
<footer>${[...new Set(versions)].filter((text) => text !== "").join(" / ")}</footer>`;
}

/** What a run states of itself and its configuration, as text; without what is not set. */
function settingsOf({ statement, closing }: Run): Map<string, string> {
  const { config: _, versions: __, ...stated } = statement;
  const runtime = closing?.["train_runtime"];
  const all = { ...configOf(statement), ...stated, ...(runtime === undefined ? {} : { train_runtime: `${runtime.toFixed(1)} s` }) };
  const given = Object.entries(all).filter(([, value]) => value !== null);
  return new Map(given.map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string {
  if (typeof value === "number") return short(value);
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

const isLogged = ({ lines, evaluations }: Run, metric: string): boolean =>
  pointsOf(lines, metric).length > 0 || pointsOf(evaluations, metric).length > 0;
const scaleOf = ({ inNats }: Picture, { beta }: Run): number => (inNats ? 1 / beta! : 1);
const colorOf = (run: number): string => SERIES[run % SERIES.length]!;
