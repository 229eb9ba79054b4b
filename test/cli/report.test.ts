import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { reportCommand } from "../../src/cli/report";
import { run } from "../../src/cli/run";
import { temporaryFolders } from "../models/folders";
import { writeRun } from "../report/runs";

const folder = temporaryFolders();

afterEach(() => vi.restoreAllMocks());

async function smaug(...args: string[]) {
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => ((printed[name] += String(text)), true));
  vi.spyOn(console, "log").mockImplementation((text: string) => void (printed.stdout += `${text}\n`));
  const before = process.exitCode;
  process.exitCode = 0;
  await run(new Command("smaug").addCommand(reportCommand()), ["node", "smaug", "report", ...args]);
  const status = process.exitCode;
  process.exitCode = before;
  vi.restoreAllMocks();
  return { status, ...printed };
}

test("writes the report of a run into its folder and says what was found", async () => {
  const path = writeRun(join(folder(), "dpo"));
  const { status, stdout, stderr } = await smaug(path);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toBe("The chosen answers fell 11.60 nats below the reference.");
  expect(lines[1]).toMatch(/^dpo, after 60 steps: chosen answers at −11\.60 nats against the reference, rejected ones at −116\.00, 75%/);
  expect(lines[2]).toMatch(/^warning: dpo: the chosen answers end 11\.60 nats/);
  expect(lines[3]).toBe(join(path, "report.html"));
  expect(readFileSync(lines[3]!, "utf8")).toContain("fell 11.60 nats");
});

test("writes the report of several to --out, and prints JSON", async () => {
  const root = folder();
  const runs = ["dpo", "other"].map((name) => writeRun(join(root, name), { chosen: (step) => (name === "dpo" ? -step : step) }));
  const out = join(root, "new", "compared.html");
  const { status, stdout } = await smaug(...runs, "--out", out, "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    out,
    headline: "dpo pushed the chosen answers down. other held them.",
    outcomes: [expect.stringMatching(/^dpo, /), expect.stringMatching(/^other, /)],
    warnings: [expect.stringMatching(/^dpo: /)],
  });
  expect(readFileSync(out, "utf8")).toContain("dpo pushed the chosen answers down");
});

test("refuses a folder without metrics, no folder, and a folder as --out, and writes nothing", async () => {
  const [path, good] = [folder(), writeRun(folder())];
  expect(await smaug(path)).toEqual({
    status: 2,
    stdout: "",
    stderr: `error: Expected metrics.jsonl or trainer_state.json in '${path}' but found no file; name the output_dir of a run\n`,
  });
  expect(existsSync(join(path, "report.html"))).toBe(false);
  const both = await smaug(good, join(path, "nowhere"), "--out", join(path, "x.html"));
  expect(both).toMatchObject({ status: 2, stderr: expect.stringMatching(/there is none/) });
  expect(existsSync(join(path, "x.html"))).toBe(false);
  expect(await smaug(good, "--out", path)).toMatchObject({ status: 2, stderr: expect.stringMatching(/is a folder; name a file/) });
  expect(await smaug()).toMatchObject({ status: 2, stderr: expect.stringMatching(/missing required argument 'runs'/) });
});
