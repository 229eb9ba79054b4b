/** The part of a runs' report that looks at the answers themselves: diagnosis.ts in tables, pictures and samples. */
import { type Correlation, type Diagnosis, type ModelDiagnosis, type PairDiagnosis, type SideDiagnosis } from "./diagnosis";
import type { TokenMean } from "../preference/stages";
import type { Chart, loadCharts } from "./figures";
import { signed } from "./findings";
import { type Html, breakable, html, withMinus } from "./html";
import { numbersTable, short } from "./numbers";
import { SERIES } from "./style";
import { changeLegend, changedToken } from "./tokens";

/** What was measured of the answers, and some of them to look at. */
export interface DiagnosedAnswers {
  readonly diagnosis: Diagnosis;
  /** What the pairs are from. */
  readonly data: string;
  readonly reference: string;
  readonly refused: number;
  readonly samples: readonly DiagnosedSample[];
}

/** A pair with the text of its tokens, and the log-prob of each under the reference and then under the runs. */
export interface DiagnosedSample {
  readonly index: number;
  readonly prompt: string;
  readonly difference: number;
  readonly chosen: SampleSide;
  readonly rejected: SampleSide;
}

interface SampleSide {
  readonly tokens: readonly string[];
  readonly logps: readonly ArrayLike<number>[];
}

type Draw = Awaited<ReturnType<typeof loadCharts>>;

/** As many dots a picture shows, and rows the table behind it. */
const MOST_DOTS = 500;
const SAMPLES = 12;

/** Pairs to look at: evenly spread from what the first run lowered most to what it raised most, by place in the list. */
export function pickSamples({ pairs }: Diagnosis, count = SAMPLES): number[] {
  const ranked = pairs.map((pair, i) => ({ i, change: pair.chosen[0]! })).sort((a, b) => a.change - b.change || a.i - b.i);
  return spread(ranked, count).map(({ i }) => i);
}

export function diagnosisSections(answers: DiagnosedAnswers, draw: Draw): Html[] {
  return [
    meansSection(answers),
    positionsSection(answers.diagnosis, draw),
    scatterSection(answers.diagnosis, draw),
    samplesSection(answers),
  ];
}

/** What happened behind the first difference, in a sentence. */
export function finding({ models: [reference, ...runs] }: Diagnosis): string {
  const after = ({ chosen }: ModelDiagnosis) => chosen.after.micro;
  if (after(reference!) === null) return "No chosen answer goes on after the first difference.";
  const each = runs.map((run) => `${nats(after(run)!)} under ${run.name}`).join(", ");
  return (
    `After the first difference a chosen token has a mean log-prob of ${each}, ` +
    `against ${nats(after(reference!)!)} under the reference.`
  );
}

function meansSection({ diagnosis, data, reference, refused }: DiagnosedAnswers): Html {
  const { models, pairs } = diagnosis;
  const heads = models.map(({ name }, i) => html`<th class="${colorOf(i)}">${breakable(name)}</th>`);
  const heading = (text: string) => html`<tr class="group"><th colspan="${models.length + 1}">${text}</th></tr>`;
  const row = (label: string, cell: (model: ModelDiagnosis, i: number) => Html | string) =>
    html`<tr><th>${label}</th>${models.map((model, i) => html`<td>${cell(model, i)}</td>`)}</tr>`;
  const stage = ({ micro, macro }: TokenMean) => (micro === null ? "–" : html`${nats(micro)}<small>${nats(macro!)}</small>`);
  const side = (name: "chosen" | "rejected") => [
    heading(`${name} answers`),
    row("log-prob of an answer, nats", (model) => withMinus(model[name].logp.toFixed(2))),
    row("against the reference (± standard error)", (model, i) => (i === 0 ? "–" : changeText(model[name]))),
    row("less likely than under the reference", (model, i) => (i === 0 ? "–" : `${(100 * model[name].fell).toFixed(0)}%`)),
    row("a token before the first difference", (model) => stage(model[name].before)),
    row("a token at it", (model) => stage(model[name].at)),
    row("a token after it", (model) => stage(model[name].after)),
  ];
  return html`<section>
<h2>Before, at and after the first difference</h2>
<p>${finding(diagnosis)}</p>
<p class="note">${pairs.length} pairs of ${data}${refused > 0 ? `; rows that cannot be scored and are left out: ${refused}` : ""}.
The reference is ${reference}. Mean log-probs of a token are over all tokens, below them in small over the means of the
pairs.</p>
<div class="sideways"><table>
<thead><tr><th></th>${heads}</tr></thead>
<tbody>${side("chosen")}${side("rejected")}</tbody>
</table></div>
</section>`;
}

function changeText({ change, error }: SideDiagnosis): string {
  return error === null ? signed(change) : `${signed(change)} ± ${error.toFixed(2)}`;
}

function positionsSection({ models, pairs }: Diagnosis, draw: Draw): Html {
  const [reference, ...runs] = models;
  const xLabel = "tokens after the first difference";
  const logps: Chart = {
    description: "Mean log-prob of chosen tokens by their distance from the first difference, by model",
    xLabel,
    yLabel: "log-prob of a chosen token, nats",
    ruleX: 0,
    highest: 0,
    names: "above",
    lines: models.map(({ name, positions }, i) => ({
      name,
      color: colorOf(i),
      ...(i === 0 ? { dash: "2 3" } : {}),
      points: positions.map(({ position, logp }) => ({ x: position, y: logp })),
    })),
  };
  const changes: Chart = {
    description: "Change of the chosen tokens' mean log-prob by their distance from the first difference, by run",
    xLabel,
    yLabel: "against the reference, nats",
    ruleX: 0,
    ruleY: 0,
    names: "elsewhere",
    lines: runs.map(({ name, positions }, i) => ({
      name,
      color: colorOf(i + 1),
      points: positions.map(({ position, logp }, at) => ({ x: position, y: logp - reference!.positions[at]!.logp })),
    })),
  };
  const rows = reference!.positions.map(({ position, pairs: count }, i) => [
    position,
    count,
    ...models.map(({ positions }) => positions[i]!.logp),
  ]);
  return html`<section>
<h2>Token by token along the chosen answer</h2>
<figure>
${draw(logps)}
${draw(changes)}
<figcaption>Means over the pairs that have a token there, and below how far the runs are from the reference; places that
fewer than a quarter of the ${pairs.length} pairs reach are left out. Left of 0 both answers are the same, and a loss of
the margin alone does not touch them directly.</figcaption>
</figure>
${numbersTable(["tokens after", "pairs", ...models.map(({ name }) => name)], rows, short)}
</section>`;
}

function scatterSection({ models, pairs }: Diagnosis, draw: Draw): Html {
  const runs = models.slice(1);
  const shown = spread(pairs, MOST_DOTS);
  const group = (xLabel: string, x: (pair: PairDiagnosis) => number, correlationOf: (run: ModelDiagnosis) => Correlation) =>
    runs.map(
      (run, i) => html`<div>
<h3 class="${colorOf(i + 1)}">${run.name}: ${correlationText(correlationOf(run))}</h3>
${draw({
  description: `Change of the chosen answers of ${run.name} by ${xLabel}`,
  caption: `A dot is a pair. ${correlationText(correlationOf(run))}`,
  xLabel,
  yLabel: "change of the chosen answer, nats",
  scatter: true,
  half: true,
  ruleY: 0,
  names: "elsewhere",
  lines: [{ name: run.name, color: colorOf(i + 1), points: shown.map((pair) => ({ x: x(pair), y: pair.chosen[i]! })) }],
})}</div>`,
    );
  const rows = shown.map(({ index, distance, ches, chosen }) => [index, distance, ches.normalised, ches.plain, ...chosen]);
  return html`<section>
<h2>What the change goes with</h2>
<p class="note">A dot is a pair: how many nats its chosen answer gained or lost against the reference, by how far its two
answers are apart. Edit distance is over tokens, as a share of the longer answer. CHES compares the reference's last hidden
states of both answers (length-normalised); a high one is said to foretell that the chosen answer falls. r is Pearson's
correlation, ρ that of the ranks.</p>
<figure><div class="halves">${group(
    "normalised edit distance",
    ({ distance }) => distance,
    ({ distance }) => distance,
  )}</div></figure>
<figure><div class="halves">${group(
    "CHES score",
    ({ ches }) => ches.normalised,
    ({ ches }) => ches,
  )}</div>
${shown.length < pairs.length ? html`<figcaption>${shown.length} of ${pairs.length} pairs are drawn.</figcaption>` : ""}</figure>
${numbersTable(["row", "edit distance", "CHES", "CHES, sums", ...runs.map(({ name }) => `${name}: change`)], rows, short)}
</section>`;
}

function correlationText({ pearson, spearman }: Correlation): string {
  return pearson === null || spearman === null ? "all alike" : `r ${signed(pearson)}, ρ ${signed(spearman)}`;
}

function samplesSection({ diagnosis, samples }: DiagnosedAnswers): Html {
  const runs = diagnosis.models.slice(1);
  const sample = ({ index, prompt, difference, ...sides }: DiagnosedSample) => {
    const line = (name: "chosen" | "rejected", run: number) => {
      const { tokens, logps } = sides[name];
      const [before, after] = [logps[0]!, logps[run + 1]!];
      const spans = tokens.map((text, i) =>
        changedToken(text, before[i]!, after[i]!, i === difference, i === tokens.length - 1 ? "end" : "·"),
      );
      return html`<dt class="${colorOf(run + 1)}">${runs.length > 1 ? `${runs[run]!.name}, ` : ""}${name}</dt><dd>${spans}</dd>`;
    };
    const changes = diagnosis.pairs.find((pair) => pair.index === index)!.chosen;
    return html`<h3>Row ${index}: chosen ${runs.map(({ name }, i) => `${signed(changes[i]!)} (${name})`).join(", ")}</h3>
<dl class="tokens">
<dt class="plain">prompt</dt><dd class="plain">${prompt}</dd>
${(["chosen", "rejected"] as const).flatMap((name) => runs.map((_, run) => line(name, run)))}
</dl>
${tokenTable(sides, diagnosis.models)}`;
  };
  return html`<section>
<h2>Samples</h2>
<p class="note">${samples.length} pairs, from what ${runs[0]!.name} lowered most to what it raised most. A token is coloured
where its log-prob changed against the reference by at least so many nats; the underlined one is the first difference. Point
at a token for its numbers, or open the table under its pair.</p>
${changeLegend()}
${samples.map(sample)}
</section>`;
}

/** The log-probs behind a sample's colours. */
function tokenTable(sides: Pick<DiagnosedSample, "chosen" | "rejected">, models: Diagnosis["models"]): Html {
  const rows = (["chosen", "rejected"] as const).flatMap((name) => {
    const { tokens, logps } = sides[name];
    return [
      html`<tr class="group"><th colspan="${models.length + 1}">${name}</th></tr>`,
      ...tokens.map(
        (text, i) =>
          html`<tr><th><code>${shownText(text, i, tokens)}</code></th>${models.map(
            (_, model) => html`<td>${nats(logps[model]![i]!)}</td>`,
          )}</tr>`,
      ),
    ];
  });
  return html`<details><summary>The numbers</summary><div class="scroll"><table>
<thead><tr><th>token</th>${models.map(({ name }) => html`<th>${name}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div></details>`;
}

/** A token with its spaces seen. */
function shownText(text: string, i: number, { length }: readonly string[]): string {
  if (text === "") return i === length - 1 ? "end" : "·";
  return text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

/** As many of a list as that, evenly spread from its first to its last. */
function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]!);
}

/** Of a single token. */
const nats = (value: number): string => withMinus(value.toFixed(3));
/** The reference's, then the runs'. */
const colorOf = (model: number): string => (model === 0 ? "muted" : SERIES[(model - 1) % SERIES.length]!);
