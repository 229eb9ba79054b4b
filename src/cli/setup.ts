/** `smaug setup`: find or fetch libtorch, choose or build the addon. */
import { Command, InvalidArgumentError } from "commander";
import { examine, supportedText } from "../native/setup/locate";
import { print } from "./output";

interface Flags {
  libtorch?: string;
  fetch?: boolean;
  build?: boolean;
  quiet?: boolean;
}

export function setupCommand(): Command {
  return new Command("setup")
    .description("find or fetch libtorch, and make the addon ready for it")
    .option("--libtorch <folder>", "use this libtorch, not the first that LIBTORCH, Python or the system offers", fitting)
    .option("--fetch", "use the pinned libtorch for the CPU, whatever else is there")
    .option("--build", "build the addon even when one fits")
    .option("--quiet", "say only what is done")
    .addHelpText("after", "\nExample:\n  $ smaug setup --libtorch ~/libtorch\n")
    .action(async ({ quiet, ...flags }: Flags) => {
      const { setup } = await import("../native/setup/setup.js");
      const { terminalProgress } = await import("../native/setup/report.js");
      const libtorch = await setup({ ...flags, progress: terminalProgress() });
      if (!quiet) print(`ready: libtorch ${libtorch.version} in ${libtorch.folder}`);
    });
}

function fitting(folder: string): string {
  const result = examine(folder);
  if (typeof result === "string") throw new InvalidArgumentError(`Expected ${supportedText} but found: ${result}.`);
  return folder;
}
