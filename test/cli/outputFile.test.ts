/** `--out` files of score, data, eval and report: never an input. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataCommand } from "../../src/cli/data/command";
import { evalCommand } from "../../src/cli/eval";
import { expectNoInput, type FileInput } from "../../src/cli/outputFile";
import { reportCommand } from "../../src/cli/report";
import { scoreCommand } from "../../src/cli/score";
import { temporaryFolders } from "../models/folders";
import { runCommand } from "./command";

const folder = temporaryFolders();

const commands = [dataCommand, evalCommand, reportCommand, scoreCommand];

function smaug([name, ...args]: readonly string[]) {
  const command = commands.map((make) => make()).find((each) => each.name() === name)!;
  return runCommand(command, ...args);
}

function inputs(): string {
  const path = folder();
  for (const name of ["model", "adapter", "data", "tasks"]) mkdirSync(join(path, name));
  for (const name of [
    "model/config.json",
    "adapter/metrics.jsonl",
    "data/train.jsonl",
    "rows.jsonl",
    "tasks/gsm8k.jsonl",
    "task.yaml",
  ])
    writeFileSync(join(path, name), "input");
  symlinkSync(join(path, "rows.jsonl"), join(path, "link.jsonl"));
  symlinkSync(join(path, "rows.jsonl"), join(path, "data", "more.txt"));
  return path;
}

test.each<[string, string]>([
  ["score --model M --data rows.jsonl --out link.jsonl", "rows.jsonl"],
  ["score --model model --data data --out model/config.json", "model/config.json"],
  ["score --model model --adapter adapter --data data --out adapter/metrics.jsonl", "adapter/metrics.jsonl"],
  ["score --model model --data data --out data/scores.jsonl", "data/scores.jsonl"],
  ["score --model model --data data --out rows.jsonl", "rows.jsonl"],
  ["data pairs --input data --out data/train.jsonl", "data/train.jsonl"],
  ["data pairs --input rows.jsonl --model model --out model/tokenizer.json", "model/tokenizer.json"],
  ["eval --model model --tasks task.yaml --out task.yaml", "task.yaml"],
  ["eval --model model --tasks gsm8k --data tasks --out tasks/gsm8k.jsonl", "tasks/gsm8k.jsonl"],
  ["eval --model model --tasks gsm8k --data gsm8k=rows.jsonl --out rows.jsonl", "rows.jsonl"],
  ["report adapter --out adapter/metrics.jsonl", "adapter/metrics.jsonl"],
  ["report adapter --data rows.jsonl --out rows.jsonl", "rows.jsonl"],
  ["report adapter --data rows.jsonl --model model --out model/config.json", "model/config.json"],
])("%s is refused", async (line, file) => {
  const path = inputs();
  const before = existsSync(join(path, file)) ? readFileSync(join(path, file), "utf8") : undefined;
  const args = line
    .split(" ")
    .map((word) =>
      word.replace(
        /^(gsm8k=)?((model|adapter|data|tasks)(\/.*)?|\w+\.(jsonl|yaml))$/,
        (_, name = "", place) => `${name}${join(path, place as string)}`,
      ),
    );
  args[0] = line.split(" ")[0]!;
  const { status, stderr } = await smaug(args);
  expect(stderr).toContain("Expected another file for '--out' than for '");
  expect(status).toBe(2);
  expect(existsSync(join(path, file)) ? readFileSync(join(path, file), "utf8") : undefined).toBe(before);
});

test.each<[string, FileInput["kind"], string]>([
  ["a run's report", "model", "adapter/report.html"],
  ["scores next to a run's files", "model", "adapter/scores.jsonl"],
  ["results of tasks in their folder", "tasks", "tasks/results.json"],
  ["a text next to data", "data", "data/notes.txt"],
])("%s may be written again", (_, kind, file) => {
  const path = inputs();
  writeFileSync(join(path, file), '{\n  "results": {}}');
  expect(() =>
    expectNoInput(join(path, file), [{ path: join(path, file.split("/")[0]!), option: "--data", kind }]),
  ).not.toThrow();
});
