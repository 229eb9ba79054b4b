/**
 * The reports' pictures as static SVG. A full one is drawn once wide and once narrow, and the style sheet shows the one
 * that fits. Colours are CSS variables, so that the pictures follow the page into the dark.
 */

import { Html, html } from "./html";

type Plot = typeof import("@observablehq/plot", { with: { "resolution-mode": "import" }});

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A line of a chart. */
export interface Line {
  readonly name: string;
  /** The CSS variable of its colour, without the dashes. */
  readonly color: string;
  readonly dash?: string;
  readonly points: readonly Point[];
  /** Drawn thin and pale behind the line: what it is a mean of. */
  readonly behind?: readonly Point[];
}

export interface Chart {
  /** What a screen reader says. */
  readonly description: string;
  /** The text below a standalone picture; on a page, the surrounding text takes its place. */
  readonly caption?: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  /** Marks this x with an upright rule. */
  readonly ruleX?: number;
  /** Marks this y with a level rule, which is always in the picture. */
  readonly ruleY?: number;
  /** No value can be above this. */
  readonly highest?: number;
  /** Logarithmic y. */
  readonly log?: boolean;
  /** Where the lines are named: at their right ends (default), above the picture, or elsewhere. */
  readonly names?: "ends" | "above" | "elsewhere";
  /** Points are dots that no line joins, and x need not be whole. */
  readonly scatter?: boolean;
  /** Narrow, to fit next to another drawing. */
  readonly half?: boolean;
}

export interface Size {
  readonly className: string;
  readonly width: number;
  readonly height: number;
}

/** What is used of an element. */
interface SvgElement {
  readonly outerHTML: string;
  readonly innerHTML: string;
}

const WIDE: Size = { className: "wide", width: 720, height: 280 };
const NARROW: Size = { className: "narrow", width: 348, height: 250 };
const HALF: Size = { className: "half", width: 348, height: 210 };
const MARGIN = { top: 30, right: 72, bottom: 38, left: 46 };
const MARGIN_RIGHT_WITHOUT_NAMES = 8;
/** Least distance between the names at the ends of lines, in pixels. */
const NAME_GAP = 14;

/** Draws a chart. */
export type Draw = (chart: Chart) => Html;

/** Loads the plotting library and returns a function that draws charts. */
export async function loadCharts(): Promise<Draw> {
  const plotted = await loadPlotted();
  return (chart) => {
    const sizes = chart.half ? [HALF] : [WIDE, NARROW];
    return html`${chart.names === "above" ? legend(chart.lines) : ""}${sizes.map((size) => {
      // linkedom leaves < in attributes as it is.
      const start = html`<svg role="img" aria-label="${chart.description}"`;
      const svg = plotted(chart, size).outerHTML.replace(/^<svg/, () => start.text);
      return new Html(`<div class="${size.className}">${svg}</div>`);
    })}`;
  };
}

/** Loads the plotting library (an ES module) and returns a function that gives charts as elements, colours as variables. */
export async function loadPlotted(): Promise<(chart: Chart, size: Size) => SvgElement> {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  return (chart, size) => plotElement(plot, document, chart, size);
}

/** The legend: the names of lines, each next to a piece of its line. */
export function legend(lines: readonly Pick<Line, "name" | "color" | "dash">[]): Html {
  const entries = lines.map(
    ({ name, color, dash }) => html`<span><svg width="22" height="8" aria-hidden="true"><line
x1="0" y1="4" x2="22" y2="4" stroke="var(--${color})" stroke-width="2" stroke-dasharray="${dash ?? "none"}"/></svg><b
class="${color}">${name}</b></span>`,
  );
  return html`<div class="legend">${entries}</div>`;
}

function plotElement(plot: Plot, document: unknown, chart: Chart, size: Size): SvgElement {
  const domain = yDomain(chart);
  const namesAtEnds = (chart.names ?? "ends") === "ends";
  // What is dashed lies above what it may coincide with, and both are seen.
  const lines = chart.scatter ? [] : [...chart.lines].sort((a, b) => Number(a.dash !== undefined) - Number(b.dash !== undefined));
  return plot.plot({
    document: document as never,
    className: `chart-${size.className}`,
    width: size.width,
    height: size.height,
    marginTop: MARGIN.top,
    marginRight: namesAtEnds ? MARGIN.right : MARGIN_RIGHT_WITHOUT_NAMES,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { fontSize: "12px", background: "none" },
    x: {
      label: chart.xLabel,
      labelAnchor: "center",
      labelArrow: "none",
      inset: chart.scatter ? 6 : 0,
      ticks: size.width / (chart.scatter ? 90 : 60),
      tickFormat: chart.scatter ? tickText : stepText,
      tickSize: 0,
    },
    y: {
      label: chart.yLabel,
      labelAnchor: "top",
      labelArrow: "none",
      type: chart.log ? "log" : "linear",
      domain,
      ticks: chart.log ? logTicks(domain) : 5,
      tickFormat: tickText,
      tickSize: 0,
      grid: true,
    },
    marks: [
      ...(chart.ruleX === undefined ? [] : [plot.ruleX([chart.ruleX], { stroke: "var(--faint)" })]),
      ...(chart.ruleY === undefined ? [] : [plot.ruleY([chart.ruleY], { stroke: "var(--muted)" })]),
      ...chart.lines.map(({ color, behind = [] }) =>
        plot.line(behind, { x: "x", y: "y", stroke: `var(--${color})`, strokeWidth: 1, strokeOpacity: 0.28 }),
      ),
      ...lines.map(({ color, dash, points }) =>
        plot.line(points, { x: "x", y: "y", stroke: `var(--${color})`, strokeWidth: 2, strokeDasharray: dash }),
      ),
      ...chart.lines
        .filter(({ points }) => chart.scatter || points.length === 1)
        .map(({ color, points }) =>
          plot.dot(points, { x: "x", y: "y", fill: `var(--${color})`, r: 3, fillOpacity: chart.scatter ? 0.55 : 1 }),
        ),
      ...(namesAtEnds ? nameLines(plot, chart.lines, domain, size.height) : []),
    ],
  });
}

/** Steps and places of tokens are whole. */
function stepText(value: number): string {
  return Number.isInteger(value) ? tickText(value) : "";
}

/** Short enough for the margin: 0.25, 12,000, 5e-5. */
function tickText(value: number): string {
  const size = Math.abs(value);
  const isShort = value === 0 || (size >= 1e-3 && size < 1e5);
  const text = isShort ? value.toLocaleString("en", { maximumSignificantDigits: 5 }) : value.toExponential();
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** Lowest and highest value with a little room. */
function yDomain({ lines, ruleY, highest = Infinity, log }: Chart): [low: number, high: number] {
  const [low, high] = lines
    .flatMap(({ points, behind = [] }) => [...points, ...behind].map(({ y }) => y))
    .concat(ruleY ?? [])
    .reduce(([low, high], y) => [Math.min(low, y), Math.max(high, y)], [Infinity, -Infinity]);
  if (log) return [low / 1.2, high * 1.2];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1e-3;
  return [low - room, Math.min(high + room, highest)];
}

/** Powers of ten; over less than three of them also twice and five times each. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const decades = Math.log10(high / low);
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const step = Math.ceil(decades / 6);
  const powers = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
  const ticks = powers.flatMap((power) => (decades < 3 ? [1, 2, 5] : [1]).map((times) => Number(`${times}e${power}`)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** The lines' names at their right ends, moved apart where they would overlap. */
function nameLines(plot: Plot, lines: readonly Line[], [low, high]: [number, number], height: number) {
  const pixels = (height - MARGIN.top - MARGIN.bottom) / (high - low);
  const names = lines
    .map((line) => ({ ...line, last: line.points.at(-1)! }))
    .sort((a, b) => b.last.y - a.last.y)
    .map((line) => ({ ...line, wanted: (high - line.last.y) * pixels, at: 0 }));
  let previous = -Infinity;
  for (const name of names) previous = name.at = Math.max(name.wanted, previous + NAME_GAP);
  // Names pushed below the frame move up again, and those above make room.
  let limit = height - MARGIN.top - MARGIN.bottom + NAME_GAP / 2;
  for (const name of names.reverse()) {
    name.at = Math.min(name.at, limit);
    limit = name.at - NAME_GAP;
  }
  return names.map(({ name, color, last, wanted, at }) =>
    plot.text([last], {
      x: "x",
      y: "y",
      dx: 6,
      dy: at - wanted,
      text: () => name,
      textAnchor: "start",
      fill: `var(--${color})`,
      fontWeight: 600,
    }),
  );
}
