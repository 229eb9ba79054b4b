/** The report's samples: answers with every token coloured by how its log-prob changed, and what the models write. */

import { type Html, html, withMinus } from "../../report/html";
import { METHODS, METHOD_NAMES, type SampleAnswer, type SampleScores } from "../result";

/** Changes of log-prob (nats) from which a token gets the next stronger colour. */
const LEVELS = [0.05, 0.2, 1, 3];
const TRAINED = METHODS.filter((method) => method !== "reference");

export function sampleSection(samples: readonly SampleScores[]): Html {
  const swatches = (letter: string) =>
    LEVELS.map((level, i) => html`<span><i class="${letter}${i + 1}"></i>${level}</span>`);
  return html`<section>
<h2>Token by token</h2>
<p class="note">The chosen answer under each model. A token is coloured where its log-prob changed against the reference
by at least so many nats; the underlined one is the first difference. Point at a token for its numbers.</p>
<div class="legend"><span>fell by</span>${swatches("d")}</div>
<div class="legend"><span>rose by</span>${swatches("u")}</div>
${samples.map(sample)}
</section>`;
}

function sample({ title, prompt, chosen, rejected, difference, logps }: SampleScores): Html {
  const row = (method: (typeof TRAINED)[number]) => html`<dt class="${method}">${METHOD_NAMES[method]}</dt><dd>${
    chosen.map((text, i) => token(text, logps.reference[i]!, logps[method][i]!, i === difference))}</dd>`;
  const rejectedText = rejected.map((text, i) => (i === difference ? html`<span class="mark">${text}</span>` : text));
  return html`<h3>${withMinus(title)}</h3>
<dl class="tokens">
<dt class="plain">prompt</dt><dd class="plain">${prompt}</dd>
<dt class="plain">rejected</dt><dd class="plain">${rejectedText}</dd>
${TRAINED.map(row)}
</dl>`;
}

function token(text: string, before: number, after: number, isDifference: boolean): Html {
  const change = after - before;
  const level = LEVELS.filter((least) => Math.abs(change) >= least).length;
  const classes = [
    level === 0 ? "" : `${change < 0 ? "d" : "u"}${level}`, isDifference ? "mark" : "", text === "" ? "end" : "",
  ].filter((name) => name !== "").join(" ");
  const numbers = withMinus(`${before.toFixed(3)} → ${after.toFixed(3)}`);
  return html`<span class="${classes}" title="${numbers}">${text === "" ? "end" : text}</span>`;
}

export function answerSection(answers: readonly SampleAnswer[]): Html {
  if (answers.length === 0) return html``;
  const item = ({ prompt, expected, answers: written }: SampleAnswer) => html`<h3>${prompt}</h3>
<dl class="tokens">
<dt class="plain">expected</dt><dd class="plain">${expected}</dd>
${METHODS.map((method) => html`<dt class="${method}">${METHOD_NAMES[method]}</dt><dd>${written[method].text} ${
    written[method].correct ? html`<b class="yes">✓</b>` : html`<b class="no">✗</b>`}</dd>`)}
</dl>`;
  return html`<section>
<h2>What the models write</h2>
<p class="note">The first held-out problems on which some models are right and some are wrong, answered greedily.</p>
${answers.map(item)}
</section>`;
}
