import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OutputLock } from "../../src/base/files/outputFolder";
import { reproduceCommand } from "../../src/cli/reproduce/command";
import { ReproduceOutput } from "../../src/cli/reproduce/output";
import { readResult } from "../../src/paper/study/run";
import { temporaryFolders } from "../models/folders";
import { runCommand } from "./command";

const folder = temporaryFolders();

const smaug = (...args: string[]) => runCommand(reproduceCommand(), ...args);

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
  expect(JSON.parse(second.stdout)).toMatchObject({ seed: 5, preset: "paper-smoke", dpop: { accuracy: expect.any(Number) } });
});

test("a user's rows are cut into near and far ones, and their refusals listed", async () => {
  const out = join(folder(), "rows");
  const file = join(folder(), "rows.jsonl");
  const rows = Array.from({ length: 24 }, (_, i) => ({
    prompt: `What is ${i}?`,
    chosen: `${i} and one. #### ${i}`,
    rejected: i % 2 === 0 ? `${i} and two. #### ${i}` : "no idea at all",
  }));
  const lines = [...rows, { prompt: "p", chosen: "same", rejected: "same" }].map((row) => JSON.stringify(row));
  writeFileSync(file, lines.join("\n"));
  const { status, stdout, stderr } = await smaug(
    "--preset",
    "paper-smoke",
    "--seeds",
    "1",
    "--no-grid",
    "--data",
    file,
    "--out",
    out,
    "--json",
  );
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/1 of 13 rows cannot be trained on[^\n]*\n {2}row 24: the two answers are identical/);
  expect(stderr).toMatch(/^14 cells for 1 seed/m);
  const { edit_distance: distance, corpora, cells } = JSON.parse(stdout);
  expect(distance.low.mean).toBeLessThan(0.3);
  expect(distance.high.mean).toBeGreaterThan(0.7);
  expect(Object.keys(corpora)).toEqual(["low", "high"]);
  expect(cells).toHaveLength(14);

  const before = readdirSync(join(out, "cells")).map((name) => readFileSync(join(out, "cells", name), "utf8"));
  writeFileSync(file, lines.slice(1).join("\n"));
  const changed = await smaug("--preset", "paper-smoke", "--seeds", "1", "--no-grid", "--data", file, "--out", out);
  expect(changed).toMatchObject({ status: 2, stdout: "" });
  expect(changed.stderr).toMatch(/Expected cells of the same settings .* but .*cells\/seed-0_low_\S*\.json was made with others/);
  expect(changed.stderr).toContain(
    `\n  smaug reproduce --preset paper-smoke --seeds 1 --no-grid --data ${file} --out ${out} --overwrite_output_dir true\n`,
  );
  expect(readdirSync(join(out, "cells")).map((name) => readFileSync(join(out, "cells", name), "utf8"))).toEqual(before);
});

test.each<[string, object | string | null, RegExp]>([
  ["of another preset", { preset: "quick", seed: 0, data: null }, /holds those of preset quick\. Choose another/],
  ["of another seed", { preset: "smoke", seed: 1, data: null }, /holds those of seed 1/],
  ["of other rows", { preset: "smoke", seed: 0, data: "rows.jsonl" }, /holds those of data rows\.jsonl/],
  ["of another program", { preset: 3 }, /summary\.json that smaug reproduce did not write/],
  ["that cannot be read", "{", /summary\.json that smaug reproduce did not write/],
  ["that are missing, next to a report", null, /holds a report\.html and no summary\.json/],
])("results %s are refused before any work, with the line that overwrites them", async (_, summary, refusal) => {
  const out = folder();
  const text = typeof summary === "string" ? summary : JSON.stringify(summary);
  if (summary !== null) writeFileSync(join(out, "summary.json"), text);
  writeFileSync(join(out, "report.html"), "old");
  const { status, stderr } = await smaug("--preset", "smoke", "--out", out);
  expect(status).toBe(2);
  expect(stderr).toMatch(refusal);
  expect(stderr).toContain(`\n  smaug reproduce --preset smoke --out ${out} --overwrite_output_dir true\n`);
  expect(readFileSync(join(out, "report.html"), "utf8")).toBe("old");
  expect(readdirSync(out).sort()).toEqual(summary === null ? ["report.html"] : ["report.html", "summary.json"]);
  if (summary !== null) expect(readFileSync(join(out, "summary.json"), "utf8")).toBe(text);
});

test("a named pipe in place of a summary or a cell is not waited for", async () => {
  const out = folder();
  execFileSync("mkfifo", [join(out, "summary.json")]);
  const { status, stderr } = await smaug("--preset", "smoke", "--out", out);
  expect(status).toBe(2);
  expect(stderr).toContain("summary.json that smaug reproduce did not write");
  await expect(readResult(join(out, "summary.json"), {})).resolves.toBeUndefined();
});

test("results are written again by the same command, and by another one that is to overwrite them", async () => {
  const out = folder();
  writeFileSync(join(out, "summary.json"), JSON.stringify({ preset: "quick", seed: 0, data: null }));
  const { status } = await smaug("--preset", "smoke", "--out", out, "--overwrite-output-dir");
  expect(status).toBe(0);
  expect(readdirSync(out).sort()).toEqual(["report.html", "summary.json"]);
  expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8"))).toMatchObject({
    preset: "smoke",
    made_from: { model: null, data: [] },
  });
  ReproduceOutput.claim(out, { preset: "smoke", seed: 0, model: null, data: [] }, "the line").release();
});

test("the output is not the folder of the rows, or a folder in it, or in use", async () => {
  const data = folder();
  writeFileSync(join(data, "rows.jsonl"), "");
  for (const out of [data, join(data, "out")]) {
    const { status, stderr } = await smaug("--preset", "smoke", "--data", data, "--out", out);
    expect(stderr).toContain("Expected another folder than the data's for '--out'");
    expect(status).toBe(2);
  }
  const lock = OutputLock.acquire(join(data, "used"), "--out");
  const { status, stderr } = await smaug("--preset", "smoke", "--out", join(data, "used"));
  lock.release();
  expect(stderr).toContain("Expected a folder that no other run writes to for '--out'");
  expect(status).toBe(2);
  expect(readdirSync(data)).toEqual(["rows.jsonl"]);
});

test("options that a preset does not read are refused before any work", async () => {
  const out = join(folder(), "none");
  const seeds = await smaug("--seeds", "3", "--out", out);
  expect(seeds.status).toBe(2);
  expect(seeds.stderr).toMatch(/Expected no '--seeds' with '--preset quick'/);
  const model = await smaug("--preset", "paper", "--model", "there", "--out", out);
  expect(model.status).toBe(2);
  expect(model.stderr).toMatch(/Expected '--data' with '--model'/);
  const quick = await smaug("--model", "there", "--data", "rows.jsonl", "--out", out);
  expect(quick.status).toBe(2);
  expect(quick.stderr).toMatch(/Expected no '--model' with '--preset quick'.*take --preset paper/);
  const smoke = await smaug("--preset", "paper-smoke", "--model", "there", "--data", "rows.jsonl", "--out", out);
  expect(smoke.stderr).toMatch(/Expected '--preset paper' with '--model'/);
  const idle = await smaug("--preset", "paper", "--batch-size", "4", "--out", out);
  expect(idle.status).toBe(2);
  expect(idle.stderr).toMatch(/Expected '--model' with '--batch-size'/);
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
  expect(none.stderr).toMatch(/Expected an integer from 1\./);
  expect(existsSync(out)).toBe(false);
});
