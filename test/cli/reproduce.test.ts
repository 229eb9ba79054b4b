import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { reproduceCommand } from "../../src/cli/reproduce";
import { run } from "../../src/cli/run";
import { temporaryFolders } from "../models/folders";

const folder = temporaryFolders();

afterEach(() => vi.restoreAllMocks());

async function smaug(...args: string[]) {
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => ((printed[name] += String(text)), true));
  vi.spyOn(console, "error").mockImplementation((text: string) => void (printed.stderr += `${text}\n`));
  const before = process.exitCode;
  process.exitCode = 0;
  await run(new Command("smaug").addCommand(reproduceCommand()), ["node", "smaug", "reproduce", ...args]);
  const status = process.exitCode;
  process.exitCode = before;
  vi.restoreAllMocks();
  return { status, ...printed };
}

test("the paper's comparison leaves its cells, a summary and a report, and goes on from what is there", async () => {
  const out = join(folder(), "study");
  const first = await smaug("--preset", "paper-smoke", "--seed", "5", "--seeds", "1", "--out", out);
  expect(first.status).toBe(0);
  expect(first.stderr).toMatch(/^41 cells for 1 seed\n/);
  expect(first.stderr).toMatch(/^warning: The reference of seed 5 \(arithmetic, 0\.14 nats a token\), .* stopped at its limit/m);
  expect(first.stdout).toMatch(/^low edit distance/m);
  expect(first.stdout).toMatch(/0 of the 17 claims agree, 0 disagree, 17 are unclear/);
  expect(first.stdout.endsWith(`${join(out, "report.html")}\n${join(out, "summary.json")}\n`)).toBe(true);
  expect(readdirSync(out).sort()).toEqual(["cells", "references", "report.html", "summary.json"]);
  expect(readdirSync(join(out, "cells"))).toHaveLength(41);

  const second = await smaug("--preset", "paper-smoke", "--seed", "5", "--seeds", "1", "--out", out, "--json");
  expect(second.stderr).toContain(`41 cells for 1 seed; 41 are in ${out} already\n`);
  expect(second.stdout).toBe(readFileSync(join(out, "summary.json"), "utf8"));
  expect(JSON.parse(second.stdout))
    .toMatchObject({ seed: 5, preset: "paper-smoke", dpop: { accuracy: expect.any(Number) } });
});

test("a user's rows are cut into near and far ones, and their refusals listed", async () => {
  const out = join(folder(), "rows");
  const file = join(folder(), "rows.jsonl");
  const rows = Array.from({ length: 24 }, (_, i) => ({ prompt: `What is ${i}?`, chosen: `${i} and one. #### ${i}`,
    rejected: i % 2 === 0 ? `${i} and two. #### ${i}` : "no idea at all" }));
  const lines = [...rows, { prompt: "p", chosen: "same", rejected: "same" }].map((row) => JSON.stringify(row));
  writeFileSync(file, lines.join("\n"));
  const { status, stdout, stderr } =
    await smaug("--preset", "paper-smoke", "--seeds", "1", "--no-grid", "--data", file, "--out", out, "--json");
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/1 of 13 rows cannot be trained on[^\n]*\n {2}row 24: the two answers are identical/);
  expect(stderr).toMatch(/^14 cells for 1 seed/m);
  const { edit_distance: distance, corpora, cells } = JSON.parse(stdout);
  expect(distance.low.mean).toBeLessThan(0.3);
  expect(distance.high.mean).toBeGreaterThan(0.7);
  expect(Object.keys(corpora)).toEqual(["low", "high"]);
  expect(cells).toHaveLength(14);
});

test("options that a preset does not read are refused before any work", async () => {
  const out = join(folder(), "none");
  const seeds = await smaug("--seeds", "3", "--out", out);
  expect(seeds.status).toBe(2);
  expect(seeds.stderr).toMatch(/Expected no '--seeds' with '--preset quick'/);
  const model = await smaug("--preset", "paper", "--model", "there", "--out", out);
  expect(model.status).toBe(2);
  expect(model.stderr).toMatch(/Expected '--data' beside '--model'/);
  const quick = await smaug("--model", "there", "--data", "rows.jsonl", "--out", out);
  expect(quick.status).toBe(2);
  expect(quick.stderr).toMatch(/Expected no '--model' with '--preset quick'.*take --preset paper/);
  const smoke = await smaug("--preset", "paper-smoke", "--model", "there", "--data", "rows.jsonl", "--out", out);
  expect(smoke.stderr).toMatch(/Expected '--preset paper' with '--model'/);
  const idle = await smaug("--preset", "paper", "--batch-size", "4", "--out", out);
  expect(idle.status).toBe(2);
  expect(idle.stderr).toMatch(/Expected '--model' beside '--batch-size'/);
  const grid = await smaug("--no-grid", "--out", out);
  expect(grid.stderr).toMatch(/Expected no '--no-grid' with '--preset quick'/);
  const three = await smaug("--preset", "paper", "--data", "a", "b", "c", "--out", out);
  expect(three.status).toBe(2);
  expect(three.stderr).toMatch(/Expected one or two sources of rows for '--data' but received 3/);
  const missing = await smaug("--preset", "paper", "--data", "nowhere.jsonl", "--model", "nowhere", "--out", out);
  expect(missing.status).toBe(2);
  expect(missing.stderr).toMatch(/nowhere\.jsonl/);
  const device = await smaug("--preset", "paper-large", "--device", "cuda:63", "--out", out);
  expect(device.status).toBe(2);
  expect(device.stderr).toMatch(/Expected a device that is here \(cpu.*\) but received 'cuda:63'/);
  const none = await smaug("--preset", "paper", "--seeds", "0", "--out", out);
  expect(none.status).toBe(2);
  expect(none.stderr).toMatch(/Expected a positive integer/);
  expect(existsSync(out)).toBe(false);
});
