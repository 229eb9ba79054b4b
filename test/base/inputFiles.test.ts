import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { parseJson, readInput, readInputJson } from "../../src/base/files/inputFiles";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "smaug-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("a named pipe, a device and a folder are refused at once", () => {
  const pipe = join(folder, "config.json");
  execFileSync("mkfifo", [pipe]);
  expect(() => readInput(pipe, "a configuration")).toThrow(`Expected a configuration at ${pipe} but received a named pipe`);
  const device = join(folder, "zero");
  symlinkSync("/dev/zero", device);
  expect(() => readInput(device, "a configuration")).toThrow("received a device");
  expect(() => readInput(folder, "a configuration")).toThrow("received a folder");
});

test("a missing file and one that is too large are named", () => {
  const file = join(folder, "tokenizer.json");
  expect(() => readInput(file, "a tokenizer")).toThrow(`Expected a tokenizer at ${file} but there is none`);
  writeFileSync(file, "12345");
  expect(() => readInput(file, "a tokenizer", { maxBytes: 4 })).toThrow("of at most 4 bytes");
  expect(readInput(file, "a tokenizer", { maxBytes: 5 }).toString()).toBe("12345");
});

test("JSON is limited in depth, and its faults name the file", () => {
  const file = join(folder, "a.json");
  writeFileSync(file, `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  expect(() => readInputJson(file, "a list")).toThrow(`Expected at most 500 levels of lists and objects in ${file}`);
  writeFileSync(file, "[1,");
  expect(() => readInputJson(file, "a list")).toThrow(InputError);
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  expect(() => parseJson(nested(501), "line 3", "a row")).toThrow("line 3");
  expect(parseJson(nested(2), "line 3", "a row")).toEqual({ a: { a: 1 } });
  expect(() => parseJson(nested(500), "line 3", "a row")).not.toThrow();
});
