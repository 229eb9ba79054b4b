import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveConfig, toSnakeCase } from "../../src/cli/trainConfig";
import { InputError } from "../../src/native/errors";

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
  const paths = ["model_name_or_path", "adapter_name_or_path", "ref_adapter_name_or_path", "dataset_name", "output_dir", "reference_cache", "resume_from_checkpoint"];
  const config = read([file(paths.map((key) => `${key}: ~/some/${key}`).join("\n"))]);
  for (const key of paths) expect(config[key], key).toBe(join(homedir(), "some", key));
  expect(read([yaml("output_dir: a~/b")])["output_dir"]).toBe("a~/b");
});

describe("values", () => {
  test("are TRL's defaults but for the paper's loss where nothing is given", () => {
    const { config, notes, given } = resolveConfig(needed);
    expect(toSnakeCase(config)).toMatchObject({
      loss_type: ["dpop"], beta: 0.3, dpop_lambda: 50, learning_rate: 5e-5, max_length: 1024, lora_r: 16, lora_alpha: 32,
      num_train_epochs: 3, device: null, bf16: null, resume_from_checkpoint: null, report_to: "tensorboard",
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
    [["--simpo_gamma", "-.5"], { simpo_gamma: -0.5 }],
    [["--learning_rate=1e-5"], { learning_rate: 1e-5 }],
    [["--learning-rate", "1e-5", "--use-peft"], { learning_rate: 1e-5, use_peft: true }],
    [["--output_dir=runs/a=b"], { output_dir: "runs/a=b" }],
    [["--output_dir", "a folder, with: signs #1"], { output_dir: "a folder, with: signs #1" }],
    [["--loss_type", "sigmoid,sft", "--loss_weights", "1,0.5"], { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5] }],
    [["--lora_target_modules=q_proj v_proj"], { lora_target_modules: ["q_proj", "v_proj"] }],
    [["--lr_scheduler_kwargs", '{"num_cycles": 2}'], { lr_scheduler_kwargs: { num_cycles: 2 } }],
    [["--max_length", "null"], { max_length: null }],
    [["--max_length", "2"], { max_length: 2 }],
    [["--ld_alpha", "null"], { ld_alpha: null }],
    [["--dpop_tolerance", "0"], { dpop_tolerance: 0 }],
    [["--resume_from_checkpoint"], { resume_from_checkpoint: true }],
    [["--resume_from_checkpoint", "out/checkpoint-5"], { resume_from_checkpoint: "out/checkpoint-5" }],
    ...["cpu", "cuda", "cuda:0", "cuda:12"].map((device): [string[], object] => [["--device", device], { device }]),
  ])("of a command line: %j", (args, expected) => {
    expect(read([...needed, ...args])).toMatchObject(expected);
  });

  test.each<[string, object]>([
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
    ["load_best_model_at_end: true", { load_best_model_at_end: true }],
    ["lr_scheduler_kwargs: { min_lr: 1.0e-6 }", { lr_scheduler_kwargs: { min_lr: 1e-6 } }],
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
    [["--device", "gpu"], /^Expected cpu, cuda or cuda:N for 'device' but received "gpu"$/],
    [["--device", "cuda:"], /'device' but received "cuda:"/],
    [["--device=CPU"], /'device' but received "CPU"/],
    [["--device"], /'device' but received true/],
    [["--beta", "0"], /Expected a number above 0 for 'beta' but received "0"/],
    [["--beta", "NaN"], /Expected a number above 0 for 'beta'/],
    [["--use_peft", "maybe"], /Expected true or false for 'use_peft' but received "maybe"/],
    [["--lora_r", "1.5"], /Expected an integer from 1 for 'lora_r'/],
    [["--lr_scheduler_kwargs", "{"], /Expected names with values for 'lr_scheduler_kwargs'/],
    [["--learning_rte", "1"], /^Unknown key 'learning_rte' in the command line; did you mean 'learning_rate'\?$/],
    [["--colour", "red"], /^Unknown key 'colour' in the command line$/],
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
    ["lora_rank: 8", /Unknown key 'lora_rank' in .*\.yaml; did you mean 'lora_r'\?/],
  ])("in a file: %j", (text, message) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });

  test.each<[string, RegExp]>([
    ["", /Expected keys with values in .* but received an empty file/],
    ["- beta", /Expected keys with values/],
    ["dataset_name: pairs.jsonl", /Expected 'model_name_or_path' in .*\.yaml but received none: a folder/],
    ["model_name_or_path: base", /Expected 'dataset_name' in .*\.yaml but received none: a JSONL/],
  ])("as a file of its own: %j", (text, message) => {
    expect(failure([file(text)]).message).toMatch(message);
  });

  test("where there is no file", () => {
    expect(failure([join(folder, "nowhere.yaml")]).message).toMatch(/Expected a configuration at .*nowhere\.yaml but there is none/);
    expect(failure([folder]).message).toMatch(/Expected a configuration at .* but received a folder/);
  });
});

describe("keys of TRL that are no settings", () => {
  test.each<[string, string]>([
    ["precompute_ref_log_probs: true", "makes no difference here"],
    ["gradient_checkpointing_kwargs: { use_reentrant: false }", "makes no difference here"],
    ["label_pad_token_id: -100", "makes no difference here"],
    ["force_use_ref_model: true", "makes no difference here"],
    ["group_by_length: true", "makes no difference here: batches are packed"],
    ["logging_dir: logs", "makes no difference here: TensorBoard events go to output_dir/runs"],
    ["fp16: false", "makes no difference here"],
    ["fsdp: []", "makes no difference here"],
    ["no_cuda: false", "makes no difference here"],
    ["reference_free: false", "makes no difference here"],
    ["rpo_alpha: null", "makes no difference here"],
    ["max_prompt_length: null", "makes no difference here"],
    ["env: {}", "makes no difference here"],
  ])("%s passes with a note", (text, note) => {
    const { notes } = resolveConfig([yaml(text)]);
    expect(notes).toEqual([expect.stringContaining(note)]);
    expect(notes[0]).toMatch(new RegExp(`^${text.split(":")[0]} \\(.*\\.yaml\\) `));
  });

  test("pass on the command line too, where values are strings", () => {
    const { notes } = resolveConfig([...needed, "--push_to_hub", "false", "--eval_delay=0", "--deepspeed", "null"]);
    expect(notes.map((note) => note.split(" ")[0])).toEqual(["push_to_hub", "eval_delay", "deepspeed"]);
  });

  test.each<[string, RegExp]>([
    ["max_prompt_length: 512", /use max_length/],
    ["max_completion_length: 512", /use max_length/],
    ["reference_free: true", /such as simpo or orpo, as loss_type/],
    ["rpo_alpha: 1.0", /use loss_type: \[sigmoid, sft\] with loss_weights/],
    ["evaluation_strategy: steps", /use eval_strategy/],
    ["no_cuda: true", /set device: cpu/],
    ["use_cpu: true", /set device: cpu/],
    ["tokenizer_name: other", /the one in the model's folder/],
    ["env: { A: b }", /set environment variables where the command is started/],
    ["fp16: true", /use bf16 or float32/],
    ["deepspeed: zero3.json", /one process trains on one device/],
    ["sync_ref_model: true", /not supported$/],
  ])("%s is refused with the way out", (text, way) => {
    const error = failure([yaml(text)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(new RegExp(`^Expected no '${text.split(":")[0]}' in .*\\.yaml but received .*: it is TRL's and not supported`));
    expect(error.message).toMatch(way);
  });
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
    expect(resolveConfig([path]).notes).toEqual([`dtype (${path}) is read as bf16: true`]);
    expect(read([path, "--bf16", "false"])).toMatchObject({ bf16: false });
    expect(read([yaml("bf16: true"), "--torch_dtype", "float32"])).toMatchObject({ bf16: false });
  });

  test("of other widths are refused", () => {
    expect(failure([yaml("torch_dtype: float16")]).message).toMatch(/^Expected no 'torch_dtype' in .* "float16".*use bf16$/);
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

  test.each(["wandb", "[wandb]", "[tensorboard, mlflow]", "trackio", "comet_ml", "swanlab", "'tensorboard,wandb'"])("%s is refused", (text) => {
    const error = failure([yaml(`report_to: ${text}`)]);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/'report_to' in .*\.yaml .*(wandb|mlflow|trackio|comet_ml|swanlab) is TRL's and not supported; metrics\.jsonl/);
  });

  test.each(["tensorbord", "[none, tensorboard]", "[1]"])("%s is no tracker's name", (text) => {
    expect(failure([yaml(`report_to: ${text}`)]).message).toMatch(/^Expected tensorboard, none, all for 'report_to'/);
  });
});

test.each(["output_dir", "reference_cache", "resume_from_checkpoint"])("a path with the character NUL in it is refused: %s", (key) => {
  const error = failure([yaml(`${key}: "a\\0b"`)]);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toMatch(new RegExp(`string for '${key}' in .* but received "a..u0000b"`.replace("..", "\\\\")));
});
