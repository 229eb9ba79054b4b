/**
 * The quickstart's report.html: one file that opens offline, with the table, the pictures, coloured samples and the
 * settings of a run. Every picture has its numbers behind it as a table.
 */
import { type Chart, type Draw, type Line, loadCharts } from "../report/figures";
import { type Html, html, withMinus } from "../report/html";
import { page } from "../report/page";
import {
  type Compared,
  figure,
  footer,
  introduction,
  note,
  numbersTable,
  positionsChart,
  section,
  settingsList,
  stacked,
  table,
  versionsText,
} from "../report/sections";
import { changedToken, changeLegend, TOKEN_STYLE, tokenLines } from "../report/tokens";
import { describeModel, describeOptimizer } from "./settings";
import {
  caveat,
  cell,
  type ExperimentResult,
  findings,
  fixed,
  METHOD_NAMES,
  METHODS,
  type Method,
  paperEffect,
  percent,
  QUANTITIES,
  type Quantity,
  type SampleAnswer,
  type SampleScores,
} from "./summary";

const TRAINED = METHODS.filter((method) => method !== "reference");
/** The reference's line is dotted in every picture. */
export const REFERENCE_DASH = "2 4";
const DASHES = "6 4";

/** A method's name and colour, the same everywhere. */
const compared = (method: Method): Compared => ({ name: METHOD_NAMES[method], color: method });
const PAPER = html`The method: Pal et al.,
<i>Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive</i>, arXiv 2402.13228.`;

/** The methods' colours. */
const STYLE = `${TOKEN_STYLE}
:root {
  --reference: #74767f; --sft: #a8710c; --dpo: #c22f3d; --dpop: #1667b7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --reference: #9b9da6; --sft: #dfa73c; --dpo: #ff7a80; --dpop: #6cb2f7;
  }
}
.reference { color: var(--reference); } .sft { color: var(--sft); }
.dpo { color: var(--dpo); } .dpop { color: var(--dpop); }
.yes { color: var(--dpop); } .no { color: var(--dpo); }
`;

/** The whole report of a run. */
export async function renderReport(result: ExperimentResult): Promise<string> {
  const draw = await loadCharts();
  const { samples, answers } = result;
  const sections = [
    opening(result),
    measuresSection(result),
    curvesSection(result, draw),
    positionsSection(result, draw),
    samplesSection(samples),
    ...(answers.length > 0 ? [answersSection(answers)] : []),
    section("Settings", settingsList(settingsOf(result))),
    experimentFooter(result.versions),
  ];
  return page(headline(result), sections, STYLE);
}

/** What the opening of a report of experiments says. */
export interface Opening {
  readonly preset: string;
  readonly seeds: readonly number[];
  readonly title: string;
  readonly lead: string;
  readonly findings: readonly string[];
  readonly caveat: string | null;
}

/** The head of a report of experiments. */
export function experimentOpening({ preset, seeds, title, lead, findings, caveat }: Opening): Html {
  return introduction({
    kicker: `smaug reproduce · preset ${preset} · ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}`,
    title,
    lead,
    findings: findings.map(withMinus),
    warnings: caveat === null ? [] : [caveat],
  });
}

/** The foot of a report of experiments. */
export const experimentFooter = (versions: object): Html => footer(`${versionsText(versions)}. `, PAPER);

/** Whole answers over the steps of training, a line for each method, and the reference from which all of them start. */
export function curvesChart(
  side: "chosen" | "rejected",
  { start, ...reference }: Compared & { readonly start: number },
  lines: readonly Line[],
  description: string,
): Chart {
  const end = lines[0]!.points.at(-1)!.x;
  const points = [0, end].map((x) => ({ x, y: start }));
  return {
    description,
    xLabel: "step",
    yLabel: `log-prob of the ${side} answer, nats`,
    highest: 0,
    lines: [{ ...reference, dash: REFERENCE_DASH, points }, ...lines],
  };
}

function headline({ methods }: ExperimentResult): string {
  const { dpoFell, dpopHeld } = paperEffect(methods);
  if (dpoFell && dpopHeld) return "DPO pushed the right answers down. DPOP held them.";
  if (dpoFell) return "DPO pushed the right answers down, and so did DPOP.";
  if (dpopHeld) return "On this run DPO did not push the right answers down.";
  return "On this run DPO held the right answers, and DPOP did not.";
}

function opening(result: ExperimentResult): Html {
  const { seed, preset, data, counts } = result;
  const [source, pairs] =
    data === null
      ? [
          "generated grade-school arithmetic",
          "the rejected answer is the chosen one with a single intermediate result replaced by a wrong number",
        ]
      : [`the rows of ${data}`, "the chosen and rejected answers of the file"];
  return experimentOpening({
    preset,
    seeds: [seed],
    title: headline(result),
    lead:
      `A language model of ${counts.weights.toLocaleString("en")} weights was trained on ${source}. From that one ` +
      `reference, DPO and DPOP (DPO-Positive) were trained on ${counts.pairs} pairs: ${pairs}. The control is plain SFT on ` +
      "the same chosen answers.",
    findings: findings(result),
    caveat: caveat(result),
  });
}

function measuresSection({ methods, counts }: ExperimentResult): Html {
  const valueOf = (quantity: Quantity, method: Method) => {
    const [is, was] = [method, "reference" as const].map((each) => methods[each].measures[quantity.key]);
    const value = withMinus(cell(quantity, methods[method].measures));
    if (method === "reference" || is == null || was == null) return value;
    return stacked(value, withSign(quantity.format(is - was).replace("%", "")));
  };
  const rows = QUANTITIES.flatMap((quantity, i) => {
    const row = { head: quantity.label, cells: METHODS.map((method) => valueOf(quantity, method)) };
    return quantity.group === QUANTITIES[i - 1]?.group ? [row] : [quantity.group, row];
  });
  return section(
    "What each model came to",
    table(METHODS.map(compared), rows),
    note(
      `Means over ${counts.pairs} pairs, in nats; below each number its change from the reference (of accuracy in points). ` +
        "The first difference is the first token in which the two answers of a pair part.",
    ),
  );
}

function curvesSection({ methods, settings, counts }: ExperimentResult, draw: Draw): Html {
  const { curvePairs, curveEvery } = settings.preference;
  const steps = methods.dpo.curve.map(({ step }) => step);
  const chart = (side: "chosen" | "rejected", dash?: string): Chart => {
    const points = (method: Method) => methods[method].curve.map((point) => ({ x: point.step, y: point[side] }));
    const lines = TRAINED.map((method) => ({ ...compared(method), ...(dash && { dash }), points: points(method) }));
    return curvesChart(
      side,
      { ...compared("reference"), start: methods.reference.curve[0]![side] },
      lines,
      `Mean log-prob of the ${side} answers over training steps, by method`,
    );
  };
  const heads = TRAINED.flatMap((method) => [`${METHOD_NAMES[method]} chosen`, `${METHOD_NAMES[method]} rejected`]);
  const rows = steps.map((step, i) => {
    const points = TRAINED.map((method) => methods[method].curve[i]!);
    return [step, ...points.flatMap(({ chosen, rejected }) => [chosen, rejected])];
  });
  return section(
    "Over the steps of training",
    figure(
      html`${draw(chart("chosen"))}
${draw(chart("rejected", DASHES))}`,
      `Whole answers, measured on ${Math.min(curvePairs, counts.pairs)} of the training pairs every ${curveEvery} steps: the ` +
        "chosen above (solid), the rejected below (dashed), each on its own scale.",
    ),
    numbersTable(["step", ...heads], rows, fixed(3)),
  );
}

function positionsSection({ methods }: ExperimentResult, draw: Draw): Html {
  const chart = positionsChart(
    METHODS.map((method) => ({
      ...compared(method),
      ...(method === "reference" && { dash: REFERENCE_DASH }),
      positions: methods[method].positions,
    })),
    "Mean token log-prob of the chosen answers by distance from the first difference, by method",
  );
  const rows = methods.reference.positions.map(({ position, tokens }, i) => [
    position,
    tokens,
    ...METHODS.map((method) => methods[method].positions[i]!.logp),
  ]);
  return section(
    "Around the first difference",
    figure(
      draw(chart),
      "The token at 0 is the one the rejected answer has wrong. The tokens to its left are the same in both answers and have " +
        "the same context, so the loss does not touch them directly; those to its right are the same tokens in another " +
        "context, and it is there that the paper sees DPO take likelihood away.",
    ),
    numbersTable(["tokens after", "pairs", ...METHODS.map((method) => METHOD_NAMES[method])], rows, fixed(4)),
  );
}

/** Answers with every token coloured by how its log-prob changed. */
function samplesSection(samples: readonly SampleScores[]): Html {
  const sample = ({ title, prompt, chosen, rejected, difference, logps }: SampleScores) => {
    const tokens = (method: Method) =>
      chosen.map((text, i) => changedToken(text, logps.reference[i]!, logps[method][i]!, i === difference));
    const wrong = rejected.map((text, i) => (i === difference ? html`<span class="mark">${text}</span>` : text));
    return html`<h3>${withMinus(title)}</h3>
${tokenLines([
  { name: "prompt", content: prompt },
  { name: "rejected", content: wrong },
  ...TRAINED.map((method) => ({ ...compared(method), content: tokens(method) })),
])}`;
  };
  return section(
    "Token by token",
    note(
      "The chosen answer under each model. A token is coloured where its log-prob changed against the reference by at least " +
        "so many nats; the underlined one is the first difference. Point at a token for its numbers.",
    ),
    changeLegend(),
    samples.map(sample),
  );
}

function answersSection(answers: readonly SampleAnswer[]): Html {
  const verdict = (correct: boolean) => (correct ? html`<b class="yes">✓</b>` : html`<b class="no">✗</b>`);
  const sample = ({ prompt, expected, answers: written }: SampleAnswer) => html`<h3>${prompt}</h3>
${tokenLines([
  { name: "expected", content: expected },
  ...METHODS.map((method) => ({
    ...compared(method),
    content: [written[method].text, " ", verdict(written[method].correct)],
  })),
])}`;
  return section(
    "What the models write",
    note("The first held-out problems on which some models are right and some are wrong, answered greedily."),
    answers.map(sample),
  );
}

function settingsOf(result: ExperimentResult): [name: string, text: string][] {
  const { settings, counts, reference, seconds, editDistance } = result;
  const { model, sft, preference, optimizer } = settings;
  return [
    ["Model", `${describeModel(model)}; vocabulary ${counts.vocabulary}`],
    [
      "Reference",
      `SFT on ${counts.examples} examples, answers only: batch ${sft.batchSize}, ` +
        `learning rate ${sft.learningRate}, warm-up ${sft.warmupSteps}, until the mean of ${sft.goalWindow} losses is ` +
        `below ${sft.goalLoss}, then ${sft.decaySteps} steps to 0; ` +
        `it took ${reference.steps} steps and ended at a loss of ${reference.loss.toFixed(4)}`,
    ],
    [
      "DPO, DPOP, SFT",
      `${preference.steps} steps of ${preference.batchSize} pairs, ` +
        `learning rate ${preference.learningRate}, warm-up ${preference.warmupSteps}, then linearly to 0; ` +
        `β ${preference.beta}, λ ${preference.lambda}, tolerance ${preference.tolerance} nats; all weights train`,
    ],
    ["Optimizer", describeOptimizer(optimizer)],
    [
      "Pairs",
      `${counts.pairs}; mean edit distance ${percent(editDistance)} of the tokens` +
        (counts.refused === 0 ? "" : `; ${counts.refused} rows of the file could not be trained on`),
    ],
    ["Held out", `${counts.heldOut} problems, their prompts in no training row; greedy generation`],
    ["Time", `${seconds.toFixed(1)} s`],
  ];
}

const withSign = (text: string): string => (text.startsWith("-") ? withMinus(text) : `+${text}`);
