import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { packageRoot } from "../../src/base/package";
import { resolveConfig, toSnakeCase } from "../../src/cli/train/config";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-config-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const needed = ["--model_name_or_path", "base", "--dataset_name", "pairs.jsonl"];

let files = 0;
function file(text: string): string {
  const path = join(folder, `${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const yaml = (text: string) => file(`model_name_or_path: base\ndataset_name: pairs.jsonl\n${text}\n`);
const read = (args: readonly string[]) => toSnakeCase(resolveConfig(args).config);
const failure = (args: readonly string[]): Error => {
  try {
    resolveConfig(args);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`nothing is wrong with ${args.join(" ")}`);
};

test("a leading ~/ in a path is the home folder, as in a shell", () => {
  const paths = [
    "model_name_or_path",
    "adapter_name_or_path",
    "ref_adapter_name_or_path",
    "dataset_name",
    "output_dir",
    "reference_cache",
    "resume_from_checkpoint",
  ];
  const config = read([file(paths.map((key) => `${key}: ~/some/${key}`).join("\n"))]);
  for (const key of paths) expect(config[key], key).toBe(join(homedir(), "some", key));
  expect(read([yaml("output_dir: a~/b")])["output_dir"]).toBe("a~/b");
});

describe("values", () => {
  test("are TRL's defaults but for the paper's loss where nothing is given", () => {
    const { config, notes, given } = resolveConfig(needed);
    expect(toSnakeCase(config)).toMatchObject({
      loss_type: ["dpop"],
      beta: 0.3,
      dpop_lambda: 50,
      learning_rate: 5e-5,
      max_length: 1024,
      lora_r: 16,
      lora_alpha: 32,
      num_train_epochs: 3,
      device: null,
      bf16: null,
      resume_from_checkpoint: null,
      report_to: "tensorboard",
    });
    expect([notes, [...given]]).toEqual([[], ["model_name_or_path", "dataset_name"]]);
  });

  test("of the command line win over those of the file, which win over the defaults", () => {
    const path = yaml("beta: 0.1\nlora_r: 4");
    const { config, given } = resolveConfig([path, "--beta", "0.2", "--max_steps", "7"]);
    expect(config).toMatchObject({ beta: 0.2, loraR: 4, maxSteps: 7, dpopLambda: 50 });
    expect([...given].sort()).toEqual(["beta", "dataset_name", "lora_r", "max_steps", "model_name_or_path"]);
    expect(resolveConfig(["--beta", "0.2", path]).config.beta).toBe(0.2);
  });

  test.each<[string[], object]>([
    [["--use_peft"], { use_peft: true }],
    [["--use_peft", "--lora_r", "2"], { use_peft: true, lora_r: 2 }],
    [["--disable_dropout", "false"], { disable_dropout: false }],
    [["--max_steps", "-1"], { max_steps: -1 }],
    [["--loss_type", "simpo", "--simpo_gamma", "-.5"], { simpo_gamma: -0.5 }],
    [["--learning_rate=1e-5"], { learning_rate: 1e-5 }],
    [["--learning-rate", "1e-5", "--use-peft"], { learning_rate: 1e-5, use_peft: true }],
    [["--output_dir=runs/a=b"], { output_dir: "runs/a=b" }],
    [["--output_dir", "a folder, with: signs #1"], { output_dir: "a folder, with: signs #1" }],
    [["--loss_type", "sigmoid,sft", "--loss_weights", "1,0.5"], { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5] }],
    [["--lr_scheduler_type", "cosine", "--lr_scheduler_kwargs", '{"num_cycles": 2}'], { lr_scheduler_kwargs: { num_cycles: 2 } }],
    [["--lr_scheduler_kwargs", "null"], { lr_scheduler_kwargs: {} }],
    [["--column_mapping", "question=prompt, good = chosen"], { column_mapping: { question: "prompt", good: "chosen" } }],
    [["--column_mapping", "{question: prompt, 'good': \"chosen\"}"], { column_mapping: { question: "prompt", good: "chosen" } }],
    [["--column-mapping", '{"a, b": "prompt"}'], { column_mapping: { "a, b": "prompt" } }],
    [["--column-mapping", "{question: prompt, good: chosen}"], { column_mapping: { question: "prompt", good: "chosen" } }],
    [["--dataset_config", "en", "--eval_dataset_name", "held.jsonl"], { dataset_config: "en", eval_dataset_name: "held.jsonl" }],
    [["--eval-dataset-name", "held", "--eval-dataset-config", "en"], { dataset_config: null, eval_dataset_config: "en" }],
    [["--test_split_size", "0.1"], { test_split_size: 0.1 }],
    [["--max_length", "null"], { max_length: null }],
    [["--max_length", "2"], { max_length: 2 }],
    [["--ld_alpha", "null"], { ld_alpha: null }],
    [["--dpop_tolerance", "0"], { dpop_tolerance: 0 }],
    [["--resume_from_checkpoint"], { resume_from_checkpoint: true }],
    [["--resume_from_checkpoint", "out/checkpoint-5"], { resume_from_checkpoint: "out/checkpoint-5" }],
    ...["cpu", "cuda", "cuda:0", "cuda:12", "xpu", "mps:0", "privateuseone:1"].map((device): [string[], object] => [
      ["--device", device],
      { device },
    ]),
  ])("of a command line: %j", (args, expected) => {
    expect(read([...needed, ...args])).toMatchObject(expected);
  });

  test.each<[string, object]>([
    ["column_mapping: {question: prompt}", { column_mapping: { question: "prompt" } }],
    ["column_mapping: null\ntest_split_size: null", { column_mapping: null, test_split_size: null }],
    ["test_split_size: 100", { test_split_size: 100 }],
    ["learning_rate: 1e-5", { learning_rate: 1e-5 }],
    ['learning_rate: "1e-5"', { learning_rate: 1e-5 }],
    ["learning_rate: 5.0e-06", { learning_rate: 5e-6 }],
    ["loss_type: sigmoid", { loss_type: ["sigmoid"] }],
    ["loss_type: [sigmoid, sft]\nloss_weights: [1, 0.2]", { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.2] }],
    ["lora_target_modules:\n- q_proj\n- v_proj", { lora_target_modules: ["q_proj", "v_proj"] }],
    ['output_dir: "runs/#1: a"', { output_dir: "runs/#1: a" }],
    ["output_dir: 2024", { output_dir: "2024" }],
    ["use_peft: true # all layers", { use_peft: true }],
    ["eval_strategy: no", { eval_strategy: "no" }],
    ["max_length: null", { max_length: null }],
    ["max_length: ~", { max_length: null }],
    ["truncation_mode: keep_end", { truncation_mode: "keep_end" }],
    ["load_best_model_at_end: true\neval_strategy: epoch\nsave_strategy: epoch", { load_best_model_at_end: true }],
    ["lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: { min_lr: 1.0e-6 }", { lr_scheduler_kwargs: { min_lr: 1e-6 } }],
  ])("of a file: %j", (text, expected) => {
    expect(read([yaml(text)])).toMatchObject(expected);
  });

  test("come from JSON too", () => {
    const path = file(JSON.stringify({ model_name_or_path: "base", dataset_name: "pairs.jsonl", beta: 0.1, max_length: null }));
    expect(read([path])).toMatchObject({ model_name_or_path: "base", beta: 0.1, max_length: null });
  });
});

describe("bad input names the key, what is expected and what was found", () => {
  test.each<[string[], RegExp]>([
    [["--max_length", "-5"], /^Expected an integer from 2, or null for 'max_length' but received "-5"$/],
    [["--max_length", "1"], /integer from 2, or null for 'max_length'/],
    [["--max_length", "10.5"], /integer from 2, or null for 'max_length'/],
    [
      ["--device", "gpu"],
      /^Expected cpu, cuda, cuda:N or another accelerator of libtorch \(hip, .*, xpu\) for 'device' but received "gpu"$/,
    ],
    [["--device", "cpu:0"], /'device' but received "cpu:0"/],
    [["--device", "cuda:01"], /'device' but received "cuda:01"/],
    [["--device", "cuda:"], /'device' but received "cuda:"/],
    [["--device=CPU"], /'device' but received "CPU"/],
    [["--device"], /'device' but received true/],
    [["--beta", "0"], /Expected a number above 0 for 'beta' but received "0"/],
    [["--beta", "NaN"], /Expected a number above 0 for 'beta'/],
    [["--use_peft", "maybe"], /Expected true or false for 'use_peft' but received "maybe"/],
    [["--lora_r", "1.5"], /Expected an integer from 1 for 'lora_r'/],
    [["--lr_scheduler_kwargs", "{"], /Expected names with values for 'lr_scheduler_kwargs'/],
    [["--learning_rte", "1"], /^Unknown key 'learning_rte'; did you mean 'learning_rate'\?$/],
    [["--colour", "red"], /^Unknown key 'colour'$/],
    [["--__proto__", "5"], /^Unknown key '__proto__'$/],
    [["--constructor"], /^Unknown key 'constructor'$/],
    [["--beta", "1", "--beta=2"], /Expected --beta once but received it twice/],
    [["a.yaml", "b.yaml"], /Expected one configuration file but received a\.yaml and b\.yaml/],
  ])("on the command line: %j", (args, message) => {
    const error = failure([...needed, ...args]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });

  test.each<[string, RegExp]>([
    ["max_length: -5", /Expected an integer from 2, or null for 'max_length' in .*\.yaml but received -5/],
    ["beta: [1]", /Expected a number above 0 for 'beta' in .*\.yaml but received \[1\]/],
    ["beta: 1\nbeta: 2", /Expected YAML in .*\.yaml but received: the key 'beta' twice \(line 4\)/],
    ["beta: [1", /Expected YAML in .*\.yaml but received: /],
    ["lora_rnk: 8", /^Unknown key 'lora_rnk' in .*\.yaml; did you mean 'lora_r'\?$/],
    ["lora_rank: 8", /^Expected no 'lora_rank' in .*\.yaml but received 8: it is LLaMA-Factory's; write lora_r: 8$/],
    ["sequence_len: 4096", /^Expected no 'sequence_len' in .*\.yaml but received 4096: it is axolotl's; write max_length: 4096$/],
  ])("in a file: %j", (text, message) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });

  test.each<[string, RegExp]>([
    ["", /Expected keys with values in .* but received an empty file/],
    ["- beta", /Expected keys with values in .* but received a list/],
    ["dataset_name: pairs.jsonl", /Expected 'model_name_or_path' in .*\.yaml but received none: a folder/],
    ["model_name_or_path: base", /Expected 'dataset_name' in .*\.yaml but received none: a JSONL/],
  ])("as a file of its own: %j", (text, message) => {
    expect(failure([file(text)]).message).toMatch(message);
  });

  test("where there is no file", () => {
    expect(failure([join(folder, "nowhere.yaml")]).message).toMatch(
      /Expected a configuration at .*nowhere\.yaml but there is none/,
    );
    expect(failure([folder]).message).toMatch(/Expected a configuration at .* but received a folder/);
  });
});

describe("a list", () => {
  const modules = { lora_target_modules: ["q_proj", "v_proj"] };
  test.each<[string[], object]>([
    [["--lora_target_modules", "q_proj", "v_proj"], modules],
    [["--lora_target_modules", "q_proj,v_proj"], modules],
    [["--lora_target_modules", "q_proj, v_proj"], modules],
    [["--lora_target_modules=q_proj v_proj"], modules],
    [["--lora-target-modules=[q_proj,v_proj]"], modules],
    [["--lora_target_modules", "[q_proj,", "v_proj]"], modules],
    [["--lora_target_modules", "[q_proj, v_proj]"], modules],
    [["--lora_target_modules", '["q_proj", "v_proj"]'], modules],
    [["--lora_target_modules", "['q_proj','v_proj']"], modules],
    [["--lora_target_modules", "q_proj", "v_proj", "--use_dora"], { ...modules, use_dora: true }],
    [["--lora_modules_to_save", "lm_head", "embed_tokens"], { lora_modules_to_save: ["lm_head", "embed_tokens"] }],
    [
      ["--loss_type", "sigmoid", "sft", "--loss_weights", "1", "-0.5"],
      { loss_type: ["sigmoid", "sft"], loss_weights: [1, -0.5] },
    ],
    [
      ["--loss_type", "[sigmoid, sft]", "--loss_weights", "[1.0, 5e-1]"],
      { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5] },
    ],
    [["--report_to", "tensorboard", "wandb"], { report_to: "tensorboard" }],
    [["--report_to", "[none]"], { report_to: "none" }],
    [["--report_to", "null"], { report_to: "none" }],
    // A comma within brackets is a regular expression's.
    [
      ["--lora_target_modules", ".*layers\\.[0-9]{1,2}\\.(q|v)_proj"],
      { lora_target_modules: [".*layers\\.[0-9]{1,2}\\.(q|v)_proj"] },
    ],
    [["--lora_target_modules", "k_proj,[qv]_proj{1,1}"], { lora_target_modules: ["k_proj", "[qv]_proj{1,1}"] }],
  ])("of a command line: %j", (args, expected) => {
    expect(read([...needed, "--use_peft", ...args])).toMatchObject(expected);
  });

  test.each([
    "lora_target_modules: [q_proj, v_proj]",
    "lora_target_modules:\n- q_proj\n- v_proj",
    "lora_target_modules: q_proj v_proj",
    'lora_target_modules: "q_proj, v_proj"',
    `lora_target_modules: '["q_proj", "v_proj"]'`,
  ])("of a file: %j", (text) => {
    expect(read([yaml(`use_peft: true\n${text}`)])).toMatchObject(modules);
  });

  test("no key of an object's own is passed over", () => {
    expect(failure([...needed, "--__proto__", "3", "--constructor", "3"]).message).toMatch(
      /__proto__: unknown\n.*constructor: unknown/s,
    );
  });

  test("ends at the file", () => {
    const path = yaml("use_peft: true");
    expect(read(["--lora_target_modules", "q_proj", "v_proj", path])).toMatchObject({ ...modules, model_name_or_path: "base" });
  });
});

test("the file may be named with --config, as for trl", () => {
  expect(read(["--config", yaml("beta: 0.2")])).toMatchObject({ beta: 0.2 });
});

test("activation_checkpointing is the newer name of gradient_checkpointing, and wins as in transformers", () => {
  expect(read([yaml("activation_checkpointing: true")])).toMatchObject({ gradient_checkpointing: true });
  expect(read([yaml("activation_checkpointing: false\ngradient_checkpointing: true")])).toMatchObject({
    gradient_checkpointing: false,
  });
  expect(read([yaml("activation_checkpointing: null\ngradient_checkpointing: true")])).toMatchObject({
    gradient_checkpointing: true,
  });
  expect(failure([yaml("activation_checkpointing: 3")]).message).toMatch(
    /^Expected true or false for 'activation_checkpointing' in .* but received 3$/,
  );
});

describe("everything wrong is reported in one message", () => {
  test("of the file and of the command line", () => {
    const path = yaml(
      "beta: 0\nlearning_rte: 1e-5\nmax_prompt_length: 512\nsequence_len: 4096\nfp16: true\ngroup_by_length: true",
    );
    expect(failure([path, "--lora_r", "x", "--stage", "dpo"]).message.split("\n")).toEqual([
      `Expected a valid configuration in ${path} and on the command line but received one with 7 problems:`,
      "Unknown keys:",
      "  learning_rte: unknown; did you mean 'learning_rate'?",
      "TRL's keys, and what to write instead:",
      "  max_prompt_length: leave it out; use max_length, which limits prompt and answer together",
      "  fp16: write bf16: true (float16 training is not supported; bfloat16 needs no loss scaling)",
      "axolotl's keys, and what to write instead:",
      "  sequence_len: write max_length: 4096",
      "LLaMA-Factory's keys, and what to write instead:",
      "  stage: write --loss_type sigmoid and --max_length 2048 (loss_type and max_length are LLaMA-Factory's defaults)",
      "Invalid values:",
      "  beta: expected a number above 0 but received 0",
      '  lora_r: expected an integer from 1 but received "x"',
      "These have no effect and can stay: group_by_length (batches are packed, without padding)",
    ]);
  });

  test("with conflicts, as if its advice had already been followed", () => {
    const { message } = failure([yaml("rl: ipo\ndpop_lambda: 5\nsave_strategy: best\nnum_epochs: 2")]);
    expect(message).toContain("rl: write loss_type: ipo and beta: 0.1");
    expect(message).toContain(
      "dpop_lambda: expected 'dpop_lambda' only with a loss that reads it (dpop) but received 5 with ipo; leave it out",
    );
    expect(message).toContain("save_strategy: expected 'eval_strategy' steps or epoch with 'save_strategy' best but received no");
  });

  test("without errors that follow from others", () => {
    expect(failure([yaml("eval_strategy: sometimes\nload_best_model_at_end: true")]).message).toMatch(
      /^Expected one of no, steps, epoch for 'eval_strategy'/,
    );
  });

  test("a value of the file that the command line overrides is not read", () => {
    expect(read([yaml("beta: 0\nmax_prompt_length: 3"), "--beta", "0.2", "--max-prompt-length", "null"])).toMatchObject({
      beta: 0.2,
    });
  });
});

describe("what a run would reject is rejected here", () => {
  test.each<[string, RegExp]>([
    ["loss_type: dpop2", /a known loss for 'loss_type' in .* but received "dpop2"; did you mean 'dpop'\?/],
    [
      "dpop_placement: nonsense",
      /^Expected one of inside_beta, inside, outside for 'dpop_placement' in .* but received "nonsense"$/,
    ],
    [
      "f_divergence_type: bogus\nloss_type: sigmoid",
      /^Expected one of reverse_kl, .* for 'f_divergence_type' in .* but received "bogus"/,
    ],
    ["loss_type: ipo\nlabel_smoothing: 0.1", /'label_smoothing' only with a loss that reads it/],
    ["loss_type: sft\nld_alpha: 0.5", /'ld_alpha' only with a loss that compares two answers.* but received 0.5 with sft; leave/],
    [
      "loss_type: [sft, simpo]\nuse_peft: true\nref_adapter_name_or_path: a",
      /'ref_adapter_name_or_path' only with a loss that reads the reference.* but received "a" with sft, simpo; leave it out/,
    ],
    ["loss_type: ipo\ndpop_tolerance: 0.1", /'dpop_tolerance' only with a loss that reads it \(dpop\)/],
    ["loss_type: [sigmoid, sft]\nloss_weights: [1]", /2 numbers for 'loss_weights'/],
    [
      "lr_scheduler_kwargs: { num_cycles: 2 }",
      /settings of 'linear' \(none\) in 'lr_scheduler_kwargs' in .*\.yaml but received 'num_cycles'/,
    ],
    ["lr_scheduler_type: cosine\nlr_scheduler_kwargs: { num_cycles: .nan }", /for 'num_cycles' .* but received NaN/],
    ["lr_scheduler_type: cosine_with_min_lr", /one of 'min_lr' and 'min_lr_rate'/],
    ["logging_steps: 2.5", /a whole number of steps or a share below 1 for 'logging_steps' in .* but received 2.5/],
    ["warmup_steps: 1.5", /for 'warmup_steps'/],
    ["load_best_model_at_end: true", /'eval_strategy' and 'save_strategy' to be the same/],
    ["eval_strategy: steps\neval_steps: 20\nload_best_model_at_end: true\nsave_steps: 30", /a multiple of 'eval_steps'/],
    ["early_stopping_patience: 2", /'eval_strategy' steps or epoch with 'early_stopping_patience'/],
    ["eval_on_start: true", /'eval_on_start'/],
    ["eval_dataset_name: a\ntest_split_size: 0.1", /one of 'eval_dataset_name' and 'test_split_size'/],
    ["eval_dataset_config: en", /'eval_dataset_name' with 'eval_dataset_config' .* but received only en/],
  ])("%j", (text, message) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });
});

describe("settings of losses", () => {
  test("have one default each, TRL's or the paper's, whichever loss is chosen", () => {
    expect(read([...needed, "--loss_type", "hinge"])).toMatchObject({
      beta: 0.3,
      dpop_lambda: 50,
      dpop_placement: "inside_beta",
      dpop_tolerance: "auto",
      label_smoothing: 0,
      discopop_tau: 0.05,
      f_divergence_type: "reverse_kl",
      f_alpha_divergence_coef: 0.5,
      simpo_gamma: 0.5,
      cpo_alpha: null,
      dpo_shift_factor: 0.95,
      slic_lambda: 0.1,
      use_weighting: false,
      loss_weights: null,
    });
  });

  test("are all checked, whatever the loss reads, without libtorch", () => {
    const wrong = [
      "--loss_type",
      "discopop",
      "--discopop_tau",
      "2",
      "--dpop_placement",
      "nonsense",
      "--f_divergence_type",
      "bogus",
    ];
    const { status, stdout, stderr } = printConfig(wrong);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain('discopop_tau: expected a number above 0 and at most 1 but received "2"');
    expect(stderr).toContain('dpop_placement: expected one of inside_beta, inside, outside but received "nonsense"');
    expect(stderr).toMatch(/f_divergence_type: expected one of reverse_kl, .* but received "bogus"/);
  });

  test("print without libtorch", () => {
    const data = join(folder, "pairs.jsonl");
    writeFileSync(data, '{"prompt": "a", "chosen": "b", "rejected": "c"}');
    const base = ["--model_name_or_path", join(packageRoot, "test/parity/score/model"), "--dataset_name", data];
    const { status, stdout, stderr } = printConfig([...base, "--dpop_lambda", "7", "--dpop-placement", "inside"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ dpop_lambda: 7, dpop_placement: "inside" });
  });

  function printConfig(args: readonly string[]) {
    const main = join(packageRoot, "dist/cli/main.js");
    const env = { ...process.env, DEBUG: "", LIBTORCH: "/nowhere" };
    return spawnSync(process.execPath, [main, "train", "--print-config", ...args], { encoding: "utf8", env });
  }

  test.each(["Infinity", "-1", "NaN", "x"])("dpop_lambda is not %s", (value) => {
    expect(failure([...needed, `--dpop_lambda=${value}`]).message).toBe(
      `Expected a number from 0 for 'dpop_lambda' but received "${value}"`,
    );
  });

  test("a loss with a narrower range than others names it", () => {
    expect(failure([...needed, "--loss_type", "exo_pair"]).message).toBe(
      "Expected a number above 0 (1e-3 is usual) for 'label_smoothing' with exo_pair but received 0",
    );
  });
});

test("a reference adapter is rejected if all weights are trained, but not if the model may be an adapter", () => {
  const settings = ["--dataset_name", "pairs.jsonl", "--ref_adapter_name_or_path", "a", "--model_name_or_path"];
  const model = mkdtempSync(join(folder, "model-"));
  expect(failure([...settings, model]).message).toMatch(/'use_peft' or 'adapter_name_or_path' with 'ref_adapter_name_or_path'/);
  writeFileSync(join(model, "adapter_config.json"), "{}");
  expect(read([...settings, model]).ref_adapter_name_or_path).toBe("a");
  expect(read([...settings, "an/adapter-of-the-hub"]).ref_adapter_name_or_path).toBe("a");
});

test("settings of an adapter without use_peft are named", () => {
  expect(resolveConfig([yaml("lora_r: 4\nuse_dora: true")]).notes).toEqual([
    "these have no effect: lora_r (without use_peft), use_dora (without use_peft)",
  ]);
});

describe("router_aux_loss_coef", () => {
  const model = (config: object) => {
    const path = mkdtempSync(join(folder, "model-"));
    writeFileSync(join(path, "config.json"), JSON.stringify(config));
    return path;
  };
  const given = (config: object, value: unknown) => [
    "--model_name_or_path",
    model(config),
    "--dataset_name",
    "a",
    "--router_aux_loss_coef",
    String(value),
  ];
  const [dense, mixture] = [{ model_type: "llama" }, { model_type: "mixtral", num_local_experts: 8 }];

  test.each<[object, unknown]>([
    [dense, null],
    [mixture, null],
    [mixture, 0],
    [mixture, "0.0"],
  ])("%j takes %j", (config, value) => {
    expect(resolveConfig(given(config, value)).config.routerAuxLossCoef).toBe(value === null ? null : 0);
  });

  test.each<[object, unknown, RegExp]>([
    [
      dense,
      0,
      /Expected null for 'router_aux_loss_coef' with .*, which is not a mixture of experts,.* but received 0; leave it out/,
    ],
    [dense, 0.001, /not a mixture of experts/],
    [
      mixture,
      0.001,
      /Expected 0 for 'router_aux_loss_coef' but received 0.001: the auxiliary loss of mixtures is not supported yet/,
    ],
  ])("%j does not take %j", (config, value, message) => {
    expect(failure(given(config, value)).message).toMatch(message);
  });
});

describe("keys of TRL that are not settings", () => {
  test("pass with one note", () => {
    const text = [
      "precompute_ref_log_probs: true",
      "gradient_checkpointing_kwargs: { use_reentrant: false }",
      "label_pad_token_id: -100",
      "force_use_ref_model: true",
      "group_by_length: true",
      "logging_dir: logs",
      "fp16: false",
      "fsdp: []",
      "no_cuda: false",
      "reference_free: false",
      "rpo_alpha: null",
      "max_prompt_length: null",
      "env: {}",
      "hub_model_id: a/b",
      "ref_model_sync_steps: 64",
      "model_init_kwargs: { use_kernels: true, attn_implementation: sdpa }",
      "streaming: false",
      "datasets: []",
    ];
    expect(resolveConfig([yaml(text.join("\n"))]).notes).toEqual([
      "these have no effect: precompute_ref_log_probs, gradient_checkpointing_kwargs, label_pad_token_id, force_use_ref_model, " +
        "group_by_length (batches are packed, without padding), logging_dir (TensorBoard events go to output_dir/runs), fp16, fsdp, no_cuda, " +
        "reference_free, rpo_alpha, max_prompt_length, env, hub_model_id, ref_model_sync_steps, model_init_kwargs (kernels are chosen automatically), " +
        "streaming, datasets",
    ]);
  });

  test("pass on the command line too, where values are strings", () => {
    const { notes } = resolveConfig([
      ...needed,
      "--push_to_hub",
      "false",
      "--eval_delay=0",
      "--deepspeed",
      "null",
      "--model_init_kwargs",
      '{"use_kernels": true}',
    ]);
    expect(notes).toEqual([
      "these have no effect: push_to_hub, eval_delay, deepspeed, model_init_kwargs (kernels are chosen automatically)",
    ]);
  });

  test.each<[string, RegExp]>([
    ["max_prompt_length: 512", /use max_length/],
    ["max_completion_length: 512", /use max_length/],
    ["reference_free: true", /set loss_type to a reference-free loss, such as simpo or orpo/],
    ["tokenizer_name: other", /the one in the model's folder/],
    ["env: { A: b }", /set environment variables in the shell/],
    ["deepspeed: zero3.json", /one process trains on one device/],
    ["sync_ref_model: true", /the reference is fixed: the model at the start of the run$/],
    ["lora_target_parameters: [a]", /use lora_target_modules, which names layers$/],
    ["neftune_noise_alpha: 5", /not supported$/],
    ["push_to_hub: true", /hf upload/],
    ["streaming: true", /the data set is always read whole/],
    ["datasets: [{ path: a }, { path: b }]", /only one data set is supported/],
    ["datasets: [{ path: a, fraction: 0.5 }]", /only one data set is supported/],
    ["load_in_4bit: true", /use bf16: true/],
    ["model_init_kwargs: { quantization_config: { a: 1 } }", /there is no equivalent of quantization_config/],
  ])("%s is refused with the way out", (text, way) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(
      new RegExp(`^Expected no '${text.split(":")[0]}' in .*\\.yaml but received .*: it is TRL's and not supported`),
    );
    expect(error.message).toMatch(way);
  });

  test.each<[string, string]>([
    ["rpo_alpha: 1.5", "write loss_type: [sigmoid, sft] and loss_weights: [1, 1.5]"],
    ["evaluation_strategy: steps", "write eval_strategy: steps"],
    ["no_cuda: true", "write device: cpu"],
    ["use_cpu: true", "write device: cpu"],
    ["fp16: true", "write bf16: true"],
    ["model_init_kwargs: { revision: v1 }", "write model_revision: v1"],
    ["model_init_kwargs: { dtype: bfloat16 }", "write bf16: true"],
  ])("%s is answered with the equivalent", (text, way) => {
    expect(failure([yaml(text)]).message).toMatch(new RegExp(`: it is TRL's; ${way.replace(/[[\]]/g, "\\$&")}`));
  });

  test("a mixture of one data set is dataset_name", () => {
    const path = file("model_name_or_path: base\ndatasets:\n- path: trl-lib/a\n  name: v2\n  split: train_prefs\n");
    expect(failure([path]).message).toContain(
      "it is TRL's; write dataset_name: trl-lib/a and dataset_config: v2 and dataset_train_split: train_prefs",
    );
  });
});

test("datasets is axolotl's alongside its other keys", () => {
  const { message } = failure([file("base_model: base\ndatasets:\n- path: a/b\n  type: chatml.intel\n")]);
  expect(message).toContain(
    "axolotl's keys, and what to write instead:\n  base_model: write model_name_or_path: base\n  datasets: write dataset_name: a/b",
  );
  expect(message).not.toContain("TRL");
});

describe("dtype and torch_dtype", () => {
  test.each<[string, boolean | null]>([
    ["torch_dtype: bfloat16", true],
    ["dtype: bfloat16", true],
    ["torch_dtype: float32", false],
    ["dtype: float32", false],
    ["dtype: auto", null],
    ["torch_dtype: null", null],
    ["dtype: float32\nbf16: true", true],
    ["bf16: false\ndtype: bfloat16", false],
  ])("%j", (text, bf16) => {
    const { config, notes, given } = resolveConfig([yaml(text)]);
    expect(config.bf16).toBe(bf16);
    expect(given.has("bf16")).toBe(bf16 !== null);
    expect(notes).toHaveLength(1);
  });

  test("are said in a note, and follow the command line over the file", () => {
    const path = yaml("dtype: bfloat16");
    expect(resolveConfig([path]).notes).toEqual(["dtype is read as bf16: true"]);
    expect(read([path, "--bf16", "false"])).toMatchObject({ bf16: false });
    expect(read([yaml("bf16: true"), "--torch_dtype", "float32"])).toMatchObject({ bf16: false });
    // A note says only what is done.
    expect(resolveConfig([path, "--bf16", "false"]).notes).toEqual(["these have no effect: dtype"]);
    expect(resolveConfig([yaml("bf16: true"), "--torch_dtype", "float32"]).notes).toEqual(["torch_dtype is read as bf16: false"]);
  });

  test("of other widths are refused", () => {
    expect(failure([yaml("torch_dtype: float16")]).message).toMatch(
      /^Expected no 'torch_dtype' in .* "float16": it is TRL's; write bf16: true \(only bfloat16, float32 and auto/,
    );
  });
});

describe("report_to", () => {
  test.each<[string, string]>([
    ["tensorboard", "tensorboard"],
    ["[tensorboard]", "tensorboard"],
    ["none", "none"],
    ['["none"]', "none"],
    ["[]", "none"],
    ["all", "all"],
    ["[all]", "all"],
  ])("%s", (text, name) => {
    expect(read([yaml(`report_to: ${text}`)])).toMatchObject({ report_to: name });
  });

  test.each([
    "wandb",
    "[wandb]",
    "[tensorboard, mlflow]",
    "trackio",
    "comet_ml",
    "swanlab",
    "'tensorboard,wandb'",
    "[all, wandb]",
  ])("%s runs, with one note", (text) => {
    const { config, notes } = resolveConfig([yaml(`report_to: ${text}`)]);
    expect(config.reportTo).toBe("tensorboard");
    expect(notes).toEqual([
      expect.stringMatching(
        /^report_to: (wandb|mlflow|trackio|comet_ml|swanlab) is not supported; metrics\.jsonl and TensorBoard events/,
      ),
    ]);
  });

  test.each(["tensorbord", "[none, tensorboard]", "[1]"])("%s is no tracker's name", (text) => {
    expect(failure([yaml(`report_to: ${text}`)]).message).toMatch(/^Expected one of tensorboard, none, all for 'report_to'/);
  });
});

test.each(["output_dir", "reference_cache", "resume_from_checkpoint"])(
  "a path with the character NUL in it is refused: %s",
  (key) => {
    const error = failure([yaml(`${key}: "a\\0b"`)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(new RegExp(`string for '${key}' in .* but received "a..u0000b"`.replace("..", "\\\\")));
  },
);

describe("which rows a run reads", () => {
  test.each([
    [
      "column_mapping: {question: promt}",
      "Expected one of prompt, chosen, rejected, tools, chat_template_kwargs as the new name of 'question'",
    ],
    ["column_mapping: {a: prompt, b: prompt}", "Expected each new name once in column_mapping"],
    [
      "column_mapping: question",
      "Expected names with new names, such as question=prompt or {question: prompt}, for 'column_mapping'",
    ],
    [
      "column_mapping: {question: 3}",
      "Expected names with new names, such as question=prompt or {question: prompt}, for 'column_mapping'",
    ],
    [
      "column_mapping: a=prompt,a=chosen",
      "Expected names with new names, such as question=prompt or {question: prompt}, for 'column_mapping'",
    ],
    ["test_split_size: 1.5", "Expected a share between 0 and 1, or an integer of at least 1 for 'test_split_size'"],
    ["test_split_size: 0", "Expected a share between 0 and 1, or an integer of at least 1 for 'test_split_size'"],
    ["test_split_size: 0.1\neval_dataset_name: held.jsonl", "Expected one of 'eval_dataset_name' and 'test_split_size' in "],
  ])("%j is wrong before any row is read", (text, message) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain(message);
  });
});
