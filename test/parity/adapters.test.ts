/** Adapters that PEFT saved, and its answers with them (scripts/parity/adapters.py). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { adapterTensors, type CausalLM, loadAdapter, loadModel, SafetensorsFile, saveAdapter, saveModel } from "../../src/models";
import { mergeAndUnload, tensorsTrainedWhole, withAdapter, withoutAdapters } from "../../src/nn";
import { manualSeed, noGrad, type Tensor, tensor, tidy } from "../../src/torch";
import { backward, expectClose, fixture, folderOf } from "./fixture";

const expected = fixture<{
  bases: Record<string, number[]>;
  adapters: Record<
    string,
    {
      base: string;
      adapted: string[];
      whole: string[];
      logits: number[];
      gradients: Record<string, number[]>;
      training: number[];
    }
  >;
}>("adapters");
const { ids } = fixture<{ ids: number[][] }>("weights");

const out = mkdtempSync(join(tmpdir(), "smaug-adapters-"));
afterAll(() => rmSync(out, { recursive: true }));

const logits = (model: CausalLM): Tensor => tidy(() => noGrad(() => model.forward(tensor(ids, { dtype: "int64" }))));

const tensorsIn = (folder: string) => {
  const file = new SafetensorsFile(join(folder, "adapter_model.safetensors"));
  return [...file.entries.keys()].sort().map((name) => [name, [...file.read(name).toArray()]] as const);
};

describe.each(Object.entries(expected.adapters))("%s", (name, answers) => {
  const folder = folderOf("adapters", name);
  const base = folderOf("folders", answers.base);
  const loadBase = () => loadModel(base, { dtype: "float32" });

  test("logits are PEFT's with it, merged or not, and the base's without", async () => {
    const model = await loadBase();
    expect((await loadAdapter(model, folder)).sort()).toEqual(answers.adapted);
    expect(
      tensorsTrainedWhole(model)
        .map(([weight]) => weight)
        .sort(),
    ).toEqual(answers.whole);
    expectClose(logits(model), answers.logits, 1e-5, "logits");
    expectClose(
      withoutAdapters(model, () => logits(model)),
      expected.bases[answers.base]!,
      1e-5,
      "logits of the base",
    );
    mergeAndUnload(model);
    expectClose(logits(model), answers.logits, 2e-4, "logits after merging");

    const merged = join(out, `${name}-merged`);
    await saveModel(model, merged);
    expectClose(logits(await loadModel(merged)), answers.logits, 2e-4, "logits of the merged folder");
  });

  test("as a frozen reference it answers the same, beside another adapter that is trained", async () => {
    const model = await loadBase();
    const trained = await loadAdapter(model, folder).then(() => adapterTensors(model));
    await loadAdapter(model, folder, { name: "reference" });
    noGrad(() => Object.values(trained).forEach((values) => values.mul_(1.5)));
    const reference = () => logits(model);
    expectClose(withAdapter(model, "reference", reference), answers.logits, 1e-5, "logits of the reference");
    expectClose(withoutAdapters(model, reference), expected.bases[answers.base]!, 1e-5, "logits of the base");
  });

  test("gradients are PEFT's", async () => {
    const model = await loadBase();
    await loadAdapter(model, folder);
    backward(model.forward(tensor(ids, { dtype: "int64" })));
    const grads = Object.fromEntries([...model.namedParameters()].map(([key, { grad }]) => [`base_model.model.${key}`, grad]));
    for (const [key, values] of Object.entries(answers.gradients)) expectClose(grads[key]!, values, 1e-4, key);
    const isTrained = (key: string) => key.includes("lora_") || answers.whole.some((weight) => key.endsWith(weight));
    for (const [key, grad] of Object.entries(grads)) expect(grad !== null, key).toBe(isTrained(key));
  });

  test("so are the logits in training, dropout included", async () => {
    const model = (await loadModel(base, { dtype: "float32", adapter: folder })).train();
    manualSeed(3);
    expectClose(logits(model), answers.training, 1e-5, "logits");
  });

  test("saved again, the file is PEFT's byte for byte, and the config says the same", async () => {
    const model = await loadModel(base, { dtype: "float32", adapter: folder });
    await saveAdapter(model, join(out, name), { baseModel: `small/${answers.base}` });
    const read = (path: string) => readFileSync(join(path, "adapter_model.safetensors"));
    // PEFT writes the head's own weight along when an adapter sits on it.
    const adapters = tensorsIn(folder).filter(([key]) => !key.includes("lm_head.base_layer"));
    if (name === "head") expect(tensorsIn(join(out, name))).toEqual(adapters);
    else expect(read(join(out, name))).toEqual(read(folder));
    const config = (path: string) =>
      JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(config(folder)).toMatchObject(config(join(out, name)));
  });
});
