/** The report's samples: answers with every token coloured by how its log-prob changed, and what the models write. */

import { type Html, html, withMinus } from "../../report/html";
import { changeLegend, changedToken } from "../../report/tokens";
import { METHODS, METHOD_NAMES, type SampleAnswer, type SampleScores } from "../summary";

const TRAINED = METHODS.filter((method) => method !== "reference");

export function sampleSection(samples: readonly SampleScores[]): Html {
  return html`<section>
<h2>Token by token</h2>
<p class="note">The chosen answer under each model. A token is coloured where its log-prob changed against the reference
by at least so many nats; the underlined one is the first difference. Point at a token for its numbers.</p>
${changeLegend()}
${samples.map(sample)}
</section>`;
}

function sample({ title, prompt, chosen, rejected, difference, logps }: SampleScores): Html {
  const row = (method: (typeof TRAINED)[number]) =>
    html`<dt class="${method}">${METHOD_NAMES[method]}</dt><dd>${chosen.map((text, i) =>
      changedToken(text, logps.reference[i]!, logps[method][i]!, i === difference),
    )}</dd>`;
  const rejectedText = rejected.map((text, i) => (i === difference ? html`<span class="mark">${text}</span>` : text));
  return html`<h3>${withMinus(title)}</h3>
<dl class="tokens">
<dt class="plain">prompt</dt><dd class="plain">${prompt}</dd>
<dt class="plain">rejected</dt><dd class="plain">${rejectedText}</dd>
${TRAINED.map(row)}
</dl>`;
}

export function answerSection(answers: readonly SampleAnswer[]): Html {
  if (answers.length === 0) return html``;
  const item = ({ prompt, expected, answers: written }: SampleAnswer) => html`<h3>${prompt}</h3>
<dl class="tokens">
<dt class="plain">expected</dt><dd class="plain">${expected}</dd>
${METHODS.map(
  (method) =>
    html`<dt class="${method}">${METHOD_NAMES[method]}</dt><dd>${written[method].text} ${
      written[method].correct ? html`<b class="yes">✓</b>` : html`<b class="no">✗</b>`
    }</dd>`,
)}
</dl>`;
  return html`<section>
<h2>What the models write</h2>
<p class="note">The first held-out problems on which some models are right and some are wrong, answered greedily.</p>
${answers.map(item)}
</section>`;
}
