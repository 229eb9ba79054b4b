/**
 * report.html: one file that opens offline, with the table, the pictures, coloured samples and the settings of a run.
 * Every picture has its numbers behind it as a table.
 */

import { type Chart, loadCharts } from "../../report/figures";
import { type Html, html, withMinus } from "../../report/html";
import { numbersTable } from "../../report/sections";
import { page } from "../../report/page";
import { type ExperimentResult, METHODS, METHOD_NAMES } from "../result";
import { QUANTITIES, caveat, cell, findings, outcome } from "../summary";
import { answerSection, sampleSection } from "./samples";
import { EXPERIMENT_STYLE } from "./style";

type Draw = (chart: Chart) => Html;
const TRAINED = METHODS.filter((method) => method !== "reference");
const DOTS = "2 4";
const DASHES = "6 4";

/** The whole report of a run. */
export async function renderReport(result: ExperimentResult): Promise<string> {
  const draw = await loadCharts();
  const sections = [
    introduction(result),
    measuresTable(result),
    curvesFigure(result, draw),
    positionsFigure(result, draw),
    sampleSection(result.samples),
    answerSection(result.answers),
    settingsSection(result),
  ];
  return page(headline(result), sections, EXPERIMENT_STYLE);
}

function headline({ methods }: ExperimentResult): string {
  const { dpoFell, dpopHeld } = outcome(methods);
  if (dpoFell && dpopHeld) return "DPO pushed the right answers down. DPOP held them.";
  if (dpoFell) return "DPO pushed the right answers down, and so did DPOP.";
  if (dpopHeld) return "On this run DPO did not push the right answers down.";
  return "On this run DPO held the right answers, and DPOP did not.";
}

function introduction(result: ExperimentResult): Html {
  const { seed, preset, data, counts } = result;
  const warning = caveat(result);
  const source = data === null ? "generated grade-school arithmetic" : `the rows of ${data}`;
  const pairs =
    data === null
      ? "the rejected answer is the chosen one with a single intermediate result replaced by a wrong number"
      : "the chosen and rejected answers of the file";
  return html`<header>
<p>smaug reproduce · preset ${preset} · seed ${seed}</p>
<h1>${headline(result)}</h1>
<p class="lead">A language model of ${counts.weights.toLocaleString("en")} weights was trained on ${source}. From that
one reference, DPO and DPOP (DPO-Positive) were trained on ${counts.pairs} pairs: ${pairs}. The control is plain SFT on
the same chosen answers.</p>
<ul>${findings(result).map((sentence) => html`<li>${withMinus(sentence)}</li>`)}</ul>
${warning === null ? "" : html`<p class="warning">${warning}</p>`}
</header>`;
}

function measuresTable({ methods, counts }: ExperimentResult): Html {
  const rows = QUANTITIES.map((quantity, i) => {
    const heading =
      quantity.group === QUANTITIES[i - 1]?.group ? "" : html`<tr class="group"><th colspan="5">${quantity.group}</th></tr>`;
    const was = methods.reference.measures[quantity.key];
    const cells = METHODS.map((method) => {
      const value = methods[method].measures[quantity.key];
      const change =
        method === "reference" || value === null || was === null
          ? ""
          : html`<small>${signed(quantity.format(value - was).replace("%", ""))}</small>`;
      return html`<td>${withMinus(cell(quantity, methods[method].measures))}${change}</td>`;
    });
    return html`${heading}<tr><th>${quantity.label}</th>${cells}</tr>`;
  });
  return html`<section>
<h2>What each model came to</h2>
<table>
<thead><tr><th></th>${METHODS.map((method) => html`<th class="${method}">${METHOD_NAMES[method]}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table>
<p class="note">Means over ${counts.pairs} pairs, in nats; below each number its change from the reference (of accuracy
in points). The first difference is the first token in which the two answers of a pair part.</p>
</section>`;
}

function curvesFigure({ methods, settings, counts }: ExperimentResult, draw: Draw): Html {
  const { curvePairs, curveEvery } = settings.preference;
  const steps = methods.dpo.curve.map(({ step }) => step);
  const chart = (side: "chosen" | "rejected", dash?: string): Chart => {
    const start = methods.reference.curve[0]![side];
    const reference = { x: steps.at(-1)!, y: start };
    return {
      description: `Mean log-prob of the ${side} answers over training steps, by method`,
      xLabel: "step",
      yLabel: `log-prob of the ${side} answer, nats`,
      highest: 0,
      lines: [
        { name: "reference", color: "reference", dash: DOTS, points: [{ x: 0, y: start }, reference] },
        ...TRAINED.map((method) => ({
          name: METHOD_NAMES[method],
          color: method,
          dash,
          points: methods[method].curve.map((point) => ({ x: point.step, y: point[side] })),
        })),
      ],
    };
  };
  const heads = TRAINED.flatMap((method) => [`${METHOD_NAMES[method]} chosen`, `${METHOD_NAMES[method]} rejected`]);
  const rows = steps.map((step, i) => {
    const points = TRAINED.map((method) => methods[method].curve[i]!);
    return [step, ...points.flatMap(({ chosen, rejected }) => [chosen, rejected])];
  });
  return html`<section>
<h2>Over the steps of training</h2>
<figure>
${draw(chart("chosen"))}
${draw(chart("rejected", DASHES))}
<figcaption>Whole answers, measured on ${Math.min(curvePairs, counts.pairs)} of the training pairs every ${curveEvery}
steps: the chosen above (solid), the rejected below (dashed), each on its own scale.</figcaption>
</figure>
${numbersTable(["step", ...heads], rows, decimals(3))}
</section>`;
}

function positionsFigure({ methods }: ExperimentResult, draw: Draw): Html {
  const chart: Chart = {
    description: "Mean token log-prob of the chosen answers by distance from the first difference, by method",
    xLabel: "tokens after the first difference",
    yLabel: "log-prob of a chosen token, nats",
    ruleX: 0,
    names: "above",
    highest: 0,
    lines: METHODS.map((method) => ({
      name: METHOD_NAMES[method],
      color: method,
      dash: method === "reference" ? DOTS : undefined,
      points: methods[method].positions.map(({ position, logp }) => ({ x: position, y: logp })),
    })),
  };
  const rows = methods.reference.positions.map(({ position, tokens }, i) => [
    position,
    tokens,
    ...METHODS.map((method) => methods[method].positions[i]!.logp),
  ]);
  return html`<section>
<h2>Around the first difference</h2>
<figure>
${draw(chart)}
<figcaption>The token at 0 is the one the rejected answer has wrong. The tokens to its left are the same in both answers
and have the same context, so the loss does not touch them directly; those to its right are the same tokens in another
context, and it is there that the paper sees DPO take likelihood away.</figcaption>
</figure>
${numbersTable(["tokens after", "pairs", ...METHODS.map((method) => METHOD_NAMES[method])], rows, decimals(4))}
</section>`;
}

function settingsSection(result: ExperimentResult): Html {
  const { settings, counts, reference, versions, seconds, editDistance } = result;
  const { model, sft, preference, optimizer } = settings;
  const entries: [name: string, text: string][] = [
    [
      "Model",
      `Llama shape: hidden size ${model.hiddenSize}, ${model.layers} layers, ${model.heads} heads, ` +
        `MLP ${model.intermediateSize}, RoPE theta ${model.ropeTheta}, tied embeddings; vocabulary ${counts.vocabulary}`,
    ],
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
    [
      "Optimizer",
      `AdamW, betas ${optimizer.betas.join(" and ")}, weight decay ${optimizer.weightDecay}, ` +
        `gradient norm at most ${optimizer.maxGradNorm}`,
    ],
    [
      "Pairs",
      `${counts.pairs}; mean edit distance ${(100 * editDistance).toFixed(1)}% of the tokens` +
        (counts.refused === 0 ? "" : `; ${counts.refused} rows of the file could not be trained on`),
    ],
    ["Held out", `${counts.heldOut} problems, their prompts in no training row; greedy generation`],
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

const decimals = (digits: number) => (value: number) => value.toFixed(digits);
const signed = (text: string): string => (text.startsWith("-") ? withMinus(text) : `+${text}`);
