/** `smaug doctor`: what was found, what is expected, and the line to paste for each problem. */
import { Command } from "commander";
import { print, printJson } from "./output";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check libtorch, the addon and the devices")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  $ smaug doctor --json\n")
    .action(async ({ json }: { json?: boolean }) => {
      const { diagnoseInSubprocess } = await import("../native/setup/doctor.js");
      const { formatChecks } = await import("../native/setup/report.js");
      const diagnosis = diagnoseInSubprocess();
      const { ok, smaug, checks } = diagnosis;
      const closing = ok ? "all is well" : "!! marks what has to change";
      if (json) printJson(diagnosis, 2);
      else print(`smaug ${smaug}\n\n${formatChecks(checks)}\n\n${closing}`);
      process.exitCode = ok ? 0 : 1;
    });
}
