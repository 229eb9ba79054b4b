/** The page of a report: one HTML file with one style sheet, which loads nothing and runs no script. */
import { Html, html } from "./html";

/** A whole page with these sections in its body. `style` is added to the style sheet that all reports share. */
export function page(title: string, sections: readonly Html[], style = ""): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE + style)}</style>
</head>
<body>
${sections.map(
  (section) => html`${section}
`,
)}</body>
</html>
`.text;
}

/** Colours of lines and names, as CSS classes and variables. */
export const SERIES = Array.from({ length: 8 }, (_, i) => `series-${i + 1}`);

/** The variables of the style sheet by day; pictures that stand alone have these. */
export const LIGHT: Readonly<Record<string, string>> = {
  paper: "#fdfdfb",
  ink: "#1c1d22",
  muted: "#63656f",
  faint: "#dcdcd6",
  panel: "#f4f4ef",
  alert: "#c22f3d",
  "series-1": "#1667b7",
  "series-2": "#c22f3d",
  "series-3": "#a8710c",
  "series-4": "#16806c",
  "series-5": "#7a4fc0",
  "series-6": "#b83f8a",
  "series-7": "#5c6b1f",
  "series-8": "#6b5a4e",
};

const DARK: typeof LIGHT = {
  paper: "#15161a",
  ink: "#e9e9e4",
  muted: "#a2a4ad",
  faint: "#34363e",
  panel: "#1d1f24",
  alert: "#ff7a80",
  "series-1": "#6cb2f7",
  "series-2": "#ff7a80",
  "series-3": "#dfa73c",
  "series-4": "#4fc4ab",
  "series-5": "#b497f0",
  "series-6": "#f08cc4",
  "series-7": "#b3c45a",
  "series-8": "#c9b3a3",
};

const variables = (colors: typeof LIGHT) =>
  Object.entries(colors)
    .map(([name, color]) => `--${name}: ${color};`)
    .join(" ");

/** One column, light and dark, readable from a phone's width up. */
const STYLE = `
:root { color-scheme: light dark; ${variables(LIGHT)} }
@media (prefers-color-scheme: dark) {
  :root { ${variables(DARK)} }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 760px; padding: 40px 20px 64px; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100%; overflow-wrap: break-word;
}
header p:first-child, footer { color: var(--muted); font-size: 14px; }
header p:first-child { margin: 0; }
h1 {
  margin: 10px 0 18px; font-size: clamp(26px, 5.4vw, 36px); line-height: 1.15; letter-spacing: -.015em;
  text-wrap: balance;
}
h2 { font-size: 20px; line-height: 1.3; margin: 56px 0 6px; }
h3 { font-size: 14px; font-weight: 600; margin: 28px 0 6px; }
p { margin: 0 0 12px; }
ul { margin: 0 0 12px; padding-left: 20px; }
li { margin: 0 0 6px; }
.lead { font-size: 17px; }
.note { color: var(--muted); font-size: 14px; }
.warning { border-left: 3px solid var(--alert); padding: 8px 14px; background: var(--panel); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 15px; }
th { font-weight: 600; text-align: right; }
th:first-child, tbody th { text-align: left; font-weight: 400; }
td { text-align: right; white-space: nowrap; }
th, td { padding: 7px 0 7px 14px; vertical-align: top; border-bottom: 1px solid var(--faint); }
th:first-child { padding-left: 0; }
thead th { border-bottom: 1px solid var(--muted); }
tbody .group th { color: var(--muted); font-size: 13px; padding-top: 16px; border-bottom: 0; padding-bottom: 2px; }
table + .note { margin-top: 12px; }
td small, th small { display: block; color: var(--muted); font-size: 12px; line-height: 1.2; }
${SERIES.map((name) => `.${name} { color: var(--${name}); }`).join("\n")}
figure { margin: 20px 0 8px; }
figure svg { display: block; max-width: 100%; height: auto; overflow: visible; color: var(--muted); }
figure svg + svg, figure div + div.wide, figure div + div.narrow { margin-top: 14px; }
figcaption { margin-top: 14px; color: var(--muted); font-size: 14px; }
.narrow { display: none; }
details { margin: 10px 0 0; font-size: 14px; }
summary { cursor: pointer; color: var(--muted); }
details table { font-size: 13px; margin-top: 6px; }
details th, details td { padding: 3px 0 3px 12px; }
.halves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 18px 16px; }
.sideways { overflow-x: auto; }
.sideways th:first-child { position: sticky; left: 0; background: var(--paper); }
.texts td { white-space: normal; overflow-wrap: anywhere; min-width: 110px; }
.scroll { overflow-x: auto; max-height: 340px; overflow-y: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 13px; color: var(--muted); margin: 0 0 4px; }
.legend span { display: inline-flex; align-items: center; gap: 2px; min-width: 0; }
.legend svg { flex: none; }
.legend b { margin-left: 5px; min-width: 0; overflow-wrap: anywhere; }
.legend i { width: 16px; height: 12px; border-radius: 2px; display: inline-block; margin-right: 2px; }
.settings { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 20px; font-size: 14px; margin: 12px 0; }
.settings dt { color: var(--muted); }
.settings dd { margin: 0; }
footer { margin-top: 56px; border-top: 1px solid var(--faint); padding-top: 14px; }
@media (max-width: 600px) {
  body { padding: 24px 16px 48px; }
  .wide { display: none; }
  .narrow { display: block; }
  h2 { margin-top: 44px; }
  table { font-size: 13px; }
  th, td { padding-left: 8px; }
  .sideways th:first-child { min-width: 110px; }
  .legend { column-gap: 10px; }
  .settings { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .settings dd { margin-bottom: 8px; }
}
@media print { details { display: none; } }
`;
