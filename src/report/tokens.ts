/** Answers in tokens, each coloured by how its log-prob changed against the reference. */
import { type Content, type Html, html, withMinus } from "./html";

/** Changes of log-prob (nats) from which a token gets the next stronger colour. */
const LEVELS = [0.05, 0.2, 1, 3];

/** What the colours mean. */
export function changeLegend(): Html {
  const swatches = (letter: string) => LEVELS.map((level, i) => html`<span><i class="${letter}${i + 1}"></i>${level}</span>`);
  return html`<div class="legend"><span>fell by</span>${swatches("d")}</div>
<div class="legend"><span>rose by</span>${swatches("u")}</div>`;
}

/** A token with its log-probs in nats. One that has no text is shown as `silent`. */
export function changedToken(text: string, before: number, after: number, isDifference: boolean, silent = "end"): Html {
  const change = after - before;
  const level = LEVELS.filter((least) => Math.abs(change) >= least).length;
  const classes = [level === 0 ? "" : `${change < 0 ? "d" : "u"}${level}`, isDifference ? "mark" : "", text === "" ? "end" : ""]
    .filter((name) => name !== "")
    .join(" ");
  const numbers = withMinus(`${before.toFixed(3)} → ${after.toFixed(3)}`);
  return html`<span class="${classes}" title="${numbers}">${text === "" ? silent : text}</span>`;
}

/** A line of a sample: an answer or a prompt with the name before it. Without a colour it is in the background. */
export interface TokenLine {
  readonly name: string;
  readonly color?: string;
  readonly content: Content;
}

/** The prompt and the answers of a sample, one below the other. */
export function tokenLines(lines: readonly TokenLine[]): Html {
  const line = ({ name, color, content }: TokenLine) =>
    color === undefined
      ? html`<dt class="plain">${name}</dt><dd class="plain">${content}</dd>`
      : html`<dt class="${color}">${name}</dt><dd>${content}</dd>`;
  return html`<dl class="tokens">
${lines.map((each) => html`${line(each)}\n`)}</dl>`;
}

/** Added to a report's style sheet where tokens are shown. */
export const TOKEN_STYLE = `
:root {
  --down: 206 48 62; --up: 28 110 196; --tint-1: .14; --tint-2: .3; --tint-3: .5; --tint-4: .75;
}
@media (prefers-color-scheme: dark) {
  :root {
    --down: 240 84 92; --up: 74 150 236; --tint-1: .24; --tint-2: .42; --tint-3: .6; --tint-4: .8;
  }
}
.tokens { display: grid; grid-template-columns: fit-content(30%) minmax(0, 1fr); gap: 6px 14px; margin: 0 0 8px; font-size: 14px; }
.tokens dt { font-weight: 600; overflow-wrap: anywhere; }
.tokens dd {
  margin: 0; font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.tokens .plain { color: var(--muted); font-weight: 400; }
.tokens span { border-radius: 3px; padding: 2px 0; }
.tokens .mark { box-shadow: inset 0 -2px 0 currentColor; border-radius: 0; }
.tokens .end { font-size: 11px; padding: 2px 4px; margin-left: 4px; }
.d1 { background: rgb(var(--down) / var(--tint-1)); } .d2 { background: rgb(var(--down) / var(--tint-2)); }
.d3 { background: rgb(var(--down) / var(--tint-3)); } .d4 { background: rgb(var(--down) / var(--tint-4)); }
.u1 { background: rgb(var(--up) / var(--tint-1)); } .u2 { background: rgb(var(--up) / var(--tint-2)); }
.u3 { background: rgb(var(--up) / var(--tint-3)); } .u4 { background: rgb(var(--up) / var(--tint-4)); }
@media (max-width: 600px) {
  .tokens { font-size: 13px; grid-template-columns: minmax(0, 1fr); gap: 0; }
  .tokens dd { margin-bottom: 6px; }
}
`;
