/** `smaug data`: making preference data, and looking at it. */
import { Command } from "commander";
import { inspectCommand } from "./inspect";
import { pairsFromColumnsCommand } from "./pairs";
import { arcCommand, hellaswagCommand, metamathCommand } from "./paper";

export function dataCommand(): Command {
  return new Command("data")
    .addHelpText("after", "\nExample:\n  $ smaug data inspect pairs.jsonl --model models/SmolLM2-135M-Instruct\n")
    .addCommand(metamathCommand())
    .addCommand(arcCommand())
    .addCommand(hellaswagCommand())
    .addCommand(pairsFromColumnsCommand())
    .addCommand(inspectCommand());
}
