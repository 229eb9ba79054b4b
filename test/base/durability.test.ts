/** Every command that writes files does so in an order that no power cut can turn into a loss. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { locate } from "../../src/native/setup/locate";
import { freshHub } from "../hub/fixtures";
import { folderOf } from "../parity/fixture";
import { type FileCall, fileTracer, powerCutFaults } from "../setup/fileTrace";

const root = realpathSync(mkdtempSync(join(tmpdir(), "smaug-durability-")));
const tracer = fileTracer();
afterAll(() => {
  tracer.remove();
  rmSync(root, { recursive: true });
});

const main = join(__dirname, "../../dist/cli/main.js");
const model = folderOf("score", "model");
const pairs = join(root, "pairs.jsonl");
const out = (name: string) => join(root, name);

beforeAll(() => {
  const rows = Array.from({ length: 8 }, (_, i) => ({ prompt: `the sky ${i}`, chosen: " is blue", rejected: ` is grey ${i}` }));
  writeFileSync(pairs, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});

// The caches are traced too; libtorch stays where it is.
const env = {
  XDG_CACHE_HOME: join(root, "caches"),
  LIBTORCH: locate({ env: process.env, python: () => undefined }).libtorch!.folder,
};

async function smaug(...args: string[]): Promise<readonly FileCall[]> {
  const { code, stderr, calls } = await tracer.run([main, ...args], env);
  expect(code, stderr).toBe(0);
  return calls;
}

const training = (folder: string, ...more: string[]) =>
  smaug(
    "train",
    "--model_name_or_path",
    model,
    "--dataset_name",
    pairs,
    "--output_dir",
    folder,
    "--device",
    "cpu",
    "--reference_cache",
    join(root, "reference"),
    "--per_device_train_batch_size",
    "2",
    "--gradient_accumulation_steps",
    "1",
    "--save_steps",
    "2",
    "--save_total_limit",
    "1",
    "--logging_steps",
    "1",
    ...more,
    ...(more.includes("--max_steps") ? [] : ["--max_steps", "6"]),
  );

describe("no power cut loses anything written by", () => {
  test("train: checkpoints, rotation, state, final weights, report, reference store, and again with overwriting", async () => {
    const folder = out("lora");
    const calls = await training(folder, "--use_peft", "true", "--lora_target_modules", "all-linear");
    expect(powerCutFaults(calls, root)).toEqual([]);
    expect(renamedTo(calls)).toEqual(
      expect.arrayContaining([
        join(folder, "checkpoint-2"),
        join(folder, "checkpoint-6"),
        join(folder, "adapter_model.safetensors"),
        join(folder, "trainer_state.json"),
        join(folder, "report.html"),
      ]),
    );
    expect(existsSync(join(folder, "checkpoint-2"))).toBe(false);
    const resumed = await training(
      folder,
      "--use_peft",
      "true",
      "--lora_target_modules",
      "all-linear",
      "--max_steps",
      "8",
      "--resume_from_checkpoint",
      "true",
    );
    expect(powerCutFaults(resumed, root)).toEqual([]);
    const again = await training(
      folder,
      "--use_peft",
      "true",
      "--lora_target_modules",
      "all-linear",
      "--overwrite_output_dir",
      "true",
    );
    expect(powerCutFaults(again, root)).toEqual([]);
  });

  test("train of all weights", async () => {
    const calls = await training(out("full"), "--bf16", "false");
    expect(powerCutFaults(calls, root)).toEqual([]);
    expect(renamedTo(calls)).toContain(join(out("full"), "model.safetensors"));
  });

  test("merge, also over an earlier result", async () => {
    const merge = (...more: string[]) =>
      smaug("merge", "--model", model, "--adapter", folderOf("score", "adapter"), "--out", out("merged"), ...more);
    const calls = await merge();
    expect(powerCutFaults(calls, root)).toEqual([]);
    expect(powerCutFaults(await merge("--overwrite-output-dir"), root)).toEqual([]);
  });

  test("score, data, eval and report", async () => {
    const scored = out("scores.jsonl");
    for (let twice = 0; twice < 2; twice++) {
      const calls = await smaug("score", "--model", model, "--data", pairs, "--out", scored);
      expect(powerCutFaults(calls, root)).toEqual([]);
      expect(renamedTo(calls)).toContain(scored);
    }
    const recipe = await smaug("data", "pairs", "--input", pairs, "--out", out("recipe.jsonl"));
    expect(powerCutFaults(recipe, root)).toEqual([]);
    expect(renamedTo(recipe)).toContain(out("recipe.jsonl"));
    const evaluation = await smaug(
      "eval",
      "--model",
      folderOf("eval", "model"),
      "--tasks",
      "winogrande",
      "--data",
      folderOf("eval", "data"),
      "--out",
      out("results.json"),
    );
    expect(powerCutFaults(evaluation, root)).toEqual([]);
    expect(renamedTo(evaluation)).toContain(out("results.json"));
    const run = out("run");
    mkdirSync(run);
    writeFileSync(
      join(run, "metrics.jsonl"),
      `${JSON.stringify({ config: {} })}\n${JSON.stringify({ loss: 0.5, step: 1, epoch: 1 })}\n`,
    );
    const report = await smaug("report", run, "--out", out("report.html"), "--svg", out("figures"));
    expect(powerCutFaults(report, root)).toEqual([]);
    expect(renamedTo(report)).toContain(out("report.html"));
  });

  test("the paper's study: cells, references, summary and report", async () => {
    const calls = await smaug("reproduce", "--preset", "paper-smoke", "--seeds", "1", "--no-grid", "--out", out("study"));
    expect(powerCutFaults(calls, root)).toEqual([]);
    expect(renamedTo(calls)).toContain(join(out("study"), "summary.json"));
  });
});

test("nor anything written into the hub's cache, which has names of its own for what is incomplete", async () => {
  const { hub, cache } = await freshHub();
  const model = folderOf("score", "model");
  hub.add("models/owner/tiny", Object.fromEntries(readdirSync(model).map((name) => [name, readFileSync(join(model, name))])));
  const { code, stderr, calls } = await tracer.run(
    [main, "score", "--model", "owner/tiny", "--data", pairs, "--out", out("hub.jsonl")],
    env,
  );
  expect(code, stderr).toBe(0);
  const home = realpathSync(join(cache, ".."));
  expect(powerCutFaults(calls, home, { logs: /\.incomplete$/ })).toEqual([]);
  expect(renamedTo(calls).filter((path) => path.startsWith(home)).length).toBeGreaterThan(3);
});

test("nor a model in other shards than before", async () => {
  const folder = out("shards");
  const program = `
    const { LlamaForCausalLM, saveModel } = require(${JSON.stringify(join(__dirname, "../../dist/index.js"))});
    const model = new LlamaForCausalLM({ architectures: ["LlamaForCausalLM"], vocab_size: 32, hidden_size: 16, intermediate_size: 24,
      num_hidden_layers: 1, num_attention_heads: 2 });
    (async () => {
      for (const maxShardSize of [5e9, 3000, 5e9]) await saveModel(model, ${JSON.stringify(folder)}, { maxShardSize });
    })();`;
  const { code, stderr, calls } = await tracer.run(["-e", program], env);
  expect(code, stderr).toBe(0);
  expect(powerCutFaults(calls, root)).toEqual([]);
  expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors"]);
});

describe("the trace finds", () => {
  const judged = async (program: string) => {
    const folder = realpathSync(mkdtempSync(join(root, "trial-")));
    const prelude = `const fs = require("node:fs"); process.chdir(${JSON.stringify(folder)});
      const flush = (path) => { const fd = fs.openSync(path, "r"); fs.fsyncSync(fd); fs.closeSync(fd); };`;
    const { code, stderr, calls } = await tracer.run(["-e", prelude + program]);
    expect(code, stderr).toBe(0);
    return powerCutFaults(calls, folder);
  };

  test.each([
    [
      "nothing where all is flushed in order",
      `fs.writeFileSync(".a", "1"); flush(".a"); fs.renameSync(".a", "a"); flush("."); fs.rmSync("a");`,
      [],
    ],
    [
      "a file written under its final name",
      `fs.writeFileSync("a", "1"); flush("a"); flush(".");`,
      ["a was written under its final name"],
    ],
    [
      "a file renamed before it is flushed",
      `fs.writeFileSync(".a", "1"); fs.renameSync(".a", "a"); flush(".");`,
      ["a: .a was not flushed before it got its name"],
    ],
    [
      "a folder renamed with a file that is not flushed",
      `fs.mkdirSync(".b"); fs.writeFileSync(".b/x", "1"); fs.renameSync(".b", "b"); flush(".");`,
      ["b: .b/x was not flushed before it got its name"],
    ],
    [
      "a rename that is never flushed",
      `fs.writeFileSync(".a", "1"); flush(".a"); fs.renameSync(".a", "a");`,
      ["a could still be lost at the end"],
    ],
    [
      "a removal that comes before the flush of what replaces it",
      `fs.mkdirSync("old"); fs.mkdirSync(".b"); flush(".b"); fs.renameSync(".b", "b"); fs.rmdirSync("old"); flush(".");`,
      ["old was removed while b could still be lost"],
    ],
  ])("%s", async (_, program, faults) => expect(await judged(program as string)).toEqual(faults));
});

const renamedTo = (calls: readonly FileCall[]) => calls.filter(({ call }) => call === "rename").map(({ to }) => to);
