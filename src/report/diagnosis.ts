/** The part of a report that looks at the answers themselves: a diagnosis in tables, pictures and samples. */
import { SIDES } from "../data/reading/columnMapping";
import type { Correlation, Diagnosis, ModelDiagnosis, PairDiagnosis, SideDiagnosis } from "../evaluate/diagnosis/diagnose";
import { type DiagnosedSample, spread } from "../evaluate/diagnosis/samples";
import type { TokenMean } from "../preference/difference";
import type { Chart, Draw } from "./figures";
import { type Html, html, short, signed, withMinus } from "./html";
import { SERIES } from "./page";
import {
  type Compared,
  figure,
  folded,
  note,
  numbersTable,
  positionsChart,
  section,
  stacked,
  type TableRow,
  table,
} from "./sections";
import { changedToken, changeLegend, tokenLines } from "./tokens";

/** What was measured of the answers, and some of them to look at. */
export interface DiagnosedAnswers {
  readonly diagnosis: Diagnosis;
  /** Where the pairs are from. */
  readonly data: string;
  readonly reference: string;
  /** The number of rows that could not be scored. */
  readonly refused: number;
  readonly samples: readonly DiagnosedSample[];
}

/** The most dots in a picture, and rows in the table behind it. */
const MOST_DOTS = 500;

export function diagnosisSections(answers: DiagnosedAnswers, draw: Draw): Html[] {
  return [
    meansSection(answers),
    positionsSection(answers.diagnosis, draw),
    scatterSection(answers.diagnosis, draw),
    samplesSection(answers),
  ];
}

/** What happened after the first difference, in a sentence. */
export function finding({ models: [reference, ...runs] }: Diagnosis): string {
  const after = ({ chosen }: ModelDiagnosis) => chosen.after.micro;
  if (after(reference!) === null) return "No chosen answer continues after the first difference.";
  const each = runs.map((run) => `${nats(after(run)!)} under ${run.name}`).join(", ");
  return (
    `After the first difference a chosen token has a mean log-prob of ${each}, ` +
    `against ${nats(after(reference!)!)} under the reference.`
  );
}

function meansSection({ diagnosis, data, reference, refused }: DiagnosedAnswers): Html {
  const { models, pairs } = diagnosis;
  const row = (head: string, cell: (model: ModelDiagnosis, i: number) => Html | string | null): TableRow => ({
    head,
    cells: models.map(cell),
  });
  const stage = ({ micro, macro }: TokenMean) => (micro === null ? null : stacked(nats(micro), nats(macro!)));
  const side = (name: (typeof SIDES)[number]) => [
    `${name} answers`,
    row("log-prob of an answer, nats", (model) => withMinus(model[name].logp.toFixed(2))),
    row("against the reference (± standard error)", (model, i) => (i === 0 ? null : changeText(model[name]))),
    row("less likely than under the reference", (model, i) => (i === 0 ? null : `${(100 * model[name].fell).toFixed(0)}%`)),
    row("a token before the first difference", (model) => stage(model[name].before)),
    row("a token at it", (model) => stage(model[name].at)),
    row("a token after it", (model) => stage(model[name].after)),
  ];
  const refusals = refused > 0 ? `; rows that cannot be scored and are left out: ${refused}` : "";
  return section(
    "Before, at and after the first difference",
    html`<p>${finding(diagnosis)}</p>`,
    note(
      `${pairs.length} pairs of ${data}${refusals}. The reference is ${reference}. Mean log-probs of a token are over all ` +
        "tokens, below them in small over the means of the pairs.",
    ),
    table(models.map(compared), SIDES.flatMap(side)),
  );
}

function changeText({ change, error }: SideDiagnosis): string {
  return error === null ? signed(change) : `${signed(change)} ± ${error.toFixed(2)}`;
}

function positionsSection({ models, pairs }: Diagnosis, draw: Draw): Html {
  const [reference, ...runs] = models;
  const logps = positionsChart(
    models.map((model, i) => ({
      ...compared(model, i),
      ...(i === 0 ? { dash: "2 3" } : {}),
      positions: model.positions,
    })),
    "Mean log-prob of chosen tokens by their distance from the first difference, by model",
  );
  const changes: Chart = {
    ...logps,
    highest: Infinity,
    description: "Change of the chosen tokens' mean log-prob by their distance from the first difference, by run",
    yLabel: "against the reference, nats",
    ruleY: 0,
    names: "elsewhere",
    lines: runs.map((run, i) => ({
      ...compared(run, i + 1),
      points: run.positions.map(({ position, logp }, at) => ({ x: position, y: logp - reference!.positions[at]!.logp })),
    })),
  };
  const rows = reference!.positions.map(({ position, pairs: count }, i) => [
    position,
    count,
    ...models.map(({ positions }) => positions[i]!.logp),
  ]);
  return section(
    "Token by token along the chosen answer",
    figure(
      html`${draw(logps)}
${draw(changes)}`,
      "Means over the pairs that have a token there, and below how far the runs are from the reference; places that fewer " +
        `than a quarter of the ${pairs.length} pairs reach are left out. Left of 0 both answers are the same, and a loss of ` +
        "the margin alone does not touch them directly.",
    ),
    numbersTable(["tokens after", "pairs", ...models.map(({ name }) => name)], rows, short),
  );
}

/** What the changes are drawn against. */
interface Measure {
  readonly label: string;
  readonly of: (pair: PairDiagnosis) => number;
  readonly correlation: (run: ModelDiagnosis) => Correlation;
}

const MEASURES: readonly [distance: Measure, ches: Measure] = [
  { label: "normalised edit distance", of: ({ distance }) => distance, correlation: ({ distance }) => distance },
  { label: "CHES score", of: ({ ches }) => ches.normalised, correlation: ({ ches }) => ches },
];

function scatterSection({ models, pairs }: Diagnosis, draw: Draw): Html {
  const runs = models.slice(1).map((run, i) => ({ run, ...compared(run, i + 1) }));
  const shown = spread(pairs, MOST_DOTS);
  const picture = ({ label, of, correlation }: Measure) =>
    runs.map(({ run, name, color }, i) => {
      const correlated = correlationText(correlation(run));
      const chart: Chart = {
        description: `Change of the chosen answers of ${name} by ${label}`,
        caption: `A dot is a pair. ${correlated}`,
        xLabel: label,
        yLabel: "change of the chosen answer, nats",
        scatter: true,
        half: true,
        ruleY: 0,
        names: "elsewhere",
        lines: [{ name, color, points: shown.map((pair) => ({ x: of(pair), y: pair.chosen[i]! })) }],
      };
      return html`<div>
<h3 class="${color}">${name}: ${correlated}</h3>
${draw(chart)}</div>`;
    });
  const halves = (measure: Measure) => html`<div class="halves">${picture(measure)}</div>`;
  const rows = shown.map(({ index, distance, ches, chosen }) => [index, distance, ches.normalised, ches.plain, ...chosen]);
  return section(
    "What the change goes with",
    note(
      "A dot is a pair: how many nats its chosen answer gained or lost against the reference, by how far its two answers are " +
        "apart. Edit distance is over tokens, as a share of the longer answer. CHES compares the reference's last hidden " +
        "states of both answers (length-normalised); a high one is said to predict that the chosen answer falls. r is " +
        "Pearson's correlation, ρ that of the ranks.",
    ),
    figure(halves(MEASURES[0])),
    figure(halves(MEASURES[1]), shown.length < pairs.length ? `${shown.length} of ${pairs.length} pairs are drawn.` : ""),
    numbersTable(["row", "edit distance", "CHES", "CHES, sums", ...runs.map(({ name }) => `${name}: change`)], rows, short),
  );
}

function correlationText({ pearson, spearman }: Correlation): string {
  return pearson === null || spearman === null ? "all alike" : `r ${signed(pearson)}, ρ ${signed(spearman)}`;
}

function samplesSection({ diagnosis, samples }: DiagnosedAnswers): Html {
  const runs = diagnosis.models.slice(1).map((run, i) => compared(run, i + 1));
  const sample = ({ index, prompt, difference, ...sides }: DiagnosedSample) => {
    const lines = SIDES.flatMap((side) =>
      runs.map(({ name, color }, run) => {
        const { tokens, logps } = sides[side];
        const [before, after] = [logps[0]!, logps[run + 1]!];
        const content = tokens.map((text, i) =>
          changedToken(text, before[i]!, after[i]!, i === difference, i === tokens.length - 1 ? "end" : "·"),
        );
        return { name: runs.length > 1 ? `${name}, ${side}` : side, color, content };
      }),
    );
    const changes = diagnosis.pairs.find((pair) => pair.index === index)!.chosen;
    return html`<h3>Row ${index}: chosen ${runs.map(({ name }, i) => `${signed(changes[i]!)} (${name})`).join(", ")}</h3>
${tokenLines([{ name: "prompt", content: prompt }, ...lines])}
${tokenTable(sides, diagnosis.models)}`;
  };
  return section(
    "Samples",
    note(
      `${samples.length} pairs, from what ${runs[0]!.name} lowered most to what it raised most. A token is coloured where its ` +
        "log-prob changed against the reference by at least so many nats; the underlined one is the first difference. Point at " +
        "a token for its numbers, or open the table under its pair.",
    ),
    changeLegend(),
    ...samples.map(sample),
  );
}

/** The log-probs behind a sample's colours. */
function tokenTable(sides: Pick<DiagnosedSample, "chosen" | "rejected">, models: Diagnosis["models"]): Html {
  const rows = SIDES.flatMap((side): (TableRow | string)[] => {
    const { tokens, logps } = sides[side];
    const row = (text: string, i: number): TableRow => ({
      head: html`<code>${visibleText(text, i, tokens)}</code>`,
      cells: models.map((_, model) => nats(logps[model]![i]!)),
    });
    return [side, ...tokens.map(row)];
  });
  return folded(
    "The numbers",
    table(
      models.map(({ name }) => name),
      rows,
      { corner: "token", overflow: "scroll" },
    ),
  );
}

/** A token with its white space made visible. */
function visibleText(text: string, i: number, { length }: readonly string[]): string {
  if (text === "") return i === length - 1 ? "end" : "·";
  return text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

/** Of a single token. */
const nats = (value: number): string => withMinus(value.toFixed(3));
/** The reference is in grey; the runs have the colours of their curves. */
const compared = ({ name }: ModelDiagnosis, model: number): Compared => ({
  name,
  color: model === 0 ? "muted" : SERIES[(model - 1) % SERIES.length]!,
});
