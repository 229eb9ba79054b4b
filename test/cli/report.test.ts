import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { reportCommand } from "../../src/cli/report";
import type { Diagnosis } from "../../src/evaluate/diagnosis/diagnose";
import { temporaryFolders } from "../models/folders";
import { folderOf } from "../parity/fixture";
import { writeRun } from "../report/runs";
import { expectWellFormed } from "../report/xml";
import { runCommand } from "./command";

const folder = temporaryFolders();

const smaug = (...args: string[]) => runCommand(reportCommand(), ...args);

test("writes the report of a run into its folder and says what was found", async () => {
  const path = writeRun(join(folder(), "dpo"));
  const { status, stdout, stderr } = await smaug(path);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toBe("The chosen answers fell 11.60 nats below the reference.");
  expect(lines[1]).toMatch(
    /^dpo, after 60 steps: chosen answers at −11\.60 ± 0\.14 nats against the reference \(.*\); rejected answers at −116\.00 nats, 75%/,
  );
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

test("reports a last line that was cut off, on standard error and in the report", async () => {
  const path = writeRun(folder());
  appendFileSync(join(path, "metrics.jsonl"), '{"loss": 0.');
  const { status, stderr } = await smaug(path);
  expect(status).toBe(0);
  expect(stderr).toMatch(/^note: the last line of '.*metrics.jsonl', line \d+, is cut off and was skipped\n$/);
  expect(readFileSync(join(path, "report.html"), "utf8")).toMatch(
    /Note: the last line of .*metrics.jsonl.* is cut off and was skipped/,
  );
});

test("refuses a folder without metrics, no folder, and a folder as --out, and writes nothing", async () => {
  const [path, good] = [folder(), writeRun(folder())];
  expect(await smaug(path)).toEqual({
    status: 2,
    stdout: "",
    stderr: `error: Expected metrics.jsonl or trainer_state.json in '${path}' but received no file; name the output_dir of a run\n`,
  });
  expect(existsSync(join(path, "report.html"))).toBe(false);
  const both = await smaug(good, join(path, "nowhere"), "--out", join(path, "x.html"));
  expect(both).toMatchObject({ status: 2, stderr: expect.stringMatching(/there is none/) });
  expect(existsSync(join(path, "x.html"))).toBe(false);
  expect(await smaug(good, "--out", path)).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/is a folder; name a file/),
  });
  expect(await smaug()).toMatchObject({ status: 2, stderr: expect.stringMatching(/missing required argument 'runs'/) });
});

describe("--svg", () => {
  test("writes every picture as a file of its own", async () => {
    const run = writeRun(join(folder(), "dpo <b>&co"), { evaluateEvery: 20 });
    const pictures = join(folder(), "new", "pictures");
    const { status, stdout } = await smaug(run, "--svg", pictures, "--json");
    expect(status).toBe(0);
    const { svg } = JSON.parse(stdout) as { svg: string[] };
    const files = readdirSync(pictures);
    expect(svg.map((path) => relative(pictures, path)).sort()).toEqual(files.sort());
    const { document } = parseHTML(readFileSync(join(run, "report.html"), "utf8"));
    expect(files).toHaveLength(document.querySelectorAll(".wide svg[role=img], .half svg[role=img]").length);
    expect(files).toContain("chosen-answers-nats-against-the-reference-over-training-steps.svg");
    for (const file of files) {
      const text = readFileSync(join(pictures, file), "utf8");
      expectWellFormed(text);
      expect(text).not.toMatch(/var\(--|currentColor|undefined|NaN/);
      expect(text).toContain("dpo &lt;b&gt;&amp;co"); // in its legend
    }
    expect((await smaug(run, "--svg", pictures)).stdout).toMatch(new RegExp(`\\n${files.length} pictures in .*pictures\\n$`));
  });

  test("refuses a file before any work, and writes nothing", async () => {
    const run = writeRun(folder());
    const file = join(run, "metrics.jsonl");
    const { status, stderr } = await smaug(run, "--svg", file);
    expect({ status, stderr }).toEqual({ status: 2, stderr: `error: Expected a folder for '--svg' but '${file}' is a file\n` });
    expect(existsSync(join(run, "report.html"))).toBe(false);
  });
});

describe("--data", () => {
  const base = folderOf("score", "model");
  const pairs = [
    { prompt: "the sky is", chosen: " blue", rejected: " grey" },
    { prompt: "the sky is", chosen: " blue", rejected: " blue" },
    { prompt: "2 + 2 =", chosen: " four", rejected: " five, <b>" },
  ];
  /** A run with an adapter of the base. */
  function trained(path: string): string {
    cpSync(folderOf("score", "adapter"), writeRun(path), { recursive: true });
    return path;
  }
  function dataOf(rows: readonly object[]): string {
    const file = join(folder(), "pairs.jsonl");
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return file;
  }

  test("adds what the runs did to the answers, token by token, and counts rows that cannot be scored", async () => {
    const root = folder();
    const runs = ["dpo", "dpop"].map((name) => trained(join(root, name)));
    const out = join(root, "compared.html");
    const { status, stdout, stderr } = await smaug(...runs, "--data", dataOf(pairs), "--model", base, "--out", out, "--json");
    expect(status).toBe(0);
    expect(stderr).toContain("row 1: the two answers are identical");
    const { diagnosis } = JSON.parse(stdout) as { diagnosis: Diagnosis & { refused: number } };
    expect(diagnosis.refused).toBe(1);
    expect(diagnosis.pairs.map(({ index }) => index)).toEqual([0, 2]);
    expect(diagnosis.models.map(({ name }) => name)).toEqual(["reference", "dpo", "dpop"]);
    const [reference, dpo, dpop] = diagnosis.models;
    expect(dpo!.chosen.logp - reference!.chosen.logp).toBeCloseTo(dpo!.chosen.change, 9);
    expect({ ...dpop, name: "dpo" }).toEqual(dpo);

    const text = readFileSync(out, "utf8");
    const { document } = parseHTML(text);
    expect([...document.querySelectorAll("h2")].slice(1, 5).map((each) => each.textContent)).toEqual([
      "Before, at and after the first difference",
      "Token by token along the chosen answer",
      "What the change goes with",
      "Samples",
    ]);
    expect(text).toContain("rows that cannot be scored and are left out: 1");
    expect(text).not.toMatch(/undefined|NaN|Infinity|\[object|<script|<img|\bsrc=|\bhref=/);
    const answers = [...document.querySelectorAll(".tokens dd")].map((each) => each.textContent);
    expect(answers).toContain(" five, <b>end");
    // A prompt, and two runs with two answers each, of two pairs.
    expect(answers).toHaveLength(10);
    // Behind the samples' colours: each pair's tokens with their log-probs under the reference and both runs.
    const sample = [...document.querySelectorAll(".tokens + details table")].at(-1)!;
    const tokens = [...sample.querySelectorAll("tbody tr:not(.group)")].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(tokens.every((cells) => cells.length === 4 && cells.slice(1).every((cell) => /^−?\d+\.\d{3}$/.test(cell!)))).toBe(
      true,
    );
    expect(tokens.map(([text]) => text)).toContain("end");
  });

  test("uses a run's own chat template; rejects runs that tokenise a row differently", async () => {
    const chats = dataOf([
      {
        prompt: [{ role: "user", content: "the sky is" }],
        chosen: [{ role: "assistant", content: "blue" }],
        rejected: [{ role: "assistant", content: "grey" }],
      },
    ]);
    const root = folder();
    const [first, second] = ["dpo", "dpop"].map((name) => trained(join(root, name)));
    writeFileSync(join(first!, "chat_template.jinja"), "{% for m in messages %}{{ m.content }}{% endfor %}");
    const tokens = async (...runs: string[]) => {
      const { stdout } = await smaug(...runs, "--data", chats, "--model", base, "--out", join(root, "r.html"), "--json");
      return (JSON.parse(stdout) as { diagnosis: Diagnosis }).diagnosis.models[0]!.chosen.logp;
    };
    expect(await tokens(first!)).not.toBe(await tokens(second!));
    const both = await smaug(first!, second!, "--data", chats, "--model", base, "--out", join(root, "r.html"));
    expect(both).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /tokenise the rows in the same way but dpo and dpop differ in row 0: .* Report them separately/,
      ),
    });
    // Plain text rows do not show the difference.
    expect(await smaug(first!, second!, "--data", dataOf(pairs), "--model", base, "--out", join(root, "r.html"))).toMatchObject({
      status: 0,
    });
  });

  test("says which base is missing", async () => {
    const run = trained(join(folder(), "dpo"));
    const config = join(run, "adapter_config.json");
    const json = JSON.parse(readFileSync(config, "utf8")) as object;
    writeFileSync(config, JSON.stringify({ ...json, base_model_name_or_path: "./models/gone" }));
    expect(await smaug(run, "--data", dataOf(pairs))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`Expected the base of the adapter in ${run} at ./models/gone but there is no such folder`),
    });
  });

  test("says what was found when no JSON is asked for", async () => {
    const run = trained(join(folder(), "dpo"));
    const { status, stdout } = await smaug(run, "--data", dataOf(pairs), "--model", base);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /\nAfter the first difference a chosen token has a mean log-prob of −\d\.\d{3} under dpo, against −\d/,
    );
  });

  test("refuses a run without a model, options without rows, and rows of which none can be scored", async () => {
    const [bare, run] = [writeRun(folder()), trained(join(folder(), "dpo"))];
    const fails = async (wanted: RegExp, ...args: string[]) =>
      expect(await smaug(...args)).toMatchObject({ status: 2, stdout: "", stderr: expect.stringMatching(wanted) });
    await fails(/adapter_config\.json or config\.json, but received neither/, bare, "--data", dataOf(pairs), "--model", base);
    await fails(/Expected '--data' with '--model'/, run, "--model", base);
    await fails(/identical/, run, "--data", dataOf([pairs[1]!]), "--model", base);
    expect(existsSync(join(run, "report.html"))).toBe(false);
  });
});
