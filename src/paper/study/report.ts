/** The study's report.html: both comparisons, the ablation, curves and token positions, and the paper's claims. */

import { mean } from "../../base/samples";
import { type Draw, loadCharts } from "../../report/figures";
import { type Html, html, withMinus } from "../../report/html";
import { page } from "../../report/page";
import {
  type Compared,
  figure,
  note,
  numbersTable,
  positionsChart,
  section,
  settingsList,
  stacked,
  table,
} from "../../report/sections";
import { curvesChart, experimentFooter, experimentOpening, REFERENCE_DASH } from "../report";
import { fixed } from "../summary";
import { testClaims } from "./claims";
import { type Corpus, parametersOf, STUDY_METHODS, STUDY_NAMES, type StudyMethod } from "./plan";
import type { FinishedCell, StudyResult } from "./run";
import {
  ablationCells,
  COLUMNS,
  claimMeasured,
  claimsInShort,
  claimText,
  claimVerdict,
  editDistanceOf,
  studyCaveat,
  titleOf,
} from "./summary";
import { cellsOver, comparison, type Spread } from "./table";

const COLORS: Record<StudyMethod, string> = {
  reference: "muted",
  dpop: "series-1",
  dpo: "series-2",
  sft: "series-3",
  ipo: "series-4",
  slic: "series-5",
  hinge: "series-6",
};
const compared = (method: StudyMethod): Compared => ({ name: STUDY_NAMES[method], color: COLORS[method] });

const TITLE = "The paper's comparison, measured here";

/** The whole report of a study. */
export async function renderStudyReport(result: StudyResult): Promise<string> {
  const draw = await loadCharts();
  return page(TITLE, [
    opening(result),
    claimsSection(result),
    ...result.study.corpora.flatMap((corpus) => [
      comparisonSection(result, corpus),
      curvesFigure(result, corpus, draw),
      positionsFigure(result, corpus, draw),
      ...(result.study.grid.includes(corpus) ? [ablationSection(result, corpus)] : []),
    ]),
    settingsSection(result),
    experimentFooter(result.versions),
  ]);
}

function opening(result: StudyResult): Html {
  const { preset, seeds, subject } = result;
  return experimentOpening({
    preset,
    seeds,
    title: TITLE,
    lead: subject.lead,
    findings: [claimsInShort(testClaims(result))],
    caveat: studyCaveat(result),
  });
}

function claimsSection(result: StudyResult): Html {
  const rows = testClaims(result).map((claim) => {
    const [measured, limit] = claimMeasured(claim).split(" (") as [string, string?];
    const value = withMinus(measured);
    return {
      head: stacked(claimText(claim), claim.quantity),
      cells: [limit === undefined ? value : stacked(value, limit.replace(")", "")), claimVerdict(claim)],
    };
  });
  return section(
    "What the paper says, and what came out",
    table(["measured", ""], rows, { corner: "the paper says, tested by" }),
    note(
      "Mean and standard deviation over the seeds; points are percentage points of held-out problems answered rightly. A " +
        "claim agrees or disagrees when the mean is more than two standard errors to one side of its limit (0 unless said), " +
        "and is unclear otherwise. That something makes no difference is not agreed with where the models cannot do the " +
        "task: their accuracy is then within two standard errors of guessing, or of having all right. The paper's models " +
        "are of 7 billion weights and more, and its tasks are others.",
    ),
  );
}

function comparisonSection(result: StudyResult, corpus: Corpus): Html {
  const rows = comparison(result, corpus).map(({ method, measures }) => ({
    head: STUDY_NAMES[method],
    color: COLORS[method],
    cells: COLUMNS.map(({ quantity }) => spreadCell(measures[quantity.key], quantity.format)),
  }));
  const edited = (100 * editDistanceOf(result, corpus)!.mean).toFixed(1);
  const { accuracy, heldOut } = result.subject.corpora[corpus]!;
  const title = titleOf(result, corpus);
  return section(
    title[0]!.toUpperCase() + title.slice(1),
    table(
      COLUMNS.map(({ head }) => head),
      rows,
    ),
    note(
      "Mean and standard deviation over the seeds. Chosen and rejected: mean log-prob of whole answers, in nats; before, at " +
        `and after the first difference: of a token of the chosen answer. Accuracy: ${accuracy}, of ${heldOut} held-out ` +
        `ones. The two answers of a pair differ in ${edited}% of their tokens.`,
    ),
  );
}

function curvesFigure(result: StudyResult, corpus: Corpus, draw: Draw): Html {
  const lines = STUDY_METHODS.filter((method) => method !== "reference").map((method) => ({
    ...compared(method),
    points: meanOver(finishedCells(result, corpus, method), ({ curve }) =>
      curve.map(({ step, chosen }): [number, number] => [step, chosen]),
    ),
  }));
  const chart = curvesChart(
    "chosen",
    { ...compared("reference"), start: lines[0]!.points[0]!.y },
    lines,
    `Mean log-prob of the chosen answers over training steps, by method: ${titleOf(result, corpus)}`,
  );
  const drawn = draw({ ...chart, names: "above" });
  return html`${figure(drawn, "Whole chosen answers over the steps of training, mean of the seeds.")}
${numbersTable(
  ["step", ...lines.map(({ name }) => name)],
  lines[0]!.points.map(({ x }, i) => [x, ...lines.map(({ points }) => points[i]!.y)]),
  fixed(3),
)}`;
}

function positionsFigure(result: StudyResult, corpus: Corpus, draw: Draw): Html {
  const models = STUDY_METHODS.map((method) => ({
    ...compared(method),
    ...(method === "reference" && { dash: REFERENCE_DASH }),
    positions: meanOver(finishedCells(result, corpus, method), ({ positions }) =>
      positions.map(({ position, logp }): [number, number] => [position, logp]),
    ).map(({ x, y }) => ({ position: x, logp: y })),
  }));
  const chart = positionsChart(
    models,
    `Mean token log-prob of the chosen answers by distance from the first difference: ${titleOf(result, corpus)}`,
  );
  return html`${figure(draw(chart), "Tokens of the chosen answers around the first difference, mean of the seeds.")}
${numbersTable(
  ["tokens after", ...models.map(({ name }) => name)],
  models[0]!.positions.map(({ position }, i) => [position, ...models.map(({ positions }) => positions[i]!.logp)]),
  fixed(4),
)}`;
}

function ablationSection(result: StudyResult, corpus: Corpus): Html {
  const [[, ...heads] = [], ...rows] = ablationCells(result, corpus);
  /** `80.0% ± 2.0% / -1.00 ± 0.10` on two lines. */
  const twoLines = (text: string) => {
    const [accuracy, chosen] = text.split(" / ") as [string, string];
    return stacked(accuracy, withMinus(chosen));
  };
  return section(
    `β and λ, ${corpus} edit distance`,
    table(
      heads,
      rows.map(([name, ...cells]) => ({ head: name!.replace(" ", "\u00a0"), cells: cells.map(twoLines) })),
    ),
    note("Accuracy, below it the log-prob of the chosen answers."),
  );
}

function settingsSection(result: StudyResult): Html {
  const { study, subject, references, seconds } = result;
  const { beta, lambda, slic } = study;
  const made = references.map(({ seed, name, steps, loss }) => `${seed} (${name}): ${steps}, ${loss.toFixed(3)}`);
  const losses =
    `β ${beta}, λ ${lambda}; SLiC with a margin of ${slic.beta} nats and weight ${slic.lambda}; ` + "IPO on means over tokens";
  return section(
    "Settings",
    settingsList([
      ...subject.settings,
      ["Losses", losses],
      ...(made.length > 0 ? [["Steps and last loss of the references, by seed", made.join("; ")] as const] : []),
      ["Time", `${seconds.toFixed(1)} s`],
    ]),
  );
}

const finishedCells = (result: StudyResult, corpus: Corpus, method: StudyMethod): FinishedCell[] =>
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

/** The mean, below it the deviation; null where there is no value. */
function spreadCell(spread: Spread | null, format: (value: number) => string): Html | string | null {
  if (spread === null) return null;
  const value = withMinus(format(spread.mean));
  return spread.std === null ? value : stacked(value, `± ${format(spread.std)}`);
}
