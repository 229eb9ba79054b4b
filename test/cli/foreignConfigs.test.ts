/**
 * Configurations written for TRL, axolotl and LLaMA-Factory: one message lists everything to change, and following it is
 * enough. The test edits the file as a user would, following the message line by line, and trains.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { trainCommand } from "../../src/cli/train/command";
import { resolveConfig } from "../../src/cli/train/config";
import { tinyFolder } from "../text/tiny";
import { runCommand, writeTinyLlama } from "./command";

const scratch = mkdtempSync(join(tmpdir(), "smaug-foreign-"));
const model = tinyFolder();
afterAll(() => [scratch, model].forEach((folder) => rmSync(folder, { recursive: true, force: true })));

type Config = Record<string, unknown>;

const fixture = (name: string) => join(__dirname, "foreign", `${name}.yaml`);

function messageOf(args: readonly string[]): string {
  try {
    resolveConfig(args);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

/** Applies each line of the message: `  key: leave it out` and `  key: write a: 1 and b: 2`. */
function obey(config: Config, message: string): Config {
  const changed = { ...config };
  for (const [, key, says] of message.matchAll(/^ {2}(\w+): (.*)$/gm)) {
    expect(Object.keys(config)).toContain(key);
    delete changed[key!];
    const written = /(?:^|[;,] )write (\w+: .*?)(?: \(.*\))?$/.exec(says!)?.[1];
    if (written) for (const part of written.split(/ and (?=\w+: )/)) Object.assign(changed, parse(part));
    else expect(says).toContain("leave it out");
  }
  return changed;
}

async function train(config: Config): Promise<{ status: unknown; stderr: string }> {
  const file = join(scratch, "run.yaml");
  writeFileSync(file, stringify(config));
  return runCommand(trainCommand(), file);
}

beforeAll(() => writeTinyLlama(model));

/** Rows in the form of the fixture's data set. */
function data(column: string, splits: readonly string[]): string {
  const rows = Array.from({ length: 30 }, (_, i) =>
    JSON.stringify({ [column]: `hello ${i}?`, chosen: ` yes ${i}`, rejected: ` no ${i + 1}` }),
  );
  const folder = mkdtempSync(join(scratch, "data-"));
  for (const split of splits) writeFileSync(join(folder, `${split}-00000-of-00001.jsonl`), rows.join("\n"));
  return folder;
}

const cases = [
  {
    name: "trl",
    column: "prompt",
    splits: ["train_prefs", "test_prefs"],
    changed: [
      "dataset_mixer",
      "dataset_splits",
      "evaluation_strategy",
      "load_in_4bit",
      "max_prompt_length",
      "optim",
      "push_to_hub",
      "torch_dtype",
    ],
    expected: {
      dataset_name: "my-org/feedback_binarized",
      dataset_train_split: "train_prefs",
      dataset_test_split: "test_prefs",
      eval_strategy: "steps",
      optim: "adamw_torch",
      beta: 0.01,
      use_peft: true,
      lora_target_modules: ["q_proj", "k_proj", "v_proj", "o_proj"],
    },
  },
  {
    name: "axolotl",
    column: "conversation",
    splits: ["train"],
    changed: [
      "adapter",
      "base_model",
      "bf16",
      "chat_template",
      "datasets",
      "evals_per_epoch",
      "load_in_8bit",
      "lora_target_linear",
      "lr_scheduler",
      "micro_batch_size",
      "num_epochs",
      "optimizer",
      "rl",
      "saves_per_epoch",
      "sequence_len",
      "special_tokens",
      "val_set_size",
    ],
    expected: {
      model_name_or_path: "my-org/Llama-3-8B-Instruct",
      dataset_name: "my-org/messages_dpo",
      column_mapping: { conversation: "prompt" },
      loss_type: ["sigmoid"],
      beta: 0.1,
      use_peft: true,
      lora_r: 32,
      lora_target_modules: ["all-linear"],
      max_length: 4096,
      per_device_train_batch_size: 2,
      num_train_epochs: 4,
      optim: "adamw_torch",
      lr_scheduler_type: "cosine",
      test_split_size: 0.05,
      eval_strategy: "steps",
      eval_steps: 0.0625,
      save_strategy: "steps",
      save_steps: 0.25,
    },
  },
  {
    name: "llamaFactory",
    column: "prompt",
    splits: ["train"],
    changed: [
      "cutoff_len",
      "dataset",
      "finetuning_type",
      "lora_rank",
      "lora_target",
      "max_samples",
      "pref_beta",
      "pref_loss",
      "stage",
      "template",
      "val_size",
    ],
    expected: {
      loss_type: ["sigmoid"],
      beta: 0.1,
      use_peft: true,
      lora_r: 8,
      lora_alpha: 16,
      lora_target_modules: ["all-linear"],
      max_length: 2048,
      test_split_size: 0.1,
      eval_strategy: "steps",
    },
  },
] as const;

describe.each(cases)("$name", ({ name, column, splits, changed, expected }) => {
  const given = parse(readFileSync(fixture(name), "utf8")) as Config;
  const message = messageOf([fixture(name)]);
  const config = obey(given, message);

  test("one message names every key that has to change, and only those", () => {
    const keys = [...message.matchAll(/^ {2}(\w+): /gm)].map(([, key]) => key!);
    expect(keys.sort()).toEqual([...changed]);
    expect(message).toContain(`but received one with ${changed.length} problems:`);
  });

  test("following it is enough, and harmless keys are one note", () => {
    const file = join(scratch, `${name}.yaml`);
    writeFileSync(file, stringify(config));
    const resolved = resolveConfig([file]);
    const snake = Object.fromEntries(
      Object.entries(resolved.config).map(([key, value]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
    );
    expect(snake).toMatchObject(expected);
    expect(resolved.notes.filter((note) => note.startsWith("these have no effect"))).toHaveLength(1);
    expect(resolved.notes.length).toBeLessThanOrEqual(2);
  });

  test("the result trains", async () => {
    const { status, stderr } = await train({
      ...config,
      model_name_or_path: model,
      dataset_name: data(column, splits),
      output_dir: join(scratch, `out-${name}`),
      reference_cache: join(scratch, "cache"),
      device: "cpu",
      max_steps: 2,
      eval_steps: 1,
      logging_steps: 1,
    });
    expect(stderr).toMatch(/step 2 +loss /);
    expect(stderr).toMatch(/evaluation at step 2/);
    expect(status).toBe(0);
  });
});
