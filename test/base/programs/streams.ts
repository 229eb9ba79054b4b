/**
 * A command with guarded streams: NAME DONE LINES BYTES [--json]. It logs LINES lines to standard error, writes the file
 * DONE, and prints a result of BYTES characters; `pipeline` prints it the way `score --out -` does.
 */
import { writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Command } from "commander";
import { guardStandardStreams } from "../../../src/base/terminalStreams";
import { writeLines } from "../../../src/cli/outputFile";
import { run } from "../../../src/cli/run";

guardStandardStreams();
process.on("SIGHUP", () => process.stderr.write("hung up\n"));

const command = new Command(process.argv[2])
  .argument("<done>")
  .argument("<lines>")
  .argument("<bytes>")
  .option("--json")
  .action(async (done: string, lines: string, bytes: string) => {
    for (let i = 0; i < Number(lines); i++) {
      process.stderr.write(`line ${String(i).padStart(94, "0")}\n`);
      if (i % 100 === 0) await setImmediate();
    }
    writeFileSync(done, "");
    const result = ["r".repeat(Number(bytes))];
    if (command.name() === "pipeline") await writeLines("-", (async function* () { yield* result; })(), (line) => line);
    else process.stdout.write(`${result[0]}\n`);
  });

void run(new Command("smaug").addCommand(command), process.argv);
