/** Every key of other projects is known. The lists are from their sources: scripts/parity/config.py. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { resolveConfig } from "../../src/cli/train/config";

const keys = JSON.parse(readFileSync(join(__dirname, "configKeys.json"), "utf8")) as {
  trl: Record<string, unknown>;
  axolotl: string[];
  llamaFactory: string[];
  optim: string[];
  report_to: string[];
  lr_scheduler_type: string[];
};
const folder = mkdtempSync(join(tmpdir(), "smaug-config-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

function messageFor(settings: object): string {
  const file = join(folder, "run.json");
  writeFileSync(file, JSON.stringify({ model_name_or_path: "base", dataset_name: "pairs.jsonl", ...settings }));
  try {
    resolveConfig([file]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("a file with every field of TRL 1.16 and transformers 5.24 at its default runs", () => {
  // A mixture is a list of data sets, which TRL takes instead of dataset_name.
  const { model_name_or_path: _, dataset_name: __, output_dir: ___, ...defaults } = keys.trl;
  expect(Object.keys(defaults).length).toBeGreaterThan(160);
  expect(messageFor(defaults)).toBe("");
});

test("so does each field alone", () => {
  const { model_name_or_path: _, dataset_name: __, output_dir: ___, ...defaults } = keys.trl;
  expect(Object.entries(defaults).filter(([key, value]) => messageFor({ [key]: value }) !== "")).toEqual([]);
});

describe("no key is unknown, whatever its value,", () => {
  test.each(["trl", "axolotl", "llamaFactory"] as const)("of %s", (project) => {
    const names = Array.isArray(keys[project]) ? keys[project] : Object.keys(keys[project]);
    const messages = ["something", [{ path: "a" }]].flatMap((value) =>
      // In batches, since the length of a message is limited; each batch is a file.
      Array.from({ length: Math.ceil(names.length / 20) }, (_, i) =>
        messageFor(Object.fromEntries(names.slice(20 * i, 20 * i + 20).map((key) => [key, value]))),
      ),
    );
    expect(messages.length).toBeGreaterThan(10);
    for (const message of messages) {
      expect(message).not.toMatch(/^Unknown key/m);
      expect(message).not.toContain("characters more"); // the message was not truncated
    }
  });
});

test("every optim name in transformers is known; unsupported ones are rejected by name", () => {
  for (const name of keys.optim) {
    const message = messageFor({ optim: name });
    if (["adamw_torch", "adamw_torch_fused"].includes(name)) expect(message).toBe("");
    else expect(message).toContain(`but received "${name}"; transformers' ${name} is not supported; write optim: adamw_torch`);
  }
});

test("no report_to tracker of transformers stops a run", () => {
  for (const name of keys.report_to) expect(messageFor({ report_to: name })).toBe("");
});

test("every lr_scheduler_type name in transformers is known", () => {
  const needs: Readonly<Record<string, object>> = {
    cosine_with_min_lr: { min_lr_rate: 0.1 },
    cosine_warmup_with_min_lr: { min_lr_rate: 0.1 },
    warmup_stable_decay: { num_decay_steps: 1 },
  };
  for (const name of keys.lr_scheduler_type) {
    const message = messageFor({ lr_scheduler_type: name, lr_scheduler_kwargs: needs[name] ?? {} });
    if (name === "reduce_lr_on_plateau" || name === "greedy")
      expect(message).toContain("which follows a metric, is not supported");
    else expect(message).toBe("");
  }
});
