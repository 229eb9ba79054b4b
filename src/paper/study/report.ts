/** The study's report.html: both comparisons, the ablation, curves and token positions, and the paper's claims. */

import { type Chart, loadCharts } from "../../report/figures";
import { type Html, html, withMinus } from "../../report/html";
import { numbersTable } from "../../report/numbers";
import { page } from "../../report/page";
import { STYLE } from "../../report/style";
import { mean } from "../measure";
import { DISTANCES, type Distance } from "../task";
import { testClaims } from "./claims";
import { STUDY_METHODS, STUDY_NAMES, type StudyMethod, parametersOf } from "./plan";
import type { FinishedCell, StudyResult } from "./run";
import {
  COLUMNS,
  DISTANCE_NAMES,
  ablationCells,
  claimMeasured,
  claimText,
  claimsInShort,
  editDistanceOf,
  spreadText,
  studyCaveat,
} from "./summary";
import { cellsOver, comparison } from "./table";

type Draw = (chart: Chart) => Html;

const COLORS: Record<StudyMethod, string> = {
  reference: "muted", dpop: "series-1", dpo: "series-2", sft: "series-3", ipo: "series-4", slic: "series-5",
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
    ...DISTANCES.flatMap((distance) => [
      comparisonSection(result, distance),
      curvesFigure(result, distance, draw),
      positionsFigure(result, distance, draw),
      ablationSection(result, distance),
    ]),
    settingsSection(result),
  ], STYLE);
}

function introduction(result: StudyResult): Html {
  const { preset, seeds, study: { settings: { task } } } = result;
  const warning = studyCaveat(result);
  return html`<header>
<p>smaug reproduce · preset ${preset} · ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}</p>
<h1>${TITLE}</h1>
<p class="lead">For each seed a small language model was trained on generated grade-school arithmetic. From that one
reference every method was trained on ${task.pairs} pairs whose answers hardly differ, and on the same
${task.pairs} prompts and chosen answers with rejected ones that are wholly other texts.</p>
<p>${withMinus(claimsInShort(testClaims(result)))}</p>
${warning === null ? "" : html`<p class="warning">${warning}</p>`}
</header>`;
}

function claimsSection(result: StudyResult): Html {
  const rows = testClaims(result).map((claim) => html`<tr><th>${claimText(claim)}</th><th>${claim.quantity}</th>
<td>${withMinus(claimMeasured(claim))}</td><td>${claim.verdict}</td></tr>`);
  return html`<section>
<h2>What the paper says, and what came out</h2>
<div class="scroll"><table>
<thead><tr><th>the paper says</th><th>tested by</th><th>measured</th><th></th></tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="note">Mean and standard deviation over the seeds; points are percentage points of held-out problems answered
rightly. A claim agrees or disagrees when the mean is more than two standard errors to one side of its limit (0 unless
said), and is unclear otherwise. The paper's models are of 7 billion weights and more, and its tasks are others.</p>
</section>`;
}

function comparisonSection(result: StudyResult, distance: Distance): Html {
  const rows = comparison(result, distance).map(({ method, measures }) => html`<tr><th class="${COLORS[method]}">${
    STUDY_NAMES[method]}</th>${COLUMNS.map(({ quantity }) =>
    html`<td>${withMinus(spreadText(measures[quantity.key], quantity.format))}</td>`)}</tr>`);
  const edited = (100 * editDistanceOf(result, distance)!.mean).toFixed(1);
  return html`<section>
<h2>${capitalised(DISTANCE_NAMES[distance])}</h2>
<div class="scroll"><table>
<thead><tr><th></th>${COLUMNS.map(({ head }) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="note">Mean and standard deviation over the seeds. Chosen and rejected: mean log-prob of whole answers, in
nats; before, at and after the first difference: of a token of the chosen answer. The two answers of a pair differ in
${edited}% of their tokens.</p>
</section>`;
}

function curvesFigure(result: StudyResult, distance: Distance, draw: Draw): Html {
  const lines = STUDY_METHODS.filter((method) => method !== "reference").map((method) => {
    const points = meanOver(cellsOf(result, distance, method), ({ curve }) =>
      curve.map(({ step, chosen }): [number, number] => [step, chosen]));
    return { name: STUDY_NAMES[method], color: COLORS[method], points };
  });
  const steps = lines[0]!.points.map(({ x }) => x);
  const start = lines[0]!.points[0]!.y;
  const reference = { name: "reference", color: COLORS.reference, dash: DOTS, points: [
    { x: 0, y: start }, { x: steps.at(-1)!, y: start },
  ] };
  return html`<figure>
${draw({
    description: `Mean log-prob of the chosen answers over training steps, by method, ${distance} edit distance`,
    xLabel: "step",
    yLabel: "log-prob of the chosen answer, nats",
    names: "above",
    highest: 0,
    lines: [reference, ...lines],
  })}
<figcaption>Whole chosen answers over the steps of training, mean of the seeds.</figcaption>
</figure>
${numbersTable(["step", ...lines.map(({ name }) => name)],
    steps.map((step, i) => [step, ...lines.map(({ points }) => points[i]!.y)]), (value) => value.toFixed(3))}`;
}

function positionsFigure(result: StudyResult, distance: Distance, draw: Draw): Html {
  const lines = STUDY_METHODS.map((method) => ({
    name: STUDY_NAMES[method],
    color: COLORS[method],
    dash: method === "reference" ? DOTS : undefined,
    points: meanOver(cellsOf(result, distance, method), ({ positions }) =>
      positions.map(({ position, logp }): [number, number] => [position, logp])),
  }));
  return html`<figure>
${draw({
    description: "Mean token log-prob of the chosen answers by distance from the first difference, " +
      `${distance} edit distance`,
    xLabel: "tokens after the first difference",
    yLabel: "log-prob of a chosen token, nats",
    ruleX: 0,
    names: "above",
    highest: 0,
    lines,
  })}
<figcaption>Tokens of the chosen answers around the first difference, mean of the seeds.</figcaption>
</figure>
${numbersTable(["tokens after", ...lines.map(({ name }) => name)],
    lines[0]!.points.map(({ x }, i) => [x, ...lines.map(({ points }) => points[i]!.y)]), (value) => value.toFixed(4))}`;
}

function ablationSection(result: StudyResult, distance: Distance): Html {
  const [heads, ...rows] = ablationCells(result, distance);
  return html`<section>
<h2>β and λ, ${distance} edit distance</h2>
<div class="scroll"><table>
<thead><tr>${heads!.map((head) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows.map(([name, ...cells]) =>
    html`<tr><th>${name!}</th>${cells.map((text) => html`<td>${withMinus(text)}</td>`)}</tr>`)}</tbody>
</table></div>
<p class="note">Accuracy, then the log-prob of the chosen answers.</p>
</section>`;
}

function settingsSection(result: StudyResult): Html {
  const { study, references, versions, seconds } = result;
  const { model, sft, preference, optimizer, task } = study.settings;
  const made = references.map(({ seed, steps, loss }) => `${seed}: ${steps}, ${loss.toFixed(3)}`);
  const entries: [name: string, text: string][] = [
    ["Model", `Llama shape: hidden size ${model.hiddenSize}, ${model.layers} layers, ${model.heads} heads, ` +
      `MLP ${model.intermediateSize}, RoPE theta ${model.ropeTheta}, tied embeddings`],
    ["References", `SFT on ${task.problems} examples: batch ${sft.batchSize}, learning rate ${sft.learningRate}, ` +
      `until the mean of ${sft.goalWindow} losses is below ${sft.goalLoss}, then ${sft.decaySteps} steps to 0; ` +
      `steps and last loss by seed: ${made.join("; ")}`],
    ["Methods", `${preference.steps} steps of ${preference.batchSize} pairs, ` +
      `learning rate ${preference.learningRate}, warm-up ${preference.warmupSteps}, then linearly to 0; ` +
      `β ${preference.beta}, λ ${preference.lambda}; SLiC with a margin of ${study.slic.beta} nats ` +
      `and weight ${study.slic.lambda}; IPO on means over tokens; all weights train`],
    ["Optimizer", `AdamW, betas ${optimizer.betas.join(" and ")}, weight decay ${optimizer.weightDecay}, ` +
      `gradient norm at most ${optimizer.maxGradNorm}`],
    ["Held out", `${task.heldOut} problems, their prompts in no training row; greedy generation`],
    ["Time", `${seconds.toFixed(1)} s`],
  ];
  return html`<section>
<h2>Settings</h2>
<dl class="settings">${entries.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
</section>
<footer>${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(" · ")}. The method: Pal et al.,
<i>Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive</i>, arXiv 2402.13228.</footer>`;
}

const cellsOf = (result: StudyResult, distance: Distance, method: StudyMethod): FinishedCell[] =>
  cellsOver(result, distance, method, parametersOf(result.study, method));

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

const capitalised = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
