/** `smaug data`: making preference data, and looking at it. */
import { Command } from "commander";
import { inspectCommand } from "./dataInspect";
import { pairsFromColumnsCommand } from "./dataPairs";
import { arcCommand, hellaswagCommand, metamathCommand } from "./dataPaper";

export function dataCommand(): Command {
  return new Command("data")
    .description("make preference data, and look at it before training on it")
    .addHelpText("after", "\nExample:\n  $ smaug data inspect pairs.jsonl --model models/SmolLM2-135M-Instruct\n")
    .addCommand(metamathCommand())
    .addCommand(arcCommand())
    .addCommand(hellaswagCommand())
    .addCommand(pairsFromColumnsCommand())
    .addCommand(inspectCommand());
}
