import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomically } from "../../src/data/atomicWrite";

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "smaug-"))));
afterEach(() => rm(folder, { recursive: true }));

test("replaces a file and leaves no temporary", async () => {
  const file = join(folder, "summary.json");
  await writeFileAtomically(file, "one");
  await writeFileAtomically(file, "two");
  expect(await readFile(file, "utf8")).toBe("two");
  expect(await readdir(folder)).toEqual(["summary.json"]);
});

test("a failure leaves no temporary", async () => {
  await mkdir(join(folder, "taken", "full"), { recursive: true }); // a folder cannot be replaced by a file
  await expect(writeFileAtomically(join(folder, "taken"), "text")).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["taken"]);
});
