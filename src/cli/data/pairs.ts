/** `smaug data pairs`: chosen and rejected from any two columns. */
import type { Command } from "commander";
import { makePairFile, pairsCommand, type RecipeFlags } from "./recipe";

interface PairsFlags extends RecipeFlags {
  promptColumn: string;
  chosenColumn: string;
  rejectedColumn: string;
  promptTemplate?: string;
  chosenTemplate?: string;
  rejectedTemplate?: string;
}

const notes = `
Every line has prompt, chosen and rejected. A template is a text with columns in braces and goes before the column
option of the same name: --prompt-template 'Question: {question}\\nAnswer:' (\\n is a new line, \\t a tab). A dot goes
into an object or a list: {choices.text.0}. Worked examples (--max-shots) are other rows' prompt and chosen.
Statistics go to standard error, with --json to standard output (to standard error with --out -).

Example:
  $ smaug data pairs --input rated.jsonl --prompt-column question --chosen-column best \\
      --rejected-column worst --out pairs.jsonl
`;

export function pairsFromColumnsCommand(): Command {
  return pairsCommand("pairs", "chosen and rejected from any two columns", { maxShots: 0 })
    .option("--prompt-column <name>", "the column of the prompt", "prompt")
    .option("--chosen-column <name>", "the column of the preferred answer", "chosen")
    .option("--rejected-column <name>", "the column of the other answer", "rejected")
    .option("--prompt-template <text>", "the prompt from one column or several")
    .option("--chosen-template <text>", "the preferred answer from one column or several")
    .option("--rejected-template <text>", "the other answer from one column or several")
    .addHelpText("after", notes)
    .action(async (flags: PairsFlags) => {
      const { columnPairs } = await import("../../data/recipes/columns.js");
      const { promptColumn, chosenColumn, rejectedColumn, promptTemplate, chosenTemplate, rejectedTemplate } = flags;
      const recipe = columnPairs({
        prompt: unescaped(promptTemplate) ?? `{${promptColumn}}`,
        chosen: unescaped(chosenTemplate) ?? `{${chosenColumn}}`,
        rejected: unescaped(rejectedTemplate) ?? `{${rejectedColumn}}`,
      });
      await makePairFile(recipe, flags);
    });
}

function unescaped(template: string | undefined): string | undefined {
  return template?.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}
