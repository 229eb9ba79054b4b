/** The experiment's style sheet: that of all reports, the methods' colours, and tokens coloured by their change. */
import { STYLE } from "../../report/style";

export const EXPERIMENT_STYLE = `${STYLE}
:root {
  --reference: #74767f; --sft: #a8710c; --dpo: #c22f3d; --dpop: #1667b7;
  --down: 206 48 62; --up: 28 110 196; --tint-1: .14; --tint-2: .3; --tint-3: .5; --tint-4: .75;
}
@media (prefers-color-scheme: dark) {
  :root {
    --reference: #9b9da6; --sft: #dfa73c; --dpo: #ff7a80; --dpop: #6cb2f7;
    --down: 240 84 92; --up: 74 150 236; --tint-1: .24; --tint-2: .42; --tint-3: .6; --tint-4: .8;
  }
}
.reference { color: var(--reference); } .sft { color: var(--sft); }
.dpo { color: var(--dpo); } .dpop { color: var(--dpop); }
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
@media (max-width: 600px) {
  .tokens { font-size: 13px; grid-template-columns: 1fr; gap: 0; }
  .tokens dd { margin-bottom: 6px; }
}
`;
