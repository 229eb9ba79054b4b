/** `smaug data metamath`, `arc` and `hellaswag`: the paper's pairs from the original data sets. */
import type { Command } from "commander";
import { makePairFile, pairsCommand, type RecipeFlags } from "./recipe";

const MAX_SHOTS = 4; // the paper's

const notes = (name: string, file: string, text: string) => `
Every line has prompt, chosen and rejected. ${text}
The prompt is worded as the evaluation harness words it, after up to --max-shots worked examples, which are other rows
of the same split and never ask the same question (beyond 8192 rows they come from a sample of that many).
Statistics go to standard error, with --json to standard output (to standard error with --out -).

Example:
  $ smaug data ${name} --input ${file} --out ${name}.jsonl
`;

export function metamathCommand(): Command {
  return pairsCommand("metamath", "the response against the same with one intermediate result replaced (MetaMathQA)", {
    dataset: "meta-math/MetaMathQA",
    maxShots: MAX_SHOTS,
  })
    .addHelpText(
      "after",
      notes(
        "metamath",
        "MetaMathQA-395K.json",
        "Rejected is chosen with one number changed; the final answer\nand all else is as it was.",
      ),
    )
    .action(async (flags: RecipeFlags) => {
      const { metamath } = await import("../../data/recipes/metamath.js");
      await makePairFile(metamath, flags);
    });
}

export function arcCommand(): Command {
  return pairsCommand("arc", "the correct choice against each wrong one (ARC-Challenge)", {
    dataset: "allenai/ai2_arc",
    maxShots: MAX_SHOTS,
  })
    .addHelpText(
      "after",
      notes(
        "arc",
        "ARC-Challenge/train-00000-of-00001.parquet",
        "There is a line for each wrong choice. Of a folder\nwith several configurations ARC-Challenge is read.",
      ),
    )
    .action(async (flags: RecipeFlags) => {
      const { arc } = await import("../../data/recipes/choices.js");
      await makePairFile(arc, flags);
    });
}

export function hellaswagCommand(): Command {
  return pairsCommand("hellaswag", "the correct ending against each wrong one (HellaSwag)", {
    dataset: "Rowan/hellaswag",
    maxShots: MAX_SHOTS,
  })
    .addHelpText("after", notes("hellaswag", "hellaswag_train.jsonl", "There is a line for each wrong ending."))
    .action(async (flags: RecipeFlags) => {
      const { hellaswag } = await import("../../data/recipes/choices.js");
      await makePairFile(hellaswag, flags);
    });
}
