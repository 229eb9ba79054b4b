/** `smaug data`: making preference data, and looking at it. One file per subcommand. */
import { Command } from "commander";
import { inspectCommand } from "./dataInspect";

export function dataCommand(): Command {
  return new Command("data")
    .description("look at preference data before training on it")
    .addHelpText("after", "\nExample:\n  $ smaug data inspect pairs.jsonl --model models/SmolLM2-135M-Instruct\n")
    .addCommand(inspectCommand());
}
