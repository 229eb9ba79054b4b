/** The answers to individual keys of LLaMA-Factory, axolotl and the alignment-handbook. */
import { describe, expect, test } from "vitest";
import { foreignKey } from "../../src/cli/train/keys";

type Config = Record<string, unknown>;

const answer = (key: string, all: Config) => foreignKey(key, all[key], all)!;
/** The settings to write, or undefined for another answer. */
const written = (key: string, all: Config) => {
  const { answer: given } = answer(key, all);
  return given.kind === "write" ? given.settings : undefined;
};

describe("LLaMA-Factory's", () => {
  test.each<[string, Config, Config]>([
    // Its defaults: pref_loss sigmoid, pref_beta 0.1, cutoff_len 2048; lora_rank 8, lora_alpha twice the rank, lora_target all.
    ["stage", { stage: "dpo" }, { loss_type: "sigmoid", beta: 0.1, max_length: 2048 }],
    ["stage", { stage: "dpo", pref_loss: "orpo", cutoff_len: 512 }, { beta: 0.1 }],
    [
      "finetuning_type",
      { finetuning_type: "lora" },
      { use_peft: true, lora_r: 8, lora_alpha: 16, lora_target_modules: "all-linear" },
    ],
    ["finetuning_type", { finetuning_type: "lora", lora_rank: 32, lora_target: "all" }, { use_peft: true, lora_alpha: 64 }],
    ["finetuning_type", { finetuning_type: "lora", lora_rank: 4, lora_alpha: 4, lora_target: "q_proj" }, { use_peft: true }],
    ["finetuning_type", { finetuning_type: "full" }, { use_peft: false }],
    ["pref_loss", { pref_loss: "simpo" }, { loss_type: "simpo" }],
    ["pref_loss", { pref_loss: "sigmoid", pref_ftx: 0.5 }, { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5] }],
    [
      "pref_loss",
      { pref_loss: "sigmoid", pref_ftx: 0, pref_bco_weight: 0.2 },
      { loss_type: ["sigmoid", "bco_pair"], loss_weights: [1, 0.2] },
    ],
    ["stage", { stage: "dpo", pref_ftx: 0.5, pref_beta: 0.1 }, { max_length: 2048 }],
    ["pref_ftx", { pref_ftx: 0.5 }, { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5] }],
    ["pref_beta", { pref_beta: "0.2" }, { beta: 0.2 }],
    ["dpo_label_smoothing", { dpo_label_smoothing: 0.1 }, { label_smoothing: 0.1 }],
    ["lora_target", { lora_target: "q_proj,v_proj" }, { lora_target_modules: ["q_proj", "v_proj"] }],
    ["additional_target", { additional_target: "embed_tokens, lm_head" }, { lora_modules_to_save: ["embed_tokens", "lm_head"] }],
    ["val_size", { val_size: 0.1 }, { test_split_size: 0.1 }],
    ["ref_model_adapters", { ref_model_adapters: "a" }, { ref_adapter_name_or_path: "a" }],
    ["early_stopping_steps", { early_stopping_steps: 3 }, { early_stopping_patience: 3 }],
    ["disable_shuffling", { disable_shuffling: true }, { train_sampling_strategy: "sequential" }],
    ["disable_gradient_checkpointing", { disable_gradient_checkpointing: true }, { gradient_checkpointing: false }],
  ])("%s of %j", (key, all, settings) => {
    expect(answer(key, all).owner).toBe("LLaMA-Factory's");
    expect(written(key, all)).toEqual(settings);
  });

  test.each<[string, Config]>([
    ["stage", { stage: "sft" }],
    ["stage", { stage: "dpo", pref_loss: "ipo", pref_beta: 0.1, cutoff_len: 9 }],
    ["finetuning_type", { finetuning_type: "freeze" }],
    ["pref_loss", { pref_loss: "kto_pair" }],
    ["quantization_bit", { quantization_bit: 4 }],
    ["use_galore", { use_galore: true }],
    ["dataset", { dataset: "a,b" }],
    ["template", { template: "qwen" }],
    ["enable_thinking", { enable_thinking: "always" }],
  ])("%s of %j is left out, with the reason", (key, all) => {
    expect(answer(key, all).answer).toMatchObject({ kind: "leave out", because: expect.stringMatching(/./) });
  });

  test.each(["quantization_bit", "use_galore", "lora_target", "dataset", "rope_scaling", "val_size"])(
    "%s has no effect when it is not set",
    (key) => {
      for (const value of [null, "", false, "none"]) expect(answer(key, { [key]: value }).answer.kind).toBe("moot");
    },
  );
});

describe("axolotl's", () => {
  const usual = { sequence_len: 512, micro_batch_size: 2, num_epochs: 3, lr_scheduler: "linear" };

  test.each<[string, Config, Config]>([
    // Its defaults: beta 0.1 (TRL's), sequence_len 512, micro_batch_size 1, num_epochs 1, lr_scheduler cosine.
    [
      "rl",
      { rl: "dpo" },
      {
        loss_type: "sigmoid",
        beta: 0.1,
        max_length: 512,
        per_device_train_batch_size: 1,
        num_train_epochs: 1,
        lr_scheduler_type: "cosine",
      },
    ],
    ["rl", { ...usual, rl: "dpo" }, { loss_type: "sigmoid", beta: 0.1 }],
    ["rl", { ...usual, rl: "ipo", rl_beta: 0.5 }, { loss_type: "ipo" }],
    ["rl", { ...usual, rl: "dpo", trl: { beta: 0.5 } }, { loss_type: "sigmoid" }],
    ["val_set_size", { val_set_size: 0.05 }, { test_split_size: 0.05 }],
    ["val_set_size", { val_set_size: 0.05, eval_steps: 50 }, { test_split_size: 0.05, eval_strategy: "steps" }],
    ["val_set_size", { val_set_size: 0.05, evals_per_epoch: 2 }, { test_split_size: 0.05 }],
    ["trl", { trl: { beta: 0.5 } }, { beta: 0.5 }],
    ["rl", { ...usual, rl: "orpo", orpo_alpha: 0.1 }, { loss_type: "orpo" }],
    ["orpo_alpha", { orpo_alpha: 0.2 }, { beta: 0.2 }],
    ["dpo_loss_type", { dpo_loss_type: ["sigmoid", "sft"] }, { loss_type: ["sigmoid", "sft"] }],
    ["adapter", { adapter: "lora" }, { use_peft: true }],
    ["adapter", { adapter: "qlora" }, { use_peft: true }],
    // Like axolotl's own normalisation: a share of all steps, 1 / (evals_per_epoch * num_epochs).
    ["evals_per_epoch", { evals_per_epoch: 4, num_epochs: 2 }, { eval_strategy: "steps", eval_steps: 0.125 }],
    ["saves_per_epoch", { saves_per_epoch: 1, num_epochs: 3 }, { save_strategy: "steps", save_steps: 0.333333 }],
    ["saves_per_epoch", { saves_per_epoch: 1 }, { save_strategy: "epoch" }],
    [
      "cosine_min_lr_ratio",
      { cosine_min_lr_ratio: 0.1 },
      { lr_scheduler_type: "cosine_with_min_lr", lr_scheduler_kwargs: { min_lr_rate: 0.1 } },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "a/b", split: "train[:1%]", name: "v2" }] },
      { dataset_name: "a/b", dataset_train_split: "train[:1%]", dataset_config: "v2" },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "json", data_files: ["pairs.jsonl"], field_chosen: "good" }] },
      { dataset_name: "pairs.jsonl", column_mapping: { good: "chosen" } },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ ds_type: "json", data_files: "pairs.jsonl" }] },
      { dataset_name: "pairs.jsonl" },
    ],
    // The columns that axolotl 0.19.0's prompt strategies read.
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "Intel/orca_dpo_pairs", type: "chatml.intel" }] },
      { dataset_name: "Intel/orca_dpo_pairs", column_mapping: { question: "prompt" } },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "a/b", type: "llama3.icr" }] },
      { dataset_name: "a/b", column_mapping: { input: "prompt" } },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "a/b", type: "chat_template.default" }] },
      { dataset_name: "a/b", column_mapping: { messages: "prompt" } },
    ],
    [
      "datasets",
      { base_model: "m", datasets: [{ path: "a/b", type: "chat_template.default", field_messages: "turns" }] },
      { dataset_name: "a/b", column_mapping: { turns: "prompt" } },
    ],
    [
      "datasets",
      {
        base_model: "m",
        datasets: [{ path: "a/b", type: { field_prompt: "q", field_chosen: "chosen", field_rejected: "bad" } }],
      },
      { dataset_name: "a/b", column_mapping: { q: "prompt", bad: "rejected" } },
    ],
    [
      "test_datasets",
      { test_datasets: [{ path: "a/b", split: "test" }] },
      { eval_dataset_name: "a/b", dataset_test_split: "test" },
    ],
    ["test_datasets", { test_datasets: [{ path: "a/b", name: "v2" }] }, { eval_dataset_name: "a/b", eval_dataset_config: "v2" }],
    ["bfloat16", { bfloat16: true }, { bf16: true }],
  ])("%s of %j", (key, all, settings) => {
    expect(answer(key, all).owner).toBe("axolotl's");
    expect(written(key, all)).toEqual(settings);
  });

  test.each<[string, Config]>([
    ["rl", { rl: "kto" }],
    ["adapter", { adapter: "mora" }],
    ["trl", { trl: { beta: 0.1, num_generations: 8 } }],
    ["datasets", { base_model: "m", datasets: [{ path: "a" }, { path: "b" }] }],
    ["sequence_parallel_degree", { sequence_parallel_degree: 2 }],
    ["train_on_inputs", { train_on_inputs: true }],
    ["chat_template", { rl: "dpo", chat_template: "llama3" }],
  ])("%s of %j is left out, with the reason", (key, all) => {
    expect(answer(key, all)).toMatchObject({
      owner: "axolotl's",
      answer: { kind: "leave out", because: expect.stringMatching(/./) },
    });
  });

  test("keys at their empty values have no effect", () => {
    for (const [key, value] of Object.entries({
      chat_template: "tokenizer_default",
      train_on_inputs: false,
      wandb_project: null,
      lora_model_dir: "",
      lora_target_linear: false,
    }))
      expect(answer(key, { base_model: "m", [key]: value }).answer.kind).toBe("moot");
  });
});

describe("the alignment-handbook's", () => {
  test.each<[string, unknown, Config]>([
    ["dataset_mixer", { "a/b": 1.0 }, { dataset_name: "a/b" }],
    ["dataset_splits", ["train_prefs", "test_prefs"], { dataset_train_split: "train_prefs", dataset_test_split: "test_prefs" }],
    ["dataset_splits", ["train_prefs"], { dataset_train_split: "train_prefs" }],
    [
      "dataset_mixture",
      { datasets: [{ id: "a/b", config: "v2", split: "train_prefs", weight: 1.0 }], test_split_size: 2000, seed: 0 },
      { dataset_name: "a/b", dataset_config: "v2", dataset_train_split: "train_prefs", test_split_size: 2000 },
    ],
  ])("%s of %j", (key, value, settings) => {
    expect(answer(key, { [key]: value }).owner).toBe("the alignment-handbook's");
    expect(written(key, { [key]: value })).toEqual(settings);
  });

  test.each<[string, unknown]>([
    ["dataset_mixer", { a: 1, b: 1 }],
    ["dataset_mixer", { a: 0.5 }],
    ["dataset_mixture", { datasets: [{ id: "a", weight: 0.5 }] }],
    ["dataset_mixture", { datasets: [{ id: "a" }, { id: "b" }] }],
  ])("%s of %j is a mixture, which is not supported", (key, value) => {
    expect(answer(key, { [key]: value }).answer).toMatchObject({
      kind: "leave out",
      because: expect.stringContaining("only one data set is supported"),
    });
  });
});

test.each<Config>([
  { base_model: "m", chat_template: "chatml" },
  { stage: "dpo", template: "llama3" },
  { dataset_mixer: { "a/b": 1 }, chat_template: "chatml" },
])("a template is applied to messages, not to texts: %j", (all) => {
  const key = Object.keys(all)[1]!;
  expect(answer(key, all).answer).toMatchObject({
    kind: "leave out",
    because: expect.stringContaining("messages are rendered with"),
  });
});

test("an unknown key has no answer", () => {
  for (const key of ["colour", "toString", "constructor", "__proto__", "lora_rnk"])
    expect(foreignKey(key, 1, {})).toBeUndefined();
});
