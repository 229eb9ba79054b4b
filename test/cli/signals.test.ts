/** Ctrl-C of commands that leave nothing to resume. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { temporaryFolders } from "../models/folders";
import { folderOf } from "../parity/fixture";

const folder = temporaryFolders();

test.each([
  ["merge", ["--model", folderOf("folders", "single"), "--adapter", folderOf("adapters", "list")], "SIGINT", 130],
  ["reproduce", ["--preset", "smoke"], "SIGTERM", 143],
] as const)("a signal ends smaug %s without a lock or hidden files left", async (command, args, signal, code) => {
  const parent = folder();
  const out = join(parent, "a", "b");
  const child = spawn(process.execPath, [join(__dirname, "../../dist/cli/main.js"), command, ...args, "--out", out], {
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  while (!existsSync(join(out, ".smaug.lock"))) await setTimeout(5);
  child.kill(signal);
  expect(await ended).toEqual([code, null]);
  expect(readdirSync(parent)).toEqual([]);
});

test("a signal that comes once training is done changes no exit code", async () => {
  const root = folder();
  const [late, data] = [join(root, "late.cjs"), join(root, "pairs.jsonl")];
  writeFileSync(late, 'process.once("beforeExit", () => setTimeout(() => undefined, 20_000));'); // time for the signal
  writeFileSync(data, `${JSON.stringify({ prompt: "the sky", chosen: " is blue", rejected: " is grey" })}\n`);
  const args = [
    "--model_name_or_path",
    folderOf("score", "model"),
    "--dataset_name",
    data,
    "--output_dir",
    join(root, "out"),
    "--reference_cache",
    join(root, "cache"),
    "--use_peft",
    "true",
    "--max_steps",
    "1",
    "--device",
    "cpu",
  ];
  const child = spawn(process.execPath, ["--require", late, join(__dirname, "../../dist/cli/main.js"), "train", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data"); // the folder and its report
  await setTimeout(200);
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
