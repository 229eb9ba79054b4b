/**
 * The report's pictures as static SVG, drawn once wide and once narrow; the style sheet shows the one that fits.
 * Colours are CSS variables, so that the pictures follow the page into the dark.
 */

import { Html, html } from "./html";

type Plot = typeof import("@observablehq/plot", { with: { "resolution-mode": "import" } });

/** A line of a chart. */
export interface Line {
  readonly name: string;
  /** The CSS variable of its colour, without the dashes. */
  readonly color: string;
  readonly dash?: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Chart {
  /** What a screen reader says. */
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  /** Marks this x with an upright rule. */
  readonly ruleX?: number;
  /** Names the lines above the picture; else each is named at its right end. */
  readonly legend?: boolean;
}

const WIDE = { className: "wide", width: 720, height: 280 };
const NARROW = { className: "narrow", width: 348, height: 250 };
const MARGIN = { top: 30, right: 72, bottom: 38, left: 46 };
const MARGIN_RIGHT_OF_LEGEND = 8;
/** Least distance between the names at the ends of lines, in pixels. */
const NAME_GAP = 14;

/** Loads the plotting library (an ES module) and returns a function that draws charts. */
export async function loadCharts(): Promise<(chart: Chart) => Html> {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  return (chart) => {
    const drawings = [WIDE, NARROW].map((size) => draw(plot, document, chart, size));
    return html`${chart.legend ? legend(chart.lines) : ""}${drawings}`;
  };
}

function legend(lines: readonly Line[]): Html {
  const entries = lines.map(({ name, color, dash }) => html`<span><svg width="22" height="8" aria-hidden="true"><line
x1="0" y1="4" x2="22" y2="4" stroke="var(--${color})" stroke-width="2" stroke-dasharray="${dash ?? "none"}"/></svg><b
class="${color}">${name}</b></span>`);
  return html`<div class="legend">${entries}</div>`;
}

function draw(plot: Plot, document: unknown, chart: Chart, size: typeof WIDE): Html {
  const domain = yDomain(chart.lines);
  const svg = plot.plot({
    document: document as never,
    className: `chart-${size.className}`,
    ariaLabel: chart.description,
    width: size.width,
    height: size.height,
    marginTop: MARGIN.top,
    marginRight: chart.legend ? MARGIN_RIGHT_OF_LEGEND : MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { fontSize: "12px", background: "none" },
    x: { label: chart.xLabel, labelAnchor: "center", labelArrow: "none", ticks: size.width / 60, tickSize: 0 },
    y: { label: chart.yLabel, labelAnchor: "top", labelArrow: "none", domain, ticks: 5, tickSize: 0, grid: true },
    marks: [
      ...(chart.ruleX === undefined ? [] : [plot.ruleX([chart.ruleX], { stroke: "var(--faint)" })]),
      ...chart.lines.map(({ color, dash, points }) =>
        plot.line(points, { x: "x", y: "y", stroke: `var(--${color})`, strokeWidth: 2, strokeDasharray: dash })),
      ...(chart.legend ? [] : nameLines(plot, chart.lines, domain, size.height)),
    ],
  });
  svg.setAttribute("role", "img");
  return new Html(`<div class="${size.className}">${svg.outerHTML}</div>`);
}

/** Lowest and highest value with a little room, never above 0: log-probs. */
function yDomain(lines: readonly Line[]): [low: number, high: number] {
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.06, 1e-3);
  return [low - room, Math.min(high + room, 0)];
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
  return names.map(({ name, color, last, wanted, at }) => plot.text([last], {
    x: "x", y: "y", dx: 6, dy: at - wanted, text: () => name,
    textAnchor: "start", fill: `var(--${color})`, fontWeight: 600,
  }));
}
