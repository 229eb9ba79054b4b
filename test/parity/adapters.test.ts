/** Adapters that PEFT saved, and its answers with them (scripts/parity/adapters.py). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type CausalLM, loadAdapter, loadModel, saveAdapter, saveModel } from "../../src/models";
import { loraLayers, withoutAdapters } from "../../src/nn";
import { type Tensor, manualSeed, noGrad, tensor, tidy } from "../../src/torch";
import { backward, expectClose, fixture, folderOf } from "./fixture";

const expected = fixture<{
  base: number[];
  adapters: Record<
    string,
    { adapted: string[]; logits: number[]; gradients: Record<string, number[]>; training: number[] }
  >;
}>("adapters");
const { ids } = fixture<{ ids: number[][] }>("weights");

const base = folderOf("folders", "single");
const out = mkdtempSync(join(tmpdir(), "smaug-adapters-"));
afterAll(() => rmSync(out, { recursive: true }));

const logits = (model: CausalLM): Tensor => tidy(() => noGrad(() => model.forward(tensor(ids, { dtype: "int64" }))));

describe.each(Object.entries(expected.adapters))("%s", (name, answers) => {
  const folder = folderOf("adapters", name);

  test("logits are PEFT's with it, merged or not, and the base's without", async () => {
    const model = await loadModel(base);
    expect((await loadAdapter(model, folder)).sort()).toEqual(answers.adapted);
    expectClose(logits(model), answers.logits, 1e-5, "logits");
    expectClose(
      withoutAdapters(model, () => logits(model)),
      expected.base,
      1e-5,
      "logits of the base",
    );
    for (const [, layer] of loraLayers(model)) layer.merge();
    expectClose(logits(model), answers.logits, 2e-4, "logits after merging");

    const merged = join(out, `${name}-merged`);
    await saveModel(model, merged);
    expectClose(logits(await loadModel(merged)), answers.logits, 2e-4, "logits of the merged folder");
  });

  test("gradients are PEFT's", async () => {
    const model = await loadModel(base, { adapter: folder });
    backward(model.forward(tensor(ids, { dtype: "int64" })));
    const grads = Object.fromEntries(
      [...model.namedParameters()].map(([key, { grad }]) => [`base_model.model.${key}`, grad]),
    );
    for (const [key, values] of Object.entries(answers.gradients)) expectClose(grads[key]!, values, 1e-4, key);
    for (const [key, grad] of Object.entries(grads)) expect(grad !== null, key).toBe(key.includes("lora_"));
  });

  test("so are the logits in training, dropout included", async () => {
    const model = (await loadModel(base, { adapter: folder })).train();
    manualSeed(3);
    expectClose(logits(model), answers.training, 1e-5, "logits");
  });

  test("saved again, the file is PEFT's byte for byte, and the config says the same", async () => {
    const model = await loadModel(base, { adapter: folder });
    await saveAdapter(model, join(out, name), { baseModel: "small/single" });
    const read = (path: string) => readFileSync(join(path, "adapter_model.safetensors"));
    expect(read(join(out, name))).toEqual(read(folder));
    const config = (path: string) =>
      JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(config(folder)).toMatchObject(config(join(out, name)));
  });
});
