import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot, packageVersion } from "../../src/base/package";

const main = join(packageRoot, "dist/cli/main.js");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "smaug-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function reproduce(...args: string[]) {
  const options = { encoding: "utf8", cwd: folder, env: { ...process.env, DEBUG: "" } } as const;
  return spawnSync(process.execPath, [main, "reproduce", "--preset", "smoke", ...args], options);
}

function write(name: string, ...lines: (string | object)[]): string {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  writeFileSync(join(folder, name), texts.join("\n"));
  return name;
}

const row = (i: number) => ({
  prompt: `Tom has ${i} <pens> & buys 3. How many?`,
  chosen: ` ${i} + 3 = ${i + 3}. #### ${i + 3}`,
  rejected: ` ${i} + 3 = ${i + 5}. #### ${i + 3}`,
});

describe("a run on generated problems", () => {
  let stdout: string;
  let stderr: string;
  beforeAll(() => {
    const run = reproduce("--seed", "3", "--out", "runs/first");
    expect(run.status, run.stderr).toBe(0);
    ({ stdout, stderr } = run);
  });

  test("shows a line per phase, the table, what was measured, and where it is", () => {
    for (const phase of ["reference", "SFT", "DPO", "DPOP"]) {
      expect(stderr).toMatch(new RegExp(`^${phase} +.* steps .*accuracy`, "m"));
    }
    expect(stdout).toMatch(/reference +SFT +DPO +DPOP/);
    expect(stdout).toMatch(/after the first difference( +-\d+\.\d{3}){4}\n/);
    expect(stdout).toMatch(/answered rightly( +\d+\.\d%){4}\n/);
    expect(stdout).toMatch(/^DPO (made|did not make) the chosen answers less likely/m);
    expect(stdout).toMatch(/runs\/first\/report\.html\nruns\/first\/summary\.json\n$/);
  });

  test("leaves the report and the summary, and nothing else", () => {
    const out = join(folder, "runs/first");
    expect(readdirSync(out).sort()).toEqual(["report.html", "summary.json"]);
    const summary = JSON.parse(readFileSync(join(out, "summary.json"), "utf8"));
    expect(summary).toMatchObject({ seed: 3, seconds: expect.any(Number) });
    expect(summary.versions).toMatchObject({ smaug: packageVersion(), libtorch: expect.any(String) });
    for (const method of ["reference", "sft", "dpo", "dpop"]) {
      expect(summary[method]).toEqual({
        chosen_logp: expect.any(Number),
        rejected_logp: expect.any(Number),
        token_logp_before: expect.any(Number),
        token_logp_at: expect.any(Number),
        token_logp_after: expect.any(Number),
        accuracy: expect.any(Number),
      });
    }
    expect(readFileSync(join(out, "report.html"), "utf8")).toMatch(/^<!doctype html>[^]*<svg[^]*<\/html>\n$/);
  });

  test("the same seed gives the same numbers in another process; --json prints the summary", () => {
    const again = reproduce("--seed", "3", "--out", "runs/again", "--json");
    expect(again.status).toBe(0);
    const first = JSON.parse(readFileSync(join(folder, "runs/first/summary.json"), "utf8"));
    expect(again.stdout).toBe(readFileSync(join(folder, "runs/again/summary.json"), "utf8"));
    expect({ ...JSON.parse(again.stdout), seconds: 0 }).toEqual({ ...first, seconds: 0 });
  });
});

test("a user's rows: refused ones are listed, the others used", () => {
  const same = { prompt: "p", chosen: "same", rejected: "same" };
  const file = write("pairs.jsonl", ...Array.from({ length: 30 }, (_, i) => row(i)), same);
  const { status, stderr } = reproduce("--data", file, "--out", "runs/pairs");
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/1 of 31 rows cannot be trained on[^\n]*\n {2}row 30: the two answers are identical\n/);
  const summary = JSON.parse(readFileSync(join(folder, "runs/pairs/summary.json"), "utf8"));
  expect(summary).toMatchObject({ data: "pairs.jsonl", rows: { sft: 27, held_out: 3, refused: 1 } });
  expect(readFileSync(join(folder, "runs/pairs/report.html"), "utf8")).toContain("&lt;pens&gt; &amp; buys");
});

test("two rows are enough", () => {
  expect(reproduce("--data", write("two.jsonl", row(1), row(2)), "--out", "runs/two").status).toBe(0);
});

describe("bad input ends with 2 and one message, and leaves no folder", () => {
  const long = { ...row(1), chosen: "1 ".repeat(600) };
  const cases: [name: string, args: () => string[], message: RegExp][] = [
    ["a missing file", () => ["--data", "nowhere.jsonl"], /data file at 'nowhere\.jsonl', but there is no such file/],
    [
      "a line that is not JSON",
      () => ["--data", write("a.jsonl", row(1), "{oops")],
      /JSON in 'a\.jsonl', line 2 but received \{oops/,
    ],
    [
      "a missing key",
      () => ["--data", write("b.jsonl", row(1), { prompt: "p", chosen: "c" })],
      /'rejected' in 'b\.jsonl', line 2/,
    ],
    ["an empty file", () => ["--data", write("c.jsonl")], /at least one row in 'c\.jsonl' but received none/],
    [
      "no row to train on",
      () => ["--data", write("d.jsonl", { ...row(1), chosen: "" }, long)],
      /'d\.jsonl', but 2 of 2 rows[^]*row 0: the chosen answer is empty\n {2}row 1: .* \d+ tokens, more than 512/,
    ],
    ["a single prompt", () => ["--data", write("e.jsonl", row(1))], /at least two different prompts in 'e\.jsonl'/],
    ["a seed that is no number", () => ["--seed", "x"], /'--seed <n>' argument 'x' is invalid/],
    ["a negative seed", () => ["--seed=-1"], /'--seed <n>' argument '-1' is invalid/],
    ["an unknown preset", () => ["--preset", "slow"], /Allowed choices are quick, smoke/],
  ];

  test.each(cases)("%s", (_, args, message) => {
    const { status, stdout, stderr } = reproduce("--out", "runs/bad", ...args());
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(message) });
    expect(existsSync(join(folder, "runs/bad"))).toBe(false);
  });

  test("a file where the folder should be", () => {
    const { status, stderr } = reproduce("--out", join(write("taken"), "deeper"));
    expect(status).toBe(2);
    expect(stderr).toMatch(/Expected a folder for '--out' but '.*taken' is a file/);
  });
});
