/** `smaug doctor`: what was found, what is expected, and the line to paste for each problem. */
import { Command } from "commander";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check libtorch, the addon and the devices")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  $ smaug doctor --json\n")
    .action(async ({ json }: { json?: boolean }) => {
      const { diagnoseApart } = await import("../native/doctor.js");
      const { formatChecks } = await import("../native/report.js");
      const diagnosis = diagnoseApart();
      const { ok, smaug, checks } = diagnosis;
      const closing = ok ? "all is well" : "!! marks what has to change";
      if (json) console.log(JSON.stringify(diagnosis, null, 2));
      else console.log(`smaug ${smaug}\n\n${formatChecks(checks)}\n\n${closing}`);
      process.exitCode = ok ? 0 : 1;
    });
}
