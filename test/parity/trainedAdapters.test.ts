/** Saved adapters of each architecture, against PEFT's own files (scripts/parity/trained_adapters.py). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SafetensorsFile, saveAdapter } from "../../src/models";
import { parseAdapterConfig } from "../../src/models/adapterConfig";
import { architectureOf } from "../../src/models/architectures/registry";
import { applyLora } from "../../src/nn";
import { fixture } from "./fixture";

type Json = Record<string, unknown>;
const { versions: _, ...cases } =
  fixture<Record<string, { config: Json; options: Json; entries: Json; tensors: Record<string, number[]> }>>("trainedAdapters");

const out = mkdtempSync(join(tmpdir(), "smaug-trained-"));
afterAll(() => rmSync(out, { recursive: true }));

/** PEFT's records of its version, of a default that never changes, and of the base model. */
const OWN = ["peft_version", "megatron_core", "qalora_group_size", "base_model_name_or_path"];
const isOff = (value: unknown) =>
  value === null || value === false || value === 0 || (typeof value === "object" && Object.keys(value).length === 0);
/** For "all-linear" PEFT writes out every layer, smaug the last part of each name. */
const lastParts = (names: unknown) => [...new Set((names as string[]).map((name) => name.split(".").at(-1)!))].sort();

test.each(Object.entries(cases))("%s: entries and tensors are PEFT's", async (name, { config, options, entries, tensors }) => {
  const json = { ...config, architectures: undefined };
  const { Model } = architectureOf(json);
  using model = new Model(json, { init: false });
  applyLora(model, parseAdapterConfig({ peft_type: "LORA", r: 16, lora_alpha: 32, ...options }));
  const folder = join(out, name);
  await saveAdapter(model, folder);

  const saved = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Json;
  const ours = Object.entries(saved).filter(([, value]) => !isOff(value));
  const theirs = Object.entries(entries).filter(([key]) => !OWN.includes(key));
  expect(Object.fromEntries(ours)).toEqual({
    ...Object.fromEntries(theirs),
    target_modules: lastParts(entries["target_modules"]),
  });
  const file = new SafetensorsFile(join(folder, "adapter_model.safetensors"));
  expect(Object.fromEntries([...file.entries].map(([key, { shape }]) => [key, [...shape]]))).toEqual(tensors);
});
