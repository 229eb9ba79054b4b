/** `smaug setup` finds or fetches libtorch and chooses or builds the addon; `smaug doctor` checks what is there. */
import { Command, InvalidArgumentError } from "commander";
import { diagnoseInSubprocess } from "../native/setup/doctor";
import { examine, supportedText } from "../native/setup/locate";
import { formatChecks, terminalProgress } from "../native/setup/report";
import { setup } from "../native/setup/setup";
import { print, printJson } from "./output";

interface SetupFlags {
  libtorch?: string;
  fetch?: boolean;
  build?: boolean;
  quiet?: boolean;
}

export function setupCommand(): Command {
  return new Command("setup")
    .option("--libtorch <folder>", "use this libtorch, not the first that LIBTORCH, Python or the system offers", fitting)
    .option("--fetch", "use the pinned libtorch for the CPU, whatever else is there")
    .option("--build", "build the addon even when one fits")
    .option("--quiet", "say only what is done")
    .addHelpText("after", "\nExample:\n  $ smaug setup --libtorch ~/libtorch\n")
    .action(async ({ quiet, ...flags }: SetupFlags) => {
      const libtorch = await setup({ ...flags, progress: terminalProgress() });
      if (!quiet) print(`ready: libtorch ${libtorch.version} in ${libtorch.folder}`);
    });
}

function fitting(folder: string): string {
  const result = examine(folder);
  if (typeof result === "string") throw new InvalidArgumentError(`Expected ${supportedText} but received ${folder}: ${result}.`);
  return folder;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  $ smaug doctor --json\n")
    .action(({ json }: { json?: boolean }) => {
      const diagnosis = diagnoseInSubprocess();
      const { ok, smaug, checks } = diagnosis;
      const closing = ok ? "all is well" : "!! marks what has to change";
      if (json) printJson(diagnosis, 2);
      else print(`smaug ${smaug}\n\n${formatChecks(checks)}\n\n${closing}`);
      process.exitCode = ok ? 0 : 1;
    });
}
