/** `--overwrite-output-dir`, of the commands that write a folder; `train` has it as a key. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { argumentsOf, pasteable, withOption } from "./commandLine";

const NAME = "overwrite_output_dir";

/** Adds the option in both spellings; its value may be left out. */
export function addOverwriteOption(command: Command, help: string): Command {
  return command
    .addOption(new Option("--overwrite-output-dir [value]", help).argParser(parseFlag))
    .addOption(new Option(`--${NAME} [value]`).argParser(parseFlag).hideHelp());
}

export function isOverwriting(command: Command): boolean {
  const options = command.opts<{ overwriteOutputDir?: boolean; overwrite_output_dir?: boolean }>();
  return (options.overwriteOutputDir ?? options.overwrite_output_dir) === true;
}

/** The command that was given, with the option, ready to paste. */
export function overwritingCommand(command: Command): string {
  return pasteable(withOption(argumentsOf(command), NAME, "true"));
}

function parseFlag(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("Expected true or false.");
}
