/** The report's style sheet: one column, light and dark, readable from a phone's width up. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1c1d22; --muted: #63656f; --faint: #dcdcd6; --panel: #f4f4ef;
  --reference: #74767f; --sft: #a8710c; --dpo: #c22f3d; --dpop: #1667b7;
  --down: 206 48 62; --up: 28 110 196; --tint-1: .14; --tint-2: .3; --tint-3: .5; --tint-4: .75;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15161a; --ink: #e9e9e4; --muted: #a2a4ad; --faint: #34363e; --panel: #1d1f24;
    --reference: #9b9da6; --sft: #dfa73c; --dpo: #ff7a80; --dpop: #6cb2f7;
    --down: 240 84 92; --up: 74 150 236; --tint-1: .24; --tint-2: .42; --tint-3: .6; --tint-4: .8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 760px; padding: 40px 20px 64px; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100%;
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
.warning { border-left: 3px solid var(--dpo); padding: 8px 14px; background: var(--panel); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 15px; }
th { font-weight: 600; text-align: right; }
th:first-child, tbody th { text-align: left; font-weight: 400; }
td { text-align: right; white-space: nowrap; }
th, td { padding: 7px 0 7px 14px; vertical-align: top; border-bottom: 1px solid var(--faint); }
th:first-child { padding-left: 0; }
thead th { border-bottom: 1px solid var(--muted); }
tbody .group th { color: var(--muted); font-size: 13px; padding-top: 16px; border-bottom: 0; padding-bottom: 2px; }
table + .note { margin-top: 12px; }
td small { display: block; color: var(--muted); font-size: 12px; line-height: 1.2; }
.reference { color: var(--reference); } .sft { color: var(--sft); }
.dpo { color: var(--dpo); } .dpop { color: var(--dpop); }
figure { margin: 20px 0 8px; }
figure svg { display: block; max-width: 100%; height: auto; overflow: visible; color: var(--muted); }
figure svg + svg, figure div + div.wide, figure div + div.narrow { margin-top: 14px; }
figcaption { margin-top: 14px; color: var(--muted); font-size: 14px; }
.narrow { display: none; }
details { margin: 10px 0 0; font-size: 14px; }
summary { cursor: pointer; color: var(--muted); }
details table { font-size: 13px; margin-top: 6px; }
details th, details td { padding: 3px 0 3px 12px; }
.scroll { overflow-x: auto; max-height: 340px; overflow-y: auto; }
.tokens { display: grid; grid-template-columns: auto 1fr; gap: 6px 14px; margin: 0 0 8px; font-size: 14px; }
.tokens dt { font-weight: 600; }
.tokens dd {
  margin: 0; font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.tokens .plain { color: var(--muted); font-weight: 400; }
.tokens span { border-radius: 3px; padding: 2px 0; }
.tokens .mark { box-shadow: inset 0 -2px 0 currentColor; border-radius: 0; }
.tokens .end { font-size: 11px; padding: 2px 4px; margin-left: 4px; }
.yes { color: var(--dpop); } .no { color: var(--dpo); }
.d1 { background: rgb(var(--down) / var(--tint-1)); } .d2 { background: rgb(var(--down) / var(--tint-2)); }
.d3 { background: rgb(var(--down) / var(--tint-3)); } .d4 { background: rgb(var(--down) / var(--tint-4)); }
.u1 { background: rgb(var(--up) / var(--tint-1)); } .u2 { background: rgb(var(--up) / var(--tint-2)); }
.u3 { background: rgb(var(--up) / var(--tint-3)); } .u4 { background: rgb(var(--up) / var(--tint-4)); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 13px; color: var(--muted); margin: 0 0 4px; }
.legend span { display: inline-flex; align-items: center; gap: 2px; white-space: nowrap; }
.legend b { margin-left: 5px; }
.legend i { width: 16px; height: 12px; border-radius: 2px; display: inline-block; margin-right: 2px; }
.settings { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; font-size: 14px; margin: 12px 0; }
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
  .legend { column-gap: 10px; }
  .tokens { font-size: 13px; grid-template-columns: 1fr; gap: 0; }
  .tokens dd { margin-bottom: 6px; }
  .settings { grid-template-columns: 1fr; gap: 0; }
  .settings dd { margin-bottom: 8px; }
}
@media print { details { display: none; } }
`;
