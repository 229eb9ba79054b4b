import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evalCommand } from "../../src/cli/eval";
import type { EvaluationResults } from "../../src/evaluate";
import { loadModel, saveAdapter } from "../../src/models";
import { lora, loraLayers } from "../../src/nn";
import { noGrad } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { fixture, folderOf } from "../parity/fixture";
import { runCommand } from "./command";

const folder = temporaryFolders();
const model = folderOf("eval", "model");
const data = folderOf("eval", "data");
const harness = fixture<Record<string, { results: Record<string, Record<string, number>> }>>("eval");

const smaug = (...args: string[]) => runCommand(evalCommand(), ...args);

test("an adapter's folder as the model loads its base with the adapter, and uses the adapter's tokenizer", async () => {
  const path = folder();
  using base = await loadModel(model, { adapter: lora({ r: 2, targetModules: ["q_proj"] }) });
  noGrad(() => loraLayers(base).forEach(([, { adapter }]) => adapter.lora_B.weight.normal_(0, 0.5)));
  await saveAdapter(base, path);
  const results = async (...args: string[]) => {
    const { stdout } = await smaug(...args, "--tasks", "winogrande", "--data", data, "--json", "--log-samples");
    const { samples } = JSON.parse(stdout) as EvaluationResults;
    return samples!["winogrande"]!.map((sample) => (sample as unknown as { resps: unknown }).resps);
  };
  const alone = await results("--model", path);
  expect(alone).toEqual(await results("--model", model, "--adapter", path));
  // The base's tokenizer, with a letter prepended to every text.
  const json = JSON.parse(readFileSync(join(model, "tokenizer.json"), "utf8")) as object;
  writeFileSync(join(path, "tokenizer.json"), JSON.stringify({ ...json, normalizer: { type: "Prepend", prepend: "x" } }));
  cpSync(join(model, "tokenizer_config.json"), join(path, "tokenizer_config.json"));
  const own = await results("--model", path);
  expect(own).toEqual(await results("--model", model, "--adapter", path));
  expect(own).not.toEqual(alone);
});

test("prints the table, and writes results in the harness's shape", async () => {
  const out = join(folder(), "results.json");
  const args = ["--model", model, "--tasks", "winogrande,truthfulqa_mc2", "--data", data, "--out", out, "--log-samples"];
  const { status, stdout } = await smaug(...args);
  expect(status).toBe(0);
  const wanted = harness["winogrande"]!.results["winogrande"]!["acc,none"]!;
  expect(stdout).toMatch(new RegExp(`^\\|winogrande +\\| +1\\|none +\\| +5\\|acc +\\|↑\\|${wanted.toFixed(4)}\\|±\\|`, "m"));
  const found = JSON.parse(readFileSync(out, "utf8")) as EvaluationResults;
  expect(Object.keys(found)).toEqual(
    expect.arrayContaining([
      "results",
      "group_subtasks",
      "configs",
      "versions",
      "n-shot",
      "higher_is_better",
      "n-samples",
      "samples",
      "config",
      "date",
    ]),
  );
  expect(found.config).toMatchObject({ model, fewshot_seed: 1234, limit: null, device: "cpu" });
  expect(found.samples!["truthfulqa_mc2"]).toHaveLength(5);
});

test("--json prints the results and nothing else; what was cut is said on standard error", async () => {
  const { status, stdout, stderr } = await smaug(
    "--model",
    model,
    "--tasks",
    "arc_challenge",
    "--data",
    `arc_challenge=${join(data, "arc_challenge")}`,
    "--limit",
    "2",
    "--max-length",
    "100",
    "--num-fewshot",
    "10",
    "--json",
  );
  expect(status).toBe(0);
  const found = JSON.parse(stdout) as EvaluationResults;
  expect(found["n-shot"]).toEqual({ arc_challenge: 10 });
  expect(found["n-samples"]).toEqual({ arc_challenge: { original: 8, effective: 2 } });
  expect(found).not.toHaveProperty("samples");
  expect(stderr).toMatch(/prompts cut on the left to the model's context of 100 tokens: 8 of arc_challenge/);
});

test("leaderboard ends with the average", async () => {
  const { stdout } = await smaug(
    "--model",
    model,
    "--tasks",
    "leaderboard",
    "--data",
    data,
    "--limit",
    "1",
    "--num-fewshot",
    "1",
  );
  expect(stdout).toMatch(/^\|mmlu /m);
  expect(stdout).toMatch(/\nOpen LLM Leaderboard average: \d+\.\d\d\n$/);
});

test("the adapter takes part", async () => {
  const adapter = folder();
  const adapted = await loadModel(model, { adapter: lora({ r: 1 }) });
  noGrad(() => {
    for (const parameter of adapted.parameters()) if (parameter.requiresGrad) parameter.fill_(0.5);
  });
  await saveAdapter(adapted, adapter);
  adapted.dispose();
  const score = async (...more: string[]) => {
    const { stdout } = await smaug("--model", model, "--tasks", "truthfulqa_mc2", "--data", data, "--json", ...more);
    return (JSON.parse(stdout) as EvaluationResults).results["truthfulqa_mc2"]!["acc,none"] as number;
  };
  expect(Math.abs((await score("--adapter", adapter)) - (await score()))).toBeGreaterThan(1e-3);
});

test("--contamination asks whether the model has seen a benchmark", async () => {
  const out = join(folder(), "seen.json");
  const args = ["--model", model, "--contamination", model, "--data", data, "--limit", "2", "--tasks"];
  const { status, stdout } = await smaug(...args, "gsm8k", "--out", out);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^gsm8k +\d\.\d\d of 2 items\n$/);
  const { contamination } = JSON.parse(readFileSync(out, "utf8")) as {
    contamination: Record<string, { scores: number[] }>;
  };
  expect(contamination["gsm8k"]!.scores).toHaveLength(2);
  expect(await smaug(...args, "winogrande")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/Expected one of arc_challenge, /),
  });
  for (const option of ["--num-fewshot", "--fewshot-seed", "--batch-size"])
    expect(await smaug(...args, "gsm8k", option, "3")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`Expected no '${option}' with '--contamination'`),
    });
});

test("an answer that never ends is cut, counted and said", async () => {
  const source = folder();
  writeFileSync(join(source, "rows.jsonl"), '{"q": "Question: Ann has 3 coins", "a": "3"}\n');
  const keys = { dataset_path: "rows.jsonl", test_split: "test", doc_to_text: "q", doc_to_target: "a" };
  const generation = { generation_kwargs: { until: ["\u0001never"], max_gen_toks: 5 } };
  writeFileSync(join(source, "endless.yaml"), JSON.stringify({ task: "endless", ...keys, ...generation })); // JSON is YAML
  const { status, stderr } = await smaug("--model", model, "--tasks", join(source, "endless.yaml"));
  expect(status).toBe(0);
  expect(stderr).toMatch(/answers that did not end within the most tokens they may have: 1 of endless\n/);
});

describe("bad input ends with 2 and one message", () => {
  const args = ["--model", model, "--data", data, "--tasks"];
  test.each([
    ["an unknown task", [...args, "gsm8"], /Expected a task but received 'gsm8'; did you mean 'gsm8k'/],
    ["no task", [...args, ","], /Expected at least one task/],
    ["a device that is not there", [...args, "gsm8k", "--limit", "1", "--device", "cuda:63"], /Expected a device that is here/],
    ["no model", ["--tasks", "gsm8k"], /required option '--model/],
    ["a model that is not there", ["--model", "./nowhere", "--tasks", "gsm8k"], /nowhere/],
    ["a limit of 0", [...args, "gsm8k", "--limit", "0"], /Expected a share between 0 and 1, or an integer of at least 1\./],
    ["a folder for --out", [...args, "gsm8k", "--out", data], /Expected a file for '--out'/],
    ["data for what is no task", ["--model", model, "--tasks", "gsm8k", "--data", "gsm9k=x"], /did you mean 'gsm8k'/],
    ["data for no task among several", [...args, "gsm8k", "--data", "gsm8k=x"], /Expected TASK=SOURCE/],
    [
      "a folder of data that is not there",
      ["--model", model, "--tasks", "gsm8k", "--data", "nowhere"],
      /Expected a folder with the tasks' data at 'nowhere' but there is none/,
    ],
    [
      "data that is not there",
      ["--model", model, "--tasks", "gsm8k", "--data", "gsm8k=./nowhere.jsonl"],
      /Expected a data file at/,
    ],
  ])("%s", async (_, args, message) => {
    const { status, stdout, stderr } = await smaug(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test("faults of the data show before the model is read", async () => {
    const broken = folder();
    cpSync(model, broken, { recursive: true });
    rmSync(join(broken, "model.safetensors"));
    const bad = join(broken, "rows.jsonl");
    writeFileSync(bad, '{"question": 1}\n');
    const run = (...more: string[]) => smaug("--model", broken, "--tasks", "gsm8k", "--num-fewshot", "0", "--data", ...more);
    expect((await run(`gsm8k=${bad}`)).stderr).toMatch(/Expected a text for 'question' but received 1/);
    expect((await run(data)).stderr).toMatch(/model\.safetensors/);
  });

  test("and leaves no results", async () => {
    const source = folder();
    mkdirSync(join(source, "gsm8k"));
    writeFileSync(join(source, "gsm8k", "test.jsonl"), '{"question": 1}\n');
    const out = join(source, "results.json");
    const { status, stderr } = await smaug(
      "--model",
      model,
      "--tasks",
      "gsm8k",
      "--num-fewshot",
      "0",
      "--data",
      source,
      "--out",
      out,
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/Expected a text for 'question' but received 1. In '.*test.jsonl', line 1, read for gsm8k/);
    expect(existsSync(out)).toBe(false);
  });
});
