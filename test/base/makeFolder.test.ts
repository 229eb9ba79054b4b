import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder, writeWhole } from "../../src/base/files/wholeFiles";
import { RunOutput } from "../../src/train/output/ownership";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "smaug-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("creates the folders that are missing, and returns the outermost of them", () => {
  expect(makeFolder(join(folder, "a", "b"))).toBe(join(folder, "a"));
  expect(makeFolder(join(folder, "a", "b", "c"))).toBe(join(folder, "a", "b", "c"));
  expect(makeFolder(join(folder, "a", "b"))).toBeUndefined();
});

test("a file or a link that leads nowhere in the way is an error", async () => {
  await writeWhole(join(folder, "file"), "");
  symlinkSync("nowhere", join(folder, "link"));
  for (const name of ["file", "file/below", "link"]) expect(() => makeFolder(join(folder, name))).toThrow(/EEXIST|ENOTDIR/);
  writeFileSync(join(folder, "a"), "");
  symlinkSync(folder, join(folder, "loop"));
  expect(makeFolder(join(folder, "loop", "b"))).toBe(join(folder, "loop", "b"));
  expect(existsSync(join(folder, "b"))).toBe(true);
});

// There Node's own mkdir with `recursive` never returns.
test("a file system that takes no folders and answers ENOENT is an error", () => {
  expect(() => makeFolder("/proc/smaug/a")).toThrow("ENOENT");
  const ways = { resume: "", overwrite: "" };
  expect(() => RunOutput.claim({ folder: "/proc/smaug", overwrite: false, resume: null, ways })).toThrow(
    "Expected a folder that can be written to for 'output_dir' but received: ENOENT",
  );
});
