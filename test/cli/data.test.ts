import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { dataCommand } from "../../src/cli/data";
import { run } from "../../src/cli/run";
import { tinyFolder } from "../text/tiny";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-inspect-"))));
beforeAll(() => void vi.stubEnv("XDG_CACHE_HOME", folder));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void (process.exitCode = 0));

const pairs = [
  { prompt: "a:\n", chosen: "hello\nb", rejected: "c" },
  { prompt: "a:", chosen: "b", rejected: "b" },
  { prompt: "a:", chosen: "bcdefghijk", rejected: "c" },
];

function fileOf(rows: readonly object[]): string {
  const file = join(folder, "pairs.jsonl");
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
  return file;
}

/** What `smaug data …` prints and ends with. */
async function smaug(...args: string[]) {
  const printed = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => ((printed[name] += text), true)),
  );
  await run(new Command("smaug").addCommand(dataCommand()), ["node", "smaug", "data", ...args]);
  for (const spy of spies) spy.mockRestore();
  return { ...printed, status: process.exitCode ?? 0 };
}

test("shows the rows with their mask, lengths, distances and what is wrong", async () => {
  const { status, stdout } = await smaug("inspect", fileOf(pairs), "--model", tinyFolder(), "--max-length", "8");
  expect(status).toBe(0);
  expect(stdout).toContain("<bos>a:↵\n\n  chosen\n│hello│↵\n│b│<eos>│\n  rejected\n│c│<eos>│\n");
  expect(stdout).toContain("chosen tokens: mean 4.5, median 4, 95 % within 5, longest 5\n");
  expect(stdout).toContain(`  5 ${"█".repeat(40)} 1\n`);
  expect(stdout).toMatch(/edit distance between the answers, in tokens of the longer one: mean 0\.78/);
  expect(stdout).toMatch(/\n2 of 3 rows of .* can be trained on; look at these:\n- 1 of 3 rows cannot [^]*row 1: /);
  expect(stdout).toMatch(/\n- 1 answer of 1 row is longer than 8 tokens .*\n$/);
});

test("prints JSON", async () => {
  const { status, stdout } = await smaug("inspect", fileOf(pairs), "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ source: join(folder, "pairs.jsonl"), unit: "words", rows: 3, usable: 2 });
});

test.each([
  [["inspect"], /missing required argument 'source'/],
  [["inspect", "nowhere.jsonl"], /error: Expected a data file at 'nowhere\.jsonl', but there is no such file/],
  [["inspect", "pairs.jsonl", "--max-length", "0", "--model", "."], /Expected an integer above 1/],
  [["inspect", "pairs.jsonl", "--max-length", "8"], /--max-length counts tokens; name .* with --model/],
])("%j is bad usage", async (args, message) => {
  expect(await smaug(...args)).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(message) });
});
