/** The study's report.html: both comparisons, the ablation, curves and token positions, and the paper's claims. */

import { type Chart, loadCharts } from "../../report/figures";
import { type Html, html, withMinus } from "../../report/html";
import { numbersTable } from "../../report/sections";
import { page } from "../../report/page";
import { mean } from "../measure";
import { testClaims } from "./claims";
import { type Corpus, STUDY_METHODS, STUDY_NAMES, type StudyMethod, parametersOf } from "./plan";
import type { FinishedCell, StudyResult } from "./run";
import type { Spread } from "./spread";
import {
  COLUMNS,
  ablationCells,
  claimMeasured,
  claimText,
  claimVerdict,
  claimsInShort,
  editDistanceOf,
  studyCaveat,
  titleOf,
} from "./summary";
import { cellsOver, comparison } from "./table";

type Draw = (chart: Chart) => Html;

const COLORS: Record<StudyMethod, string> = {
  reference: "muted",
  dpop: "series-1",
  dpo: "series-2",
  sft: "series-3",
  ipo: "series-4",
  slic: "series-5",
  hinge: "series-6",
};
const DOTS = "2 4";
const TITLE = "The paper's comparison, measured here";

/** The whole report of a study. */
export async function renderStudyReport(result: StudyResult): Promise<string> {
  const draw = await loadCharts();
  return page(TITLE, [
    introduction(result),
    claimsSection(result),
    ...result.study.corpora.flatMap((corpus) => [
      comparisonSection(result, corpus),
      curvesFigure(result, corpus, draw),
      positionsFigure(result, corpus, draw),
      ...(result.study.grid.includes(corpus) ? [ablationSection(result, corpus)] : []),
    ]),
    settingsSection(result),
  ]);
}

function introduction(result: StudyResult): Html {
  const { preset, seeds, subject } = result;
  const warning = studyCaveat(result);
  return html`<header>
<p>smaug reproduce · preset ${preset} · ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}</p>
<h1>${TITLE}</h1>
<p class="lead">${subject.lead}</p>
<p>${withMinus(claimsInShort(testClaims(result)))}</p>
${warning === null ? "" : html`<p class="warning">${warning}</p>`}
</header>`;
}

function claimsSection(result: StudyResult): Html {
  const rows = testClaims(result).map((claim) => {
    const [measured, limit] = claimMeasured(claim).split(" (");
    const aim = limit === undefined ? "" : html`<small>${limit.replace(")", "")}</small>`;
    return html`<tr><th>${claimText(claim)}<small>${claim.quantity}</small></th>
<td>${withMinus(measured!)}${aim}</td><td>${claimVerdict(claim)}</td></tr>`;
  });
  return html`<section>
<h2>What the paper says, and what came out</h2>
<div class="sideways"><table>
<thead><tr><th>the paper says, tested by</th><th>measured</th><th></th></tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="note">Mean and standard deviation over the seeds; points are percentage points of held-out problems answered
rightly. A claim agrees or disagrees when the mean is more than two standard errors to one side of its limit (0 unless
said), and is unclear otherwise. That something makes no difference is not agreed with where the models cannot do the
task: their accuracy is then within two standard errors of guessing, or of having all right. The paper's models are of 7 billion weights and more, and its tasks are others.</p>
</section>`;
}

function comparisonSection(result: StudyResult, corpus: Corpus): Html {
  const rows = comparison(result, corpus).map(
    ({ method, measures }) =>
      html`<tr><th class="${COLORS[method]}">${STUDY_NAMES[method]}</th>${COLUMNS.map(
        ({ quantity }) => html`<td>${spreadCell(measures[quantity.key], quantity.format)}</td>`,
      )}</tr>`,
  );
  const edited = (100 * editDistanceOf(result, corpus)!.mean).toFixed(1);
  const { accuracy, heldOut } = result.subject.corpora[corpus]!;
  return html`<section>
<h2>${capitalised(titleOf(result, corpus))}</h2>
<div class="sideways"><table>
<thead><tr><th></th>${COLUMNS.map(({ head }) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="note">Mean and standard deviation over the seeds. Chosen and rejected: mean log-prob of whole answers, in
nats; before, at and after the first difference: of a token of the chosen answer. Accuracy: ${accuracy}, of ${heldOut}
held-out ones. The two answers of a pair differ in ${edited}% of their tokens.</p>
</section>`;
}

function curvesFigure(result: StudyResult, corpus: Corpus, draw: Draw): Html {
  const lines = STUDY_METHODS.filter((method) => method !== "reference").map((method) => {
    const points = meanOver(cellsOf(result, corpus, method), ({ curve }) =>
      curve.map(({ step, chosen }): [number, number] => [step, chosen]),
    );
    return { name: STUDY_NAMES[method], color: COLORS[method], points };
  });
  const steps = lines[0]!.points.map(({ x }) => x);
  const start = lines[0]!.points[0]!.y;
  const reference = {
    name: "reference",
    color: COLORS.reference,
    dash: DOTS,
    points: [
      { x: 0, y: start },
      { x: steps.at(-1)!, y: start },
    ],
  };
  return html`<figure>
${draw({
  description: `Mean log-prob of the chosen answers over training steps, by method: ${titleOf(result, corpus)}`,
  xLabel: "step",
  yLabel: "log-prob of the chosen answer, nats",
  names: "above",
  highest: 0,
  lines: [reference, ...lines],
})}
<figcaption>Whole chosen answers over the steps of training, mean of the seeds.</figcaption>
</figure>
${numbersTable(
  ["step", ...lines.map(({ name }) => name)],
  steps.map((step, i) => [step, ...lines.map(({ points }) => points[i]!.y)]),
  (value) => value.toFixed(3),
)}`;
}

function positionsFigure(result: StudyResult, corpus: Corpus, draw: Draw): Html {
  const lines = STUDY_METHODS.map((method) => ({
    name: STUDY_NAMES[method],
    color: COLORS[method],
    dash: method === "reference" ? DOTS : undefined,
    points: meanOver(cellsOf(result, corpus, method), ({ positions }) =>
      positions.map(({ position, logp }): [number, number] => [position, logp]),
    ),
  }));
  return html`<figure>
${draw({
  description: "Mean token log-prob of the chosen answers by distance from the first difference: " + titleOf(result, corpus),
  xLabel: "tokens after the first difference",
  yLabel: "log-prob of a chosen token, nats",
  ruleX: 0,
  names: "above",
  highest: 0,
  lines,
})}
<figcaption>Tokens of the chosen answers around the first difference, mean of the seeds.</figcaption>
</figure>
${numbersTable(
  ["tokens after", ...lines.map(({ name }) => name)],
  lines[0]!.points.map(({ x }, i) => [x, ...lines.map(({ points }) => points[i]!.y)]),
  (value) => value.toFixed(4),
)}`;
}

function ablationSection(result: StudyResult, corpus: Corpus): Html {
  const [heads, ...rows] = ablationCells(result, corpus);
  return html`<section>
<h2>β and λ, ${corpus} edit distance</h2>
<div class="sideways"><table>
<thead><tr>${heads!.map((head) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr><th>${name!.replace(" ", "\u00a0")}</th>${cells.map((text) => html`<td>${stacked(text)}</td>`)}</tr>`,
  )}</tbody>
</table></div>
<p class="note">Accuracy, below it the log-prob of the chosen answers.</p>
</section>`;
}

function settingsSection(result: StudyResult): Html {
  const {
    study: { beta, lambda, slic },
    subject,
    references,
    versions,
    seconds,
  } = result;
  const made = references.map(({ seed, name, steps, loss }) => `${seed} (${name}): ${steps}, ${loss.toFixed(3)}`);
  const entries: (readonly [name: string, text: string])[] = [
    ...subject.settings,
    [
      "Losses",
      `β ${beta}, λ ${lambda}; SLiC with a margin of ${slic.beta} nats and weight ${slic.lambda}; ` + "IPO on means over tokens",
    ],
    ...(made.length > 0 ? [["Steps and last loss of the references, by seed", made.join("; ")] as const] : []),
    ["Time", `${seconds.toFixed(1)} s`],
  ];
  return html`<section>
<h2>Settings</h2>
<dl class="settings">${entries.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
</section>
<footer>${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(" · ")}. The method: Pal et al.,
<i>Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive</i>, arXiv 2402.13228.</footer>`;
}

const cellsOf = (result: StudyResult, corpus: Corpus, method: StudyMethod): FinishedCell[] =>
  cellsOver(result, corpus, method, parametersOf(result.study, method));

/** The mean of the cells' lines at every x that all of them have, in order. */
function meanOver(cells: readonly FinishedCell[], line: (cell: FinishedCell) => [number, number][]) {
  const values = new Map<number, number[]>();
  for (const cell of cells) {
    for (const [x, y] of line(cell)) values.set(x, [...(values.get(x) ?? []), y]);
  }
  return [...values]
    .filter(([, ys]) => ys.length === cells.length)
    .sort(([a], [b]) => a - b)
    .map(([x, ys]) => ({ x, y: mean(ys) }));
}

/** The mean, below it the deviation. */
function spreadCell(spread: Spread | null, format: (value: number) => string): Html {
  if (spread === null) return html`–`;
  const deviation = spread.std === null ? "" : html`<small>± ${format(spread.std)}</small>`;
  return html`${withMinus(format(spread.mean))}${deviation}`;
}

/** `80.0% ± 2.0% / -1.00 ± 0.10` on two lines. */
function stacked(text: string): Html {
  const [accuracy, chosen] = text.split(" / ") as [string, string];
  return html`${accuracy}<small>${withMinus(chosen)}</small>`;
}

const capitalised = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
