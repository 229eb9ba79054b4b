/**
 * The parts that reports are made of: the introduction, tables, figures with the numbers behind them, settings. They take
 * plain data, so that the report of training runs and that of a study are made of the same ones.
 */
import type { Chart, Line } from "./figures";
import { breakable, type Content, type Html, html, withMinus } from "./html";

/** A model or run that a report compares, with the colour that it has everywhere. */
export interface Compared {
  readonly name: string;
  /** The CSS class and variable of its colour. */
  readonly color: string;
}

export interface Introduction {
  /** The subject of the report, above the title. */
  readonly kicker: string;
  readonly title: string;
  readonly lead?: string;
  /** What was found, as a list. */
  readonly findings?: readonly string[];
  readonly warnings?: readonly string[];
  readonly notes?: readonly string[];
}

export function introduction({ kicker, title, lead, findings = [], warnings = [], notes = [] }: Introduction): Html {
  return html`<header>
<p>${kicker}</p>
<h1>${title}</h1>
${lead === undefined ? "" : html`<p class="lead">${lead}</p>`}
${findings.length === 0 ? "" : html`<ul>${findings.map((text) => html`<li>${text}</li>`)}</ul>`}
${warnings.map((text) => html`<p class="warning">${text}</p>`)}
${notes.map(note)}
</header>`;
}

export function section(title: string, ...content: Content[]): Html {
  return html`<section>
<h2>${title}</h2>
${content.map((part) => html`${part}\n`)}</section>`;
}

/** A remark in small print. */
export const note = (text: Content): Html => html`<p class="note">${text}</p>`;

/** A row of a table. A cell that is null shows a dash. */
export interface TableRow {
  readonly head: Content;
  /** The CSS class of the head's colour. */
  readonly color?: string;
  readonly cells: readonly (Content | null)[];
}

export interface TableOptions {
  /** The head of the first column. */
  readonly corner?: string;
  /** `texts`: cells hold text, which wraps, instead of numbers. */
  readonly className?: string;
  /** How a large table scrolls: `sideways` (default), or `scroll` for both ways. */
  readonly overflow?: "sideways" | "scroll";
}

/**
 * A table with a head for each row.
 *
 * @param heads of the columns after the first; a {@link Compared} has its colour
 * @param rows a string is the heading of the rows that follow it
 */
export function table(
  heads: readonly (string | Compared)[],
  rows: readonly (TableRow | string)[],
  { corner = "", className, overflow = "sideways" }: TableOptions = {},
): Html {
  const head = (each: string | Compared) =>
    typeof each === "string" ? html`<th>${each}</th>` : html`<th${classOf(each.color)}>${breakable(each.name)}</th>`;
  const row = (each: TableRow | string) => {
    if (typeof each === "string") return html`<tr class="group"><th colspan="${heads.length + 1}">${each}</th></tr>`;
    return html`<tr><th${classOf(each.color)}>${each.head}</th>${each.cells.map((cell) => html`<td>${cell ?? "–"}</td>`)}</tr>`;
  };
  return html`<div class="${overflow}"><table${classOf(className)}>
<thead><tr><th>${corner}</th>${heads.map(head)}</tr></thead>
<tbody>${rows.map(row)}</tbody>
</table></div>`;
}

const classOf = (name: string | undefined): Content => (name === undefined ? "" : html` class="${name}"`);

/** A cell's number with a second one in small print below it. */
export const stacked = (value: Content, below: Content): Html => html`${value}<small>${below}</small>`;

/** Pictures with a caption. */
export function figure(pictures: Content, caption: Content = ""): Html {
  return html`<figure>
${pictures}
${caption === "" ? "" : html`<figcaption>${caption}</figcaption>`}
</figure>`;
}

/** Content that is folded until the reader opens it. */
export const folded = (summary: string, content: Content): Html =>
  html`<details><summary>${summary}</summary>${content}</details>`;

/** Rows of numbers; null where there is none. */
export type Numbers = readonly (readonly (number | null)[])[];

/**
 * The numbers behind a picture, folded away.
 *
 * @param format writes what is not an integer
 */
export function numbersTable(heads: readonly string[], rows: Numbers, format: (value: number) => string): Html {
  const text = (value: number | null) =>
    value === null ? "" : withMinus(Number.isInteger(value) ? String(value) : format(value));
  return folded(
    "The numbers",
    html`<div class="scroll"><table>
<thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((value) => html`<td>${text(value)}</td>`)}</tr>`)}</tbody>
</table></div>`,
  );
}

/** Settings by name. */
export function settingsList(entries: readonly (readonly [name: string, text: string])[]): Html {
  return html`<dl class="settings">${entries.map(([name, text]) => html`<dt>${breakable(name)}</dt><dd>${text}</dd>`)}</dl>`;
}

/** The foot of the page. */
export const footer = (...content: Content[]): Html => html`<footer>${content}</footer>`;

/** Versions by name, as the foot of a page lists them. */
export const versionsText = (versions: object): string =>
  Object.entries(versions)
    .map((entry) => entry.join(" "))
    .join(" · ");

/** The mean log-prob of a model's chosen tokens by their distance from the first difference. */
export interface Positions extends Compared, Pick<Line, "dash"> {
  readonly positions: readonly { readonly position: number; readonly logp: number }[];
}

/** The paper's figure 4: chosen tokens by their distance from the first difference, a line for each model. */
export function positionsChart(models: readonly Positions[], description: string): Chart {
  return {
    description,
    xLabel: "tokens after the first difference",
    yLabel: "log-prob of a chosen token, nats",
    ruleX: 0,
    highest: 0,
    names: "above",
    lines: models.map(({ positions, ...model }) => ({
      ...model,
      points: positions.map(({ position, logp }) => ({ x: position, y: logp })),
    })),
  };
}
