/**
 * The reports' pictures as SVG files of their own, for papers and slides: title, legend and caption are in the picture,
 * colours are those of the day, and nothing depends on a page. Each is XML that drawing programs read, too.
 */
import { StagedFiles } from "../base/files/wholeFiles";
import { type Chart, loadPlotted, type Size } from "./figures";
import { Html, html } from "./html";
import { LIGHT } from "./page";

const WIDTH = 720;
const MARGIN = 16;
/** Labels of the plot may reach into the margin. */
const PLOT: Size = { className: "standalone", width: WIDTH - 2 * MARGIN, height: 340 };
/** Where the label of y begins in a plot. */
const LABEL_INSET = 3;
const BACKGROUND = "#ffffff";
const TITLE = { size: 15, line: 20 };
const LEGEND = { size: 13, line: 20, stroke: 24, gap: 18 };
const CAPTION = { size: 12, line: 17 };
/** Width of a character as a share of the font's size, rather too wide: there is nothing here to measure text with. */
const CHARACTER = 0.58;
const LONGEST_NAME = 80;
const LONGEST_FILE_NAME = 120; // bytes

/** Writes each chart as a file in a folder, all of them or none, and returns their names. */
export async function writeSvgFiles(folder: string, charts: readonly Chart[]): Promise<string[]> {
  const draw = await loadStandalone();
  const names = fileNames(charts);
  const staged = await StagedFiles.in(folder);
  try {
    for (const [i, chart] of charts.entries()) await staged.add(names[i]!, (file) => file.writeFile(draw(chart)));
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return names;
}

/** What each shows, in lower case with hyphens. */
export function fileNames(charts: readonly Chart[]): string[] {
  const used = new Set<string>();
  return charts.map(({ description }) => {
    let words = description.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
    while (Buffer.byteLength(words) > LONGEST_FILE_NAME) words = [...words].slice(0, -1).join("");
    words = words.replace(/^-|-$/g, "");
    let name = words;
    for (let count = 2; used.has(name); count++) name = `${words}-${count}`;
    used.add(name);
    return `${name}.svg`;
  });
}

/** Returns a function that draws a chart as the text of an SVG file. */
export async function loadStandalone(): Promise<(chart: Chart) => string> {
  const plotted = await loadPlotted();
  return (chart) => {
    const title = wrapped(chart.description, TITLE.size).map(
      (text, i) => html`<text x="${MARGIN}" y="${MARGIN + TITLE.size + i * TITLE.line}">${text}</text>`,
    );
    const legendTop = MARGIN + title.length * TITLE.line + 8;
    const legend = legendOf(chart);
    const plotTop = legendTop + legend.rows * LEGEND.line + 4;
    const plot = plotted({ ...chart, names: "elsewhere" }, PLOT).innerHTML.replace(/<style>.*?<\/style>/s, "");
    const captionTop = plotTop + PLOT.height + 8;
    const caption = wrapped(chart.caption ?? "", CAPTION.size).map(
      (text, i) => html`<text x="${MARGIN}" y="${captionTop + CAPTION.size + i * CAPTION.line}">${text}</text>`,
    );
    const height = captionTop + caption.length * CAPTION.line + MARGIN / 2;
    return asXml(
      html`<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"
font-family="system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif">
<title>${chart.description}</title>
<rect width="${WIDTH}" height="${height}" fill="${BACKGROUND}"/>
<g font-size="${TITLE.size}" font-weight="600" fill="${LIGHT["ink"]!}">${title}</g>
<g font-size="${LEGEND.size}" transform="translate(${MARGIN},${legendTop})">${legend.entries}</g>
<g font-size="12" text-anchor="middle" fill="currentColor" transform="translate(${MARGIN - LABEL_INSET},${plotTop})">${new Html(plot)}</g>
<g font-size="${CAPTION.size}" fill="${LIGHT["muted"]!}">${caption}</g>
</svg>
`.text,
    );
  };
}

/** Names of lines beside pieces of them (of dots beside one), in as many rows as they need. */
function legendOf({ lines, scatter }: Chart): { rows: number; entries: Html[] } {
  let [x, row] = [0, 0];
  const entries = lines.map(({ name, color, dash }) => {
    const text = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
    const width = LEGEND.stroke + 6 + textWidth(text, LEGEND.size);
    if (x > 0 && x + width > WIDTH - 2 * MARGIN) [x, row] = [0, row + 1];
    const [left, middle] = [x, row * LEGEND.line + LEGEND.line / 2];
    x += width + LEGEND.gap;
    const piece = scatter
      ? html`<circle cx="${left + LEGEND.stroke / 2}" cy="${middle}" r="4" fill="var(--${color})"/>`
      : html`<line x1="${left}" y1="${middle}" x2="${left + LEGEND.stroke}" y2="${middle}" stroke="var(--${color})"
stroke-width="2" stroke-dasharray="${dash ?? "none"}"/>`;
    return html`${piece}<text x="${left + LEGEND.stroke + 6}" y="${middle + 4.5}"
fill="var(--${color})" font-weight="600">${text}</text>`;
  });
  return { rows: row + 1, entries };
}

/** Lines of whole words that fit the picture's width. */
function wrapped(text: string, size: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ").filter((each) => each !== "")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`.trimStart();
    if (lines.length > 0 && textWidth(longer, size) <= WIDTH - 2 * MARGIN) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const textWidth = (text: string, size: number): number => [...text].length * size * CHARACTER;

/** Colours instead of variables, and only what XML knows: linkedom writes HTML's entities, names may hold any character. */
function asXml(svg: string): string {
  return svg
    .replace(/var\(--([\w-]+)\)/g, (whole, name: string) => LIGHT[name] ?? whole)
    .replaceAll("currentColor", LIGHT["muted"]!)
    .replaceAll("&nbsp;", "&#160;")
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}
