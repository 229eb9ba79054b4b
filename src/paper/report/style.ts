/** What the experiment adds to the style sheet of all reports: coloured tokens, and the methods' colours. */
import { TOKEN_STYLE } from "../../report/tokens";

export const EXPERIMENT_STYLE = `${TOKEN_STYLE}
:root {
  --reference: #74767f; --sft: #a8710c; --dpo: #c22f3d; --dpop: #1667b7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --reference: #9b9da6; --sft: #dfa73c; --dpo: #ff7a80; --dpop: #6cb2f7;
  }
}
.reference { color: var(--reference); } .sft { color: var(--sft); }
.dpo { color: var(--dpo); } .dpop { color: var(--dpop); }
.yes { color: var(--dpop); } .no { color: var(--dpo); }
`;
