/**
 * What an earlier version wrote (commit 8c081a7, by scripts/parity/earlier.mjs) still works: its checkpoint resumes to the
 * losses and weights of the uninterrupted run, its adapter loads, its token cache is left alone.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { loadModel, loadPreferences, loadTokenizer, SafetensorsFile, scorePreferences, tokenizePairs } from "../../src";
import { tidy } from "../../src/torch";

const root = join(__dirname, "..", "..");
const earlierRun = join(__dirname, "run");
const model = join(root, "test", "parity", "score", "model");
const scratch = mkdtempSync(join(tmpdir(), "smaug-earlier-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface LogLine {
  step: number;
  loss?: number;
  grad_norm?: number;
  "logps/chosen"?: number;
}

const logOf = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8")) as { log_history: LogLine[] }).log_history;

const weightsOf = (folder: string) => {
  const file = new SafetensorsFile(join(folder, "adapter_model.safetensors"));
  return tidy(() => new Map([...file.entries.keys()].map((name) => [name, [...(file.read(name).toArray() as Float32Array)]])));
};

test("its checkpoint resumes to the losses and the weights of the uninterrupted run", async () => {
  const checkpoint = join(scratch, "checkpoint-3");
  cpSync(join(earlierRun, "checkpoint-3"), checkpoint, { recursive: true });
  const out = join(scratch, "out");
  const args = ["train", "test/earlier/run.yaml", "--output_dir", out, "--resume_from_checkpoint", checkpoint];
  const { stderr } = await promisify(execFile)(process.execPath, [join(root, "dist", "cli", "main.js"), ...args], {
    cwd: root,
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  expect(stderr).toContain("after step 3");
  expect(stderr).not.toContain("in the run that is resumed"); // it did not know these settings, which have their defaults

  const [lines, before] = [logOf(out), logOf(earlierRun)];
  expect(lines.map(({ step }) => step)).toEqual(before.map(({ step }) => step));
  lines.forEach((line, i) => {
    for (const name of ["loss", "grad_norm", "logps/chosen"] as const)
      if (before[i]![name] !== undefined) expect(line[name]).toBeCloseTo(before[i]![name]!, 5);
  });
  const weights = weightsOf(out);
  const expected = weightsOf(earlierRun);
  expect([...weights.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) values.forEach((value, i) => expect(weights.get(name)![i]).toBeCloseTo(value, 6));
});

test("its adapter gives the log-probs that it gave then", async () => {
  const before = readFileSync(join(__dirname, "scores.jsonl"), "utf8").trim().split("\n");
  const rows = await loadPreferences(join(__dirname, "pairs.jsonl"));
  const loaded = await loadModel(model, { adapter: earlierRun });
  const { pairs } = await tokenizePairs(rows, await loadTokenizer(model), { cacheDir: null });
  let i = 0;
  for await (const score of scorePreferences(loaded, pairs)) {
    const expected = JSON.parse(before[i++]!) as {
      index: number;
      chosen_logp: number;
      rejected_logp: number;
      chosen_tokens: number;
    };
    expect([score.index, score.chosenTokenLogps.length]).toEqual([expected.index, expected.chosen_tokens]);
    expect(score.chosenLogp).toBeCloseTo(expected.chosen_logp, 4);
    expect(score.rejectedLogp).toBeCloseTo(expected.rejected_logp, 4);
  }
  expect(i).toBe(24);
  loaded.dispose();
});

test("its token cache is neither read nor removed", async () => {
  const cacheDir = join(scratch, "tokens");
  mkdirSync(cacheDir);
  const [name, ...others] = readdirSync(join(__dirname, "tokens"));
  expect(others).toEqual([]);
  cpSync(join(__dirname, "tokens", name!), join(cacheDir, name!));
  const rows = await loadPreferences(join(__dirname, "pairs.jsonl"));
  const tokenizer = await loadTokenizer(model);
  const fresh = await tokenizePairs(rows, tokenizer, { cacheDir: null });
  const cached = await tokenizePairs(rows, tokenizer, { cacheDir });
  expect(cached.pairs).toEqual(fresh.pairs);
  expect(readdirSync(cacheDir)).toHaveLength(2);
  // Under the name of this version's file it counts as damaged.
  const own = readdirSync(cacheDir).find((each) => each !== name)!;
  cpSync(join(__dirname, "tokens", name!), join(cacheDir, own));
  expect((await tokenizePairs(rows, tokenizer, { cacheDir })).pairs).toEqual(fresh.pairs);
});
