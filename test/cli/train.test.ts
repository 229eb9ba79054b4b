/** `smaug train` and `smaug reference` on a tiny folder. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { referenceCommand, trainCommand } from "../../src/cli/train/command";
import * as models from "../../src/models";
import { Generator } from "../../src/torch";
import { tinyFolder } from "../text/tiny";
import { runCommand, writeTinyLlama } from "./command";

const scratch = mkdtempSync(join(tmpdir(), "smaug-train-cli-"));
const model = tinyFolder();
afterAll(() => [scratch, model].forEach((folder) => rmSync(folder, { recursive: true, force: true })));
afterEach(() => vi.restoreAllMocks());

const rows = Array.from({ length: 9 }, (_, i) => ({ prompt: `hello ${i}?`, chosen: ` yes ${i}`, rejected: ` no ${i + 1}` }));
const jsonl = (list: readonly object[]) => list.map((row) => JSON.stringify(row)).join("\n");
let files = 0;
function file(content: string, name = `file-${++files}`): string {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
}
const newFolder = () => join(scratch, `out-${++files}`);
const data = file(jsonl(rows), "pairs.jsonl");

beforeAll(() => writeTinyLlama(model));

const smaug = (command: "train" | "reference", ...args: string[]) =>
  runCommand(command === "train" ? trainCommand() : referenceCommand(), ...args);

const base = () => ({
  model_name_or_path: model,
  dataset_name: data,
  output_dir: newFolder(),
  reference_cache: join(scratch, "cache"),
  use_peft: true,
  device: "cpu",
  max_steps: 3,
  per_device_train_batch_size: 3,
  logging_steps: 1,
});
const yaml = (settings: object) =>
  file(
    Object.entries(settings)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
      .join("\n"),
    `run-${++files}.yaml`,
  );

describe("smaug train", () => {
  test("runs a TRL file and leaves what PEFT, TensorBoard and people read", async () => {
    const settings = { ...base(), precompute_ref_log_probs: true, push_to_hub: false, report_to: "tensorboard", bf16: false };
    const { status, stdout, stderr } = await smaug("train", yaml(settings));
    expect(stderr).toContain("note: these have no effect: precompute_ref_log_probs, push_to_hub\n");
    expect(status).toBe(0);
    expect(stdout.trim().split("\n")).toEqual([settings.output_dir, join(settings.output_dir, "report.html")]);
    expect(readdirSync(settings.output_dir).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "checkpoint-3",
      "metrics.jsonl",
      "report.html",
      "runs",
      "tokenizer.json",
      "tokenizer_config.json",
      "trainer_state.json",
    ]);
    expect(stderr).toMatch(/start +max \|β ρ\| = /);
    expect(stderr).toContain("\nloss       dpop, β 0.3; learning rate 5e-5\n"); // defaults that are not TRL's
    expect(stderr).toMatch(/step 3 +loss /);
    const [statement] = readFileSync(join(settings.output_dir, "metrics.jsonl"), "utf8").split("\n");
    expect(JSON.parse(statement!)).toMatchObject({
      config: { loss_type: ["dpop"], beta: 0.3, dpop_lambda: 50, learning_rate: 5e-5, max_length: 1024 },
      rows: 9,
    });
  });

  test("trains on answers alone, and prints no β, which does not affect sft's loss", async () => {
    const answers = file(jsonl(rows.map(({ prompt, chosen }) => ({ prompt, completion: chosen }))), "answers.jsonl");
    const settings = { ...base(), dataset_name: answers, loss_type: "sft", max_steps: 1, report_to: "none" };
    const { status, stderr } = await smaug("train", yaml(settings));
    expect(status).toBe(0);
    expect(stderr).toContain("\nloss       sft; learning rate 5e-5\n");
  });

  test("the command line overrides the file, with dashes or underscores", async () => {
    const { stdout } = await smaug(
      "train",
      yaml(base()),
      "--learning-rate=1e-3",
      "--max_steps",
      "7",
      "--use_dora",
      "--print-config",
    );
    expect(JSON.parse(stdout)).toMatchObject({
      learning_rate: 1e-3,
      max_steps: 7,
      use_dora: true,
      output_dir: expect.any(String),
    });
  });

  test("says once that a mixture of experts trains without the auxiliary loss, unless its weight is 0", async () => {
    const folder = tinyFolder();
    const tiny = new models.MixtralForCausalLM(
      {
        model_type: "mixtral",
        architectures: ["MixtralForCausalLM"],
        vocab_size: 264,
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 2,
        num_local_experts: 2,
        num_experts_per_tok: 1,
        max_position_embeddings: 200,
      },
      { generator: new Generator().manualSeed(4) },
    );
    await models.saveModel(tiny, folder);
    tiny.dispose();
    const note = /^note: no auxiliary loss is added for the mixture's router/gm;
    const settings = () => yaml({ ...base(), model_name_or_path: folder, max_steps: 1 });
    const [plain, zero, other] = [
      await smaug("train", settings()),
      await smaug("train", settings(), "--router_aux_loss_coef", "0.0"),
      await smaug("train", settings(), "--router_aux_loss_coef", "0.01"),
    ];
    rmSync(folder, { recursive: true });
    expect([plain.status, plain.stderr.match(note)?.length]).toEqual([0, 1]);
    expect([zero.status, zero.stderr.match(note)]).toEqual([0, null]);
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringContaining("the auxiliary loss of mixtures is not supported yet"),
    ]);
  });

  test("targets of an adapter that the model does not have are named", async () => {
    const { status, stderr } = await smaug(
      "train",
      yaml({ ...base(), max_steps: 1, lora_target_modules: ["q_pro", "v_proj", "w1"] }),
    );
    expect(status).toBe(0);
    expect(stderr).toContain("note: lora_target_modules: no layer of the model is called q_pro, w1; the others are adapted\n");
    const all = await smaug(
      "train",
      yaml({ ...base(), max_steps: 1, lora_target_modules: ["q_proj", "layers.0.self_attn.v_proj"] }),
    );
    expect([all.status, all.stderr]).toEqual([0, expect.not.stringContaining("no layer of the model")]);
  });

  test("--print-config looks for inputs on this machine, their config and the split to evaluate on, as a run does", async () => {
    const both = async (settings: object): Promise<string> => {
      const config = yaml({ ...base(), ...settings });
      const [printed, ran] = [await smaug("train", config, "--print-config"), await smaug("train", config)];
      expect(printed).toEqual({ status: 2, stdout: "", stderr: ran.stderr });
      return printed.stderr;
    };
    const absent = await both({
      model_name_or_path: "./nope",
      adapter_name_or_path: "./none",
      dataset_name: "no.jsonl",
      resume_from_checkpoint: "gone",
    });
    for (const name of ["./nope", "./none", "no.jsonl", "gone"]) expect(absent).toContain(`received "${name}"`);
    expect(await both({ dataset_config: "en" })).toContain("the config 'en'");
    expect(await both({ eval_strategy: "steps" })).toContain("Expected the split 'test' (dataset_test_split)");
    const elsewhere = yaml({ ...base(), model_name_or_path: "owner/model", dataset_name: "owner/data", eval_strategy: "steps" });
    expect(await smaug("train", elsewhere, "--print-config")).toMatchObject({ status: 0, stderr: "" });
  });

  test("--print-config rejects what a run rejects", async () => {
    const settings = {
      ...base(),
      loss_type: "dpop2",
      dpop_placement: "nonsense",
      eval_strategy: "never",
      lr_scheduler_kwargs: { power: 1 },
    };
    const config = yaml(settings);
    const [printed, ran] = [await smaug("train", config, "--print-config"), await smaug("train", config)];
    expect(printed).toEqual({ status: 2, stdout: "", stderr: ran.stderr });
    for (const key of ["loss_type", "dpop_placement", "eval_strategy", "lr_scheduler_kwargs"])
      expect(printed.stderr).toContain(`\n  ${key}: `);
    const inside = await smaug("train", yaml({ ...base(), output_dir: model }), "--print-config");
    expect([inside.status, inside.stderr]).toEqual([2, expect.stringContaining("output_dir")]);
  });

  test("an adapter as the model is the same as its base with adapter_name_or_path; its tokenizer is written to the output", async () => {
    const first = base();
    await smaug("train", yaml(first));
    const adapter = join(scratch, "first");
    cpSync(first.output_dir, adapter, { recursive: true });
    writeFileSync(join(adapter, "chat_template.jinja"), "of the adapter");
    const [named, alone] = [
      { ...base(), adapter_name_or_path: adapter },
      { ...base(), model_name_or_path: adapter, lora_r: 4 },
    ];
    const [one, other] = [await smaug("train", yaml(named)), await smaug("train", yaml(alone))];
    expect([one.status, other.status]).toEqual([0, 0]);
    expect(other.stderr).toContain(`note: lora_r: not used, since the adapter in ${adapter} keeps its own configuration`);
    const weights = ({ output_dir: out }: { output_dir: string }) => readFileSync(join(out, "adapter_model.safetensors"));
    expect(weights(alone)).toEqual(weights(named));
    expect(weights(alone)).not.toEqual(weights(first));
    const json = JSON.parse(readFileSync(join(alone.output_dir, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(json).toMatchObject({ base_model_name_or_path: model, lora_dropout: 0, r: 16 });
    expect(readFileSync(join(alone.output_dir, "chat_template.jinja"), "utf8")).toBe("of the adapter");
    const both = await smaug("train", yaml({ ...base(), model_name_or_path: adapter, adapter_name_or_path: adapter }));
    expect(both).toMatchObject({ status: 2, stderr: expect.stringContaining("which is an adapter itself; name the base") });
    const intoBase = await smaug(
      "train",
      yaml({ ...base(), model_name_or_path: adapter, output_dir: model, overwrite_output_dir: true }),
    );
    expect(intoBase).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`Expected another folder than the base model's for 'output_dir' but received ${model}`),
    });
  });

  test("ensure_weight_tying trains a tied embedding in full; without it the message names the key", async () => {
    const tied = join(scratch, "tied");
    cpSync(model, tied, { recursive: true });
    const tiny = new models.LlamaForCausalLM({
      ...JSON.parse(readFileSync(join(model, "config.json"), "utf8")),
      tie_word_embeddings: true,
    });
    await models.saveModel(tiny, tied);
    tiny.dispose();
    const settings = () => ({ ...base(), model_name_or_path: tied, lora_modules_to_save: ["embed_tokens"] });
    expect(await smaug("train", yaml(settings()))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /^error: Expected true for 'ensure_weight_tying' but received false: 'lora_modules_to_save' names/,
      ),
    });
    const kept = { ...settings(), ensure_weight_tying: true };
    expect(await smaug("train", yaml(kept))).toMatchObject({ status: 0 });
    const json = JSON.parse(readFileSync(join(kept.output_dir, "adapter_config.json"), "utf8")) as object;
    expect(json).toMatchObject({ ensure_weight_tying: true, modules_to_save: ["embed_tokens"] });
  });

  test("needs no file", async () => {
    const args = Object.entries(base()).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const { status, stdout } = await smaug("train", ...args, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ steps: 3, end: "completed" });
  });

  test.each([
    ["Ctrl-C", ["SIGINT"]],
    ["a terminal that is closed (SIGHUP, from the system and from the shell)", ["SIGHUP", "SIGHUP"]],
  ] as const)(
    "%s finishes the step, saves, prints how to resume and exits with 130; the command that it prints resumes the run",
    async (_, signals) => {
      const settings = { ...base(), max_steps: 6 };
      const config = yaml(settings);
      const write = process.stderr.write.bind(process.stderr);
      let asked = false;
      vi.spyOn(process.stderr, "write").mockImplementation(write);
      const running = (async () => {
        const spy = setInterval(() => {
          const metrics = join(settings.output_dir, "metrics.jsonl");
          if (asked || !existsSync(metrics)) return;
          asked = true;
          for (const signal of signals) process.emit(signal, signal);
        }, 1);
        return smaug("train", config).finally(() => clearInterval(spy));
      })();
      const { status, stderr } = await running;
      expect(status).toBe(130);
      const line = /smaug train (.*)/.exec(stderr)![1]!;
      expect(line).toMatch(/--resume_from_checkpoint .*checkpoint-\d$/);
      expect(existsSync(join(settings.output_dir, "adapter_model.safetensors"))).toBe(false);
      const again = await smaug("train", ...line.split(" "));
      expect(again.status).toBe(0);
      expect(again.stderr).toContain("resumed");
      const { log_history: log } = JSON.parse(readFileSync(join(settings.output_dir, "trainer_state.json"), "utf8")) as {
        log_history: { step: number; loss?: number }[];
      };
      expect(log.filter(({ loss }) => loss !== undefined).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  test("a damaged checkpoint is bad input: the file, and the line that resumes from the newest intact one", async () => {
    const settings = { ...base(), max_steps: 4, save_steps: 2 };
    const config = yaml(settings);
    expect((await smaug("train", config)).status).toBe(0);
    const newest = join(settings.output_dir, "checkpoint-4");
    writeFileSync(
      join(newest, "trainer_state.json"),
      readFileSync(join(newest, "trainer_state.json"), "utf8").replace('"epoch": ', '"epoch":  '),
    );
    const { status, stderr } = await smaug("train", config, "--resume_from_checkpoint", "true");
    expect(status).toBe(2);
    const [problem, line] = stderr.trimEnd().split("\n");
    expect(problem).toMatch(
      /^error: Expected \d+ bytes in .*checkpoint-4\/trainer_state.json, as checksums.json says, but received \d+; the file is too long or was replaced\. The newest intact checkpoint is .*checkpoint-2: resume from it with$/,
    );
    expect(line).toBe(`  smaug train ${config} --resume_from_checkpoint ${join(settings.output_dir, "checkpoint-2")}`);
    expect((await smaug("train", ...line!.trim().split(" ").slice(2))).status).toBe(0);
  });

  test("Ctrl-C before the first step keeps the reference computed so far, and says how to go on", async () => {
    const settings = { ...base(), reference_cache: newFolder(), max_tokens_per_batch: 1 };
    const config = yaml(settings);
    const asking = setInterval(() => {
      if (process.listenerCount("SIGINT") === 0 || !existsSync(settings.reference_cache)) return;
      clearInterval(asking); // a second one stops at once
      process.emit("SIGINT");
    }, 1);
    const { status, stderr } = await smaug("reference", config).finally(() => clearInterval(asking));
    expect(status).toBe(130);
    expect(stderr).toContain(`smaug reference ${config}`);
  });

  test("a run shorter than logging_steps logs its last step", async () => {
    const { status, stdout } = await smaug("train", yaml({ ...base(), logging_steps: 10 }), "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      end: "completed",
      train_loss: expect.any(Number),
      report: expect.stringContaining("report.html"),
    });
  });

  test("rows that cannot be trained on are listed and counted", async () => {
    const odd = file(
      jsonl([...rows, { prompt: "a", chosen: " b", rejected: " b" }, { prompt: "a", chosen: "", rejected: " c" }]),
      "odd.jsonl",
    );
    const { status, stderr } = await smaug("train", yaml({ ...base(), dataset_name: odd }));
    expect(status).toBe(0);
    expect(stderr).toContain("2 of 11 rows cannot be trained on");
    expect(stderr).toContain("row 9: the two answers are identical");
  });

  test("rows that were cut are counted", async () => {
    const { stderr } = await smaug("train", yaml({ ...base(), max_length: 11 }));
    expect(stderr).toMatch(
      /train: 9 answers of 9 rows are longer than 11 tokens .* were cut \(keep_start\); 9 without EOS since/,
    );
  });

  test("evaluates on held-out rows, or on another file, whose columns are mapped", async () => {
    const renamed = file(jsonl(rows.map(({ prompt, ...answers }) => ({ question: prompt, ...answers }))), "renamed.jsonl");
    const settings = {
      ...base(),
      dataset_name: renamed,
      column_mapping: { question: "prompt" },
      max_steps: 1,
      eval_strategy: "steps",
      eval_steps: 1,
    };
    const held = await smaug("train", yaml({ ...settings, test_split_size: 2 }));
    expect([held.status, held.stderr]).toEqual([0, expect.stringContaining("7 to train on, 2 to evaluate on")]);
    const other = await smaug("train", yaml({ ...settings, output_dir: newFolder(), eval_dataset_name: renamed }));
    expect([other.status, other.stderr]).toEqual([0, expect.stringContaining("9 to train on, 9 to evaluate on")]);
  });

  test.each<[string, object, string]>([
    ["an unknown key", { lerning_rate: 1 }, "Unknown key 'lerning_rate'"],
    ["its nearest neighbour", { lerning_rate: 1 }, "did you mean 'learning_rate'?"],
    ["TRL's keys that are not supported", { fp16: true }, "Expected no 'fp16' in"],
    ["and the way out", { deepspeed: "ds.json" }, "it is TRL's and not supported; one process trains on one device"],
    ["a value of another type", { learning_rate: "fast" }, "Expected a number from 0 for 'learning_rate'"],
    ["a number out of range", { lora_dropout: 1.5 }, "Expected a number from 0 to below 1 for 'lora_dropout'"],
    ["an unknown loss", { loss_type: "dpo" }, "did you mean 'sigmoid'?"],
    [
      "a setting that the loss does not read",
      { loss_type: "sigmoid", dpop_lambda: 5 },
      "Expected 'dpop_lambda' only with a loss that reads it (dpop)",
    ],
    ["a missing model", { model_name_or_path: null }, "Expected 'model_name_or_path' in"],
    ["a model folder that is not there", { model_name_or_path: "./no/such/folder" }, "no/such/folder"],
    ["data that is not there", { dataset_name: "./none.jsonl" }, "none.jsonl"],
    ["a split that is not there", { eval_strategy: "steps" }, "Expected the split 'test'"],
    ["evaluation data that is not there", { eval_strategy: "steps", eval_dataset_name: "./none.jsonl" }, "none.jsonl"],
    ["layers that are not there", { lora_target_modules: "nope" }, "Expected names of linear layers for 'lora_target_modules'"],
    ["an unknown device", { device: "gpu" }, "or another accelerator of libtorch"],
    ["a device that is not there", { device: "hpu:1" }, "Expected a device that is there for 'device' but received hpu:1;"],
    ["a share of steps that is none", { warmup_steps: 1.5 }, "for 'warmup_steps'"],
    ["the model's folder as output", { output_dir: model }, "Expected another folder than the model's for 'output_dir'"],
    ["schedules that follow a metric", { lr_scheduler_type: "reduce_lr_on_plateau" }, "for 'lr_scheduler_type'"],
  ])("names %s", async (_, changes, message) => {
    const settings = { ...base(), ...changes };
    const { status, stderr } = await smaug("train", yaml(settings));
    expect(stderr).toContain(message);
    expect(status).toBe(2);
    if (settings.output_dir !== model) expect(existsSync(settings.output_dir)).toBe(false);
  });

  test.each<[string, () => string[], RegExp]>([
    ["a file that is not there", () => [join(scratch, "none.yaml")], /Expected a configuration at .*none.yaml but there is none/],
    ["broken YAML", () => [file("a: [1,\nb: 2", "broken.yaml")], /Expected YAML in .*broken.yaml/],
    [
      "a key that stands twice",
      () => [file("seed: 1\nseed: 2", "twice.yaml")],
      /Expected YAML in .*twice.yaml but received: the key 'seed' twice \(line 2\)/,
    ],
    ["an option given twice", () => ["--seed", "1", "--seed", "2"], /xpected --seed once/],
    [
      "broken JSON on a line",
      () => [yaml({ ...base(), dataset_name: file(`${JSON.stringify(rows[0])}\n{"prompt": `, "bad.jsonl") })],
      /bad.jsonl', line 2/,
    ],
    [
      "rows of which none is left",
      () => [yaml({ ...base(), dataset_name: file(jsonl([{ prompt: "a", chosen: " b", rejected: " b" }]), "same.jsonl") })],
      /Expected rows that can be trained on/,
    ],
    [
      "text that is not UTF-8",
      () => {
        writeFileSync(join(scratch, "latin.jsonl"), Buffer.from([0x7b, 0xe9, 0x7d]));
        return [yaml({ ...base(), dataset_name: join(scratch, "latin.jsonl") })];
      },
      /Expected UTF-8 text/,
    ],
    ["an output folder that is a file", () => [yaml({ ...base(), output_dir: file("") })], /Expected a folder for 'output_dir'/],
  ])("exits with 2 for %s", async (_, args, message) => {
    const { status, stderr } = await smaug("train", ...args());
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

describe("the output folder", () => {
  const linesOf = (stderr: string) => [...stderr.matchAll(/^ {2}smaug train (.*)$/gm)].map(([, line]) => line!.split(" "));
  const filesIn = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  const contentsOf = (folder: string) => filesIn(folder).map((name) => [name, readFileSync(join(folder, name), "base64")]);

  test("of a finished run is refused before any work; both lines that are printed work, and a user's files stay", async () => {
    const settings = { ...base(), save_steps: 2 };
    const config = yaml(settings);
    expect((await smaug("train", config)).status).toBe(0);
    writeFileSync(join(settings.output_dir, "notes.txt"), "mine");
    writeFileSync(join(settings.output_dir, "runs", "mine.txt"), "mine");
    const before = contentsOf(settings.output_dir);

    const loading = vi.spyOn(models, "loadModel");
    const refused = await smaug("train", config, "--save-total-limit", "3", "--json");
    expect(loading).not.toHaveBeenCalled();
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain(
      `${settings.output_dir} holds 2 checkpoints up to checkpoint-3 and adapter_model.safetensors`,
    );
    expect(contentsOf(settings.output_dir)).toEqual(before);
    const [resume, overwrite] = linesOf(refused.stderr);
    expect(resume).toEqual([config, "--save-total-limit", "3", "--json", "--resume_from_checkpoint", "true"]);
    expect(overwrite).toEqual([config, "--save-total-limit", "3", "--json", "--overwrite_output_dir", "true"]);

    const resumed = await smaug("train", ...resume!);
    expect(resumed).toMatchObject({ status: 0, stderr: expect.stringContaining("resumed") });
    const overwritten = await smaug("train", ...overwrite!, "--seed", "7", "--save_steps", "1", "--max_steps", "2");
    expect(overwritten.status).toBe(0);
    const events = filesIn(settings.output_dir).filter((name) => name.includes("tfevents"));
    expect(events).toHaveLength(1);
    expect(readdirSync(settings.output_dir).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "checkpoint-1",
      "checkpoint-2",
      "metrics.jsonl",
      "notes.txt",
      "report.html",
      "runs",
      "tokenizer.json",
      "tokenizer_config.json",
      "trainer_state.json",
    ]);
    expect(readFileSync(join(settings.output_dir, "runs", "mine.txt"), "utf8")).toBe("mine");
  });

  test("keeps the earlier run when the new one fails or is stopped before its first step", async () => {
    const settings = base();
    const config = yaml(settings);
    await smaug("train", config);
    const before = contentsOf(settings.output_dir);
    const blocked = join(settings.output_dir, "checkpoint-1"); // a file where the first checkpoint would be
    writeFileSync(blocked, "mine");
    const failed = await smaug("train", config, "--overwrite_output_dir", "true", "--save_steps", "1");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/Expected to write a checkpoint .* is a file/);
    expect(readFileSync(blocked, "utf8")).toBe("mine");
    rmSync(blocked);
    expect(contentsOf(settings.output_dir)).toEqual(before);

    const args = ["--overwrite_output_dir", "true", "--reference_cache", newFolder(), "--max_tokens_per_batch", "1"];
    const asking = setInterval(() => {
      if (!existsSync(args[3]!)) return;
      clearInterval(asking);
      process.emit("SIGINT");
    }, 1);
    const stopped = await smaug("train", config, ...args).finally(() => clearInterval(asking));
    expect(stopped.status).toBe(130);
    expect(linesOf(stopped.stderr)).toEqual([[config, ...args]]);
    expect(contentsOf(settings.output_dir)).toEqual(before);
  });

  test.each<[string, (input: string) => object, string]>([
    [
      "adapter_name_or_path",
      (adapter) => ({ adapter_name_or_path: adapter, use_peft: false, output_dir: `${adapter}/` }),
      "another folder than the adapter's",
    ],
    [
      "ref_adapter_name_or_path",
      (adapter) => ({ ref_adapter_name_or_path: linked(adapter), output_dir: adapter }),
      "another folder than the reference adapter's",
    ],
    [
      "an adapter's checkpoint",
      (adapter) => ({
        adapter_name_or_path: join(adapter, "checkpoint-3"),
        use_peft: false,
        output_dir: adapter,
        overwrite_output_dir: true,
      }),
      "'adapter_name_or_path' reads checkpoint-3 in it",
    ],
    ["model_name_or_path", () => ({ output_dir: join(linked(model), "runs", "new") }), "another folder than the model's"],
    [
      "eval_dataset_name",
      () => {
        const folder = newFolder();
        mkdirSync(folder);
        writeFileSync(join(folder, "train.jsonl"), jsonl(rows));
        return { eval_dataset_name: folder, output_dir: join(folder, "out") };
      },
      "another folder than the data's",
    ],
    [
      "dataset_name",
      () => {
        const folder = newFolder();
        mkdirSync(folder);
        writeFileSync(join(folder, "train.jsonl"), jsonl(rows));
        return { dataset_name: folder, output_dir: join(folder, "out") };
      },
      "another folder than the data's",
    ],
  ])("is never that of %s", async (_, changes, message) => {
    adapter ??= (async () => {
      const settings = base();
      await smaug("train", yaml(settings));
      return settings.output_dir;
    })();
    const folder = await adapter;
    const before = contentsOf(folder);
    const { status, stderr } = await smaug("train", yaml({ ...base(), ...changes(folder) }));
    expect(stderr).toContain(message);
    expect(status).toBe(2);
    expect(contentsOf(folder)).toEqual(before);
  });
  let adapter: Promise<string> | undefined;
  const linked = (to: string) => {
    const path = newFolder();
    symlinkSync(to, path);
    return path;
  };

  test.each(["train", "reference"] as const)("%s is refused as one of several processes", async (command) => {
    const settings = base();
    vi.stubEnv("WORLD_SIZE", "2");
    const { status, stderr } = await smaug(command, yaml(settings)).finally(() => vi.unstubAllEnvs());
    expect(stderr).toContain("WORLD_SIZE is 2");
    expect(status).toBe(2);
    expect(existsSync(settings.output_dir)).toBe(false);
  });
});

describe("smaug reference", () => {
  test("fills the cache and leaves nothing else", async () => {
    const settings = { ...base(), reference_cache: newFolder() };
    mkdirSync(settings.reference_cache);
    const first = await smaug("reference", yaml(settings), "--json");
    expect(JSON.parse(first.stdout)).toMatchObject({ reference_rows: 9, reference_computed: 9 });
    const { stdout } = await smaug("reference", yaml({ ...settings, learning_rate: 1, beta: 0.1 }), "--json");
    expect(JSON.parse(stdout)).toMatchObject({ reference_rows: 9, reference_computed: 0 });
    expect(existsSync(settings.output_dir)).toBe(false);
  });
});
