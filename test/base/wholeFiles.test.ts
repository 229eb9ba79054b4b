import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { publishFolder, removeAbandoned, StagedFiles, stagingFolder, writeWhole } from "../../src/base/files/wholeFiles";
import { thisProcess } from "../../src/base/processes";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "smaug-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("replaces a file and leaves no temporary", async () => {
  const file = join(folder, "summary.json");
  await writeWhole(file, "one");
  await writeWhole(file, "two");
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(readdirSync(folder)).toEqual(["summary.json"]);
});

test("a failure leaves no temporary", async () => {
  mkdirSync(join(folder, "taken", "full"), { recursive: true }); // a folder cannot be replaced by a file
  await expect(writeWhole(join(folder, "taken"), "text")).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(["taken"]);
});

test("a name as long as names can be is written", async () => {
  await writeWhole(join(folder, "n".repeat(255)), "text");
  expect(readdirSync(folder)).toEqual(["n".repeat(255)]);
});

test("a file that cannot be written leaves the others as they were, and no folder", async () => {
  const out = join(folder, "made", "out");
  const staged = await StagedFiles.in(out);
  await staged.add("a", (file) => file.writeFile("new"));
  await expect(staged.add("b", () => Promise.reject(new Error("disk full")))).rejects.toThrow("disk full");
  await staged.discard();
  expect(existsSync(join(folder, "made"))).toBe(false);
});

test("threads of one process write under different temporary names", async () => {
  const file = join(__dirname, "../../dist/base/files/wholeFiles.js");
  const program = `require("node:worker_threads").parentPort.postMessage(require(${JSON.stringify(file)}).temporaryName())`;
  const nameIn = () =>
    new Promise((resolve, reject) => {
      new Worker(program, { eval: true }).once("message", resolve).once("error", reject);
    });
  const [first, second] = await Promise.all([nameIn(), nameIn()]);
  expect(first).toMatch(/^\.smaug-.*\.tmp$/);
  expect(second).not.toBe(first);
});

test("a published folder replaces another only when asked", () => {
  const target = join(folder, "checkpoint-2");
  const publish = (text: string, options?: { replace?: boolean }) => {
    const staging = stagingFolder(target);
    writeFileSync(join(staging, "state"), text);
    publishFolder(staging, target, options);
  };
  publish("first");
  publish("second");
  expect(readFileSync(join(target, "state"), "utf8")).toBe("first");
  publish("third", { replace: true });
  expect(readFileSync(join(target, "state"), "utf8")).toBe("third");
  expect(readdirSync(folder)).toEqual(["checkpoint-2"]);
});

test("what a killed process left is removed, what a live one writes is not", () => {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  const [mine] = [stagingFolder(join(folder, "x"))];
  const name = mine!.slice(folder.length + 1);
  const gone = name.replace(/^\.smaug-\d+/, `.smaug-${pid}`);
  const reused = name.replace(/^(\.smaug-\d+)-\d+/, "$1-1"); // this pid, but another start
  const elsewhere = gone.replace(/-[0-9a-f]{8}-/, "-00000000-");
  for (const each of [gone, reused, elsewhere]) mkdirSync(join(folder, each));
  writeFileSync(join(folder, ".smaug-notes.tmp"), "a user's");
  removeAbandoned(folder);
  expect(readdirSync(folder).sort()).toEqual([".smaug-notes.tmp", elsewhere, name].sort());
  expect(thisProcess().started).toBeGreaterThan(0);
});

test("a folder that was moved aside by a process killed before the exchange comes back", () => {
  mkdirSync(join(folder, ".smaug-replaced-checkpoint-2"));
  removeAbandoned(folder);
  expect(readdirSync(folder)).toEqual(["checkpoint-2"]);
  mkdirSync(join(folder, ".smaug-replaced-checkpoint-2"));
  removeAbandoned(folder);
  expect(readdirSync(folder)).toEqual(["checkpoint-2"]);
});
