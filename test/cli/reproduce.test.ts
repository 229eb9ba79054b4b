import { existsSync, readFileSync, readdirSync } from "node:fs";
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

test("options that a preset does not read are refused before any work", async () => {
  const out = join(folder(), "none");
  const seeds = await smaug("--seeds", "3", "--out", out);
  expect(seeds.status).toBe(2);
  expect(seeds.stderr).toMatch(/Expected no '--seeds' with '--preset quick'/);
  const none = await smaug("--preset", "paper", "--seeds", "0", "--out", out);
  expect(none.status).toBe(2);
  expect(none.stderr).toMatch(/Expected a positive integer/);
  expect(existsSync(out)).toBe(false);
});
