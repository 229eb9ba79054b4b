/**
 * A command with guarded streams: NAME DONE LINES BYTES [--json] [--again FILE]. It logs LINES lines to standard error,
 * writes the file DONE, and prints a result of BYTES characters; `pipeline` prints it the way `score --out -` does. With
 * --again it logs one more line once FILE is there; with --stop it stops itself after DONE.
 */
import { existsSync, writeFileSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Command } from "commander";
import { guardStandardStreams } from "../../../src/base/terminal/streams";
import { writeLines } from "../../../src/cli/outputFile";
import { run } from "../../../src/cli/run";

guardStandardStreams();
process.on("SIGHUP", () => process.stderr.write("hung up\n"));

const command = new Command(process.argv[2])
  .argument("<done>")
  .argument("<lines>")
  .argument("<bytes>")
  .option("--json")
  .option("--again <file>")
  .option("--stop")
  .action(async (done: string, lines: string, bytes: string, { again, stop }: { again?: string; stop?: boolean }) => {
    for (let i = 0; i < Number(lines); i++) {
      process.stderr.write(`line ${String(i).padStart(94, "0")}\n`);
      if (i % 100 === 0) await setImmediate();
    }
    writeFileSync(done, "");
    if (stop) process.kill(process.pid, "SIGSTOP"); // until SIGCONT
    while (again !== undefined && !existsSync(again)) await setTimeout(10);
    if (again !== undefined) process.stderr.write("again\n");
    const result = ["r".repeat(Number(bytes))];
    if (command.name() === "pipeline")
      await writeLines(
        "-",
        (async function* () {
          yield* result;
        })(),
        (line) => line,
      );
    else process.stdout.write(`${result[0]}\n`);
  });

void run(new Command("smaug").addCommand(command), process.argv);
