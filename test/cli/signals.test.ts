/** Ctrl-C of commands that leave nothing to resume. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
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
  const child = spawn(process.execPath, [join(__dirname, "../../dist/cli/main.js"), command, ...args, "--out", out], { stdio: "ignore" });
  const ended = once(child, "exit");
  while (!existsSync(join(out, ".smaug.lock"))) await setTimeout(5);
  child.kill(signal);
  expect(await ended).toEqual([code, null]);
  expect(readdirSync(parent)).toEqual([]);
});
