import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  adapterTensors,
  type CausalLM,
  LlamaForCausalLM,
  loadAdapter,
  loadModel,
  SafetensorsFile,
  saveAdapter,
} from "../../src/models";
import { applyLora, type Linear, lora, loraLayers, tensorsTrainedWhole } from "../../src/nn";
import { memory, noGrad } from "../../src/torch";
import { folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";
import { temporaryFolders } from "./folders";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const list = folderOf("adapters", "list");

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
/** A copy of an adapter with other entries in its config. */
const withConfig = (keys: Record<string, unknown>, from = list) => {
  const copy = folder(from);
  const path = join(copy, "adapter_config.json");
  writeFileSync(path, JSON.stringify({ ...readJson(path), ...keys }));
  return copy;
};

/** Loading must fail and leave the model as it was. */
async function expectRefused(path: string, message: string | RegExp, base?: CausalLM): Promise<void> {
  const model = base ?? (await loadModel(single));
  const tensors = await settledTensors();
  const loading = loadAdapter(model, path);
  await expect(loading).rejects.toThrow(message);
  await expect(loading).rejects.toMatchObject({ name: "FolderError" });
  expect(loraLayers(model)).toEqual([]);
  expect([...model.parameters()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
  expect(memory().tensors).toBe(tensors);
}

describe("loadAdapter", () => {
  test("freezes the base, leaves the adapter to be trained, in float32 and in the model's mode", async () => {
    const model = await loadModel(single, { dtype: "bfloat16" });
    await loadAdapter(model, list);
    const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
    expect(trained.map(([name, { dtype }]) => [name.includes("lora_"), dtype])).toEqual(Array(8).fill([true, "float32"]));
    expect([...model.modules()].some(({ training }) => training)).toBe(false);
    expect(loraLayers(model)[0]![1].adapter.dropout).toBe(0.1);
  });

  test("leaves no handles but those of the adapter, which the model frees", async () => {
    const model = await loadModel(single);
    const before = await settledTensors();
    await loadAdapter(model, list);
    const added = Object.keys(adapterTensors(model)).length;
    // Garbage collection of other tests' tensors can only lower the number.
    expect(memory().tensors - before).toBeLessThanOrEqual(added);
    model.dispose();
    expect(memory().tensors).toBeLessThan(before);
  });

  test("what the config leaves out has PEFT's defaults", async () => {
    const copy = folder(folderOf("adapters", "suffix"));
    const { target_modules } = readJson(join(copy, "adapter_config.json"));
    writeFileSync(join(copy, "adapter_config.json"), JSON.stringify({ peft_type: "LORA", r: 2, target_modules }));
    const model = await loadModel(single, { adapter: copy });
    const [
      ,
      {
        adapter: { scaling, dropout },
      },
    ] = loraLayers(model)[0]!;
    expect([scaling, dropout]).toEqual([8 / 2, 0]);
  });

  test("a model that has an adapter takes no second one", async () => {
    const model = await loadModel(single, { adapter: list });
    await expect(loadAdapter(model, list)).rejects.toThrow("the model has adapters already (model.layers.0.self_attn.q_proj)");
  });
});

describe("a second adapter, the reference", () => {
  const dora = folderOf("adapters", "dora");

  test("is frozen, leaves the first as it was, and is saved only by name", async () => {
    const model = await loadModel(single, { adapter: list });
    const { r } = loraLayers(model)[0]![1].adapter.config;
    await loadAdapter(model, dora, { name: "reference" });
    const [first, second] = [folder(), folder()];
    await saveAdapter(model, first);
    await saveAdapter(model, second, { name: "reference" });
    const weights = (path: string) => readFileSync(join(path, "adapter_model.safetensors"));
    expect(weights(first)).toEqual(weights(list));
    expect(weights(second)).toEqual(weights(dora));
    expect([r, readJson(join(first, "adapter_config.json"))["r"]]).toEqual([4, 4]);
    const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad).map(([name]) => name);
    expect(trained.sort()).toEqual(
      Object.keys(adapterTensors(await loadModel(single, { adapter: list })))
        .map((name) => name.replace("base_model.model.", ""))
        .sort(),
    );
  });

  test("may stand alone; a second of the name is an error, as is saving one that is not there", async () => {
    const model = await loadModel(single);
    await loadAdapter(model, list, { name: "reference" });
    await expect(loadAdapter(model, dora, { name: "reference" })).rejects.toThrow(`under the name "reference"`);
    await expect(saveAdapter(model, folder())).rejects.toThrow("Expected a model with an adapter for 'model'");
    await loadAdapter(model, dora);
    await expect(saveAdapter(model, folder(), { name: "other" })).rejects.toThrow(`an adapter "other" for 'model'`);
  });
});

describe("embeddings that PEFT saved along", () => {
  test.each([
    ["embeddings", single],
    ["embeddings-tied", folderOf("folders", "tied")],
  ])("%s: copies of the base's are accepted", async (name, base) => {
    for (const dtype of ["float32", "bfloat16"] as const) {
      using model = await loadModel(base, { dtype });
      expect(await loadAdapter(model, folderOf("adapters", name))).toHaveLength(2);
      expect(tensorsTrainedWhole(model)).toEqual([]);
    }
  });

  test("others are refused by name", async () => {
    const other = await loadModel(single);
    noGrad(() => void (other.lmHead as Linear).weight.mul_(1.01));
    const message = /received a different tensor \[40, 16\]$/;
    await expectRefused(folderOf("adapters", "embeddings"), message, other);
    await expectRefused(
      folderOf("adapters", "embeddings"),
      "Expected 'base_model.model.lm_head.weight' to be the model's own weight, since 'modules_to_save' does not name it",
      other,
    );
  });
});

describe("lora_dropout", () => {
  test("is written as it acted: 0 after a run that disabled dropout", async () => {
    const model = await loadModel(single, { adapter: list });
    const out = folder();
    const written = async () => (await saveAdapter(model, out), readJson(join(out, "adapter_config.json"))["lora_dropout"]);
    expect(await written()).toBe(0.1);
    for (const [, { adapter }] of loraLayers(model)) adapter.dropout = 0;
    expect(await written()).toBe(0);
  });
});

describe("weights trained whole", () => {
  const tied = folderOf("folders", "tied");

  test("a tied embedding is refused unless the tie is kept", async () => {
    const whole = folderOf("adapters", "whole-tied");
    const copy = withConfig({ ensure_weight_tying: false }, whole);
    const model = await loadModel(tied);
    await expectRefused(copy, "Expected true for 'ensureWeightTying' but received false: 'modulesToSave' names", model);
    expect(await loadAdapter(model, whole)).toHaveLength(2);
  });

  test("in the dtype of the model", async () => {
    const model = await loadModel(single, { dtype: "bfloat16", adapter: folderOf("adapters", "whole") });
    expect(new Set(tensorsTrainedWhole(model).map(([, { dtype }]) => dtype))).toEqual(new Set(["bfloat16"]));
  });

  test("the head's own weight in the file must be the model's, in either dtype", async () => {
    const head = folderOf("adapters", "head");
    await loadAdapter(await loadModel(single, { dtype: "bfloat16" }), head);
    const other = await loadModel(single);
    noGrad(() => void (other.lmHead as Linear).weight.mul_(1.01));
    await expectRefused(head, "'base_model.model.lm_head.base_layer.weight' to be the model's own weight", other);
  });
});

test("the tokenizer's files come along when asked for", async () => {
  const from = folder(single);
  mkdirSync(join(from, "additional_chat_templates"));
  for (const name of ["tokenizer.json", "additional_chat_templates/rag.jinja", "generation_config.json"])
    writeFileSync(join(from, name), name);
  const model = await loadModel(from, { adapter: list });
  const [bare, whole] = [folder(), folder()];
  await saveAdapter(model, bare);
  await saveAdapter(model, whole, { tokenizer: true });
  const own = ["adapter_config.json", "adapter_model.safetensors"];
  expect(readdirSync(bare).sort()).toEqual(own);
  expect(readdirSync(whole).sort()).toEqual([...own, "additional_chat_templates", "tokenizer.json"].sort());
  expect(readFileSync(join(whole, "additional_chat_templates/rag.jinja"), "utf8")).toContain("rag");
});

describe("an adapter for another base is refused, both named", () => {
  test("other shapes", async () => {
    const config = { ...readJson(join(single, "config.json")), hidden_size: 8, head_dim: 2 };
    const model = new LlamaForCausalLM(config);
    await expectRefused(list, `The adapter in ${list} (made for small/single) does not fit the model LlamaForCausalLM:`, model);
    await expectRefused(
      list,
      "Expected shape [4, 8] for 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight' but received [4, 16]",
      model,
    );
  });

  test("more layers, fewer layers", async () => {
    const config = readJson(join(single, "config.json"));
    const q = "self_attn.q_proj.lora_A.weight'";
    await expectRefused(
      list,
      `Expected 'base_model.model.model.layers.2.${q} [4, 16] but received none`,
      new LlamaForCausalLM({ ...config, num_hidden_layers: 3 }),
    );
    await expectRefused(
      list,
      `Expected no 'base_model.model.model.layers.1.${q}`,
      new LlamaForCausalLM({ ...config, num_hidden_layers: 1 }),
    );
  });

  test("another rank than its config says", () =>
    expectRefused(withConfig({ r: 3 }), `Expected shape [3, 16] for 'base_model.model.model.layers.0.self_attn.q_proj.lora_A`));

  test("of another kind than its config says", () =>
    expectRefused(
      withConfig({ use_dora: true }),
      "Expected 'base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector' [16] but received none",
    ));

  test("layers the model does not have", () =>
    expectRefused(
      withConfig({ target_modules: ["c_attn"] }),
      `for 'targetModules' but received ["c_attn"]; the model has q_proj`,
    ));
});

describe("what is not supported is named, with the file", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ peft_type: "LOHA" }, `Expected "LORA" for 'peft_type' but received "LOHA"; it is not supported`],
    [{ peft_type: "IA3" }, `but received "IA3"`],
    [{ peft_type: undefined }, "Expected a string for 'peft_type' but received nothing"],
    [{ task_type: "SEQ_CLS" }, `Expected "CAUSAL_LM" for 'task_type' but received "SEQ_CLS"`],
    [{ use_dora: "yes" }, `Expected true or false for 'use_dora' but received "yes"`],
    [{ bias: "vera_only" }, `Expected "none", "all" or "lora_only" for 'bias' but received "vera_only"`],
    [{ lora_bias: true }, "Expected no 'lora_bias' but received true"],
    [{ fan_in_fan_out: true }, "Expected no 'fan_in_fan_out' but received true"],
    [{ modules_to_save: ["wte"] }, `Expected names of modules for 'modulesToSave' but received ["wte"]; the model has`],
    [{ modules_to_save: [3] }, "Expected a string or strings for 'modules_to_save' but received [3]"],
    [{ layers_to_transform: ["first"] }, `Expected numbers of layers for 'layersToTransform' but received ["first"]`],
    [{ target_modules: "q_proj", layers_to_transform: 0 }, "Expected a list for 'targetModules'"],
    [{ exclude_modules: "(" }, `Expected a regular expression for 'excludeModules' but received "("`],
    [{ target_modules: ["q_proj", "embed_tokens"] }, "'model.embed_tokens' is an embedding; 'modulesToSave' trains"],
    [{ target_parameters: ["mlp.experts"] }, "Expected no 'target_parameters'"],
    [{ trainable_token_indices: [3] }, "Expected no 'trainable_token_indices'"],
    [{ init_lora_weights: "pissa" }, `for 'init_lora_weights' but received "pissa"`],
    [{ some_new_option: 1 }, "Expected no 'some_new_option' but received 1"],
    [{ r: 0 }, "Expected a positive integer for 'r' but received 0"],
    [{ lora_alpha: 0 }, "Expected a number above 0 for 'alpha' but received 0"],
    [{ lora_dropout: 1 }, "for 'dropout' but received 1"],
    [{ target_modules: null }, "Expected a string or strings for 'target_modules' but received nothing"],
    [{ target_modules: "(?P<layer>q_proj)" }, `Expected a regular expression for 'targetModules' but received "(?P<layer>`],
    [{ rank_pattern: { q_proj: "4" } }, `Expected numbers by name for 'rank_pattern'`],
    [{ rank_pattern: { q_proj: 0.5 } }, `Expected a positive integer for 'rankPattern["q_proj"]' but received 0.5`],
    [{ alpha_pattern: { "[": 4 } }, `Expected a regular expression for 'alphaPattern' but received "["`],
  ])("%o", async (keys, message) => {
    const copy = withConfig(keys);
    await expectRefused(copy, message);
    await expectRefused(copy, join(copy, "adapter_config.json"));
  });
});

describe("a folder that cannot be read", () => {
  const weights = "adapter_model.safetensors";

  test.each<[string, (path: string) => void, RegExp]>([
    [
      "no config",
      (path) => rmSync(join(path, "adapter_config.json")),
      /Expected an adapter, with adapter_config\.json, in .* but received none/,
    ],
    [
      "a config that is no JSON",
      (path) => writeFileSync(join(path, "adapter_config.json"), "{"),
      /Expected an adapter's configuration as JSON in .*adapter_config\.json/,
    ],
    ["no weights", (path) => rmSync(join(path, weights)), /Expected adapter_model\.safetensors in .* but it is missing/],
    [
      "weights cut short",
      (path) => writeFileSync(join(path, weights), readFileSync(join(path, weights)).subarray(0, -1)),
      /it is cut short/,
    ],
    [
      "pickled weights",
      (path) => {
        rmSync(join(path, weights));
        writeFileSync(join(path, "adapter_model.bin"), "");
      },
      /received adapter_model\.bin: such a file can run code .*\n {2}python -c ".*save_file\(.*weights_only=True/,
    ],
  ])("%s", async (_, damage, message) => {
    const copy = folder(list);
    damage(copy);
    await expectRefused(copy, message);
  });

  test("a model folder", () => expectRefused(single, /Expected an adapter, .* but received a model folder/));
});

describe("saveAdapter", () => {
  test("writes names for all-linear, the base's name, and nothing else", async () => {
    const model = await loadModel(single, {
      adapter: lora({ r: 2, alpha: 3, targetModules: "all-linear", useRslora: true }),
    });
    const out = folder();
    await saveAdapter(model, out);
    expect(readdirSync(out).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    expect(readJson(join(out, "adapter_config.json"))).toMatchObject({
      peft_type: "LORA",
      base_model_name_or_path: single,
      r: 2,
      lora_alpha: 3,
      lora_dropout: 0.05,
      use_rslora: true,
      target_modules: ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"],
    });
    const { entries } = new SafetensorsFile(join(out, "adapter_model.safetensors"));
    expect(entries.size).toBe(28);
    expect(entries.get("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")!.shape).toEqual([2, 16]);
  });

  test("ranks and alphas by pattern come back", async () => {
    const config = lora({
      targetModules: ["q_proj", "up_proj"],
      rankPattern: { up_proj: 3 },
      alphaPattern: { "0.self_attn.q_proj": 5 },
    });
    const model = await loadModel(single, { adapter: config });
    const out = folder();
    await saveAdapter(model, out, { baseModel: "org/name" });
    const again = await loadModel(single, { adapter: out });
    const settings = (from: CausalLM) =>
      loraLayers(from).map(([name, { adapter }]) => [name, adapter.lora_A.outFeatures, adapter.scaling]);
    expect(settings(again)).toEqual(settings(model));
    expect(settings(model).map(([, r, scaling]) => [r, scaling])).toEqual([
      [16, 5 / 16],
      [3, 32 / 3],
      [16, 2],
      [3, 32 / 3],
    ]);
    expect(readJson(join(out, "adapter_config.json")).base_model_name_or_path).toBe("org/name");
  });

  test("a model without an adapter is an error", async () => {
    await expect(saveAdapter(await loadModel(single), folder())).rejects.toThrow("a model with an adapter for 'model'");
  });

  test("a failing load disposes of the model", async () => {
    const before = await settledTensors();
    await expect(loadModel(single, { adapter: single })).rejects.toThrow("received a model folder");
    await expect(loadModel(single, { adapter: lora({ targetModules: ["no"] }) })).rejects.toThrow("'targetModules'");
    expect(memory().tensors).toBe(before);
  });

  test("an adapter on a model made by hand names no base", async () => {
    const model = new LlamaForCausalLM(readJson(join(single, "config.json")));
    applyLora(model, lora());
    const out = folder();
    await saveAdapter(model, out);
    expect(readJson(join(out, "adapter_config.json")).base_model_name_or_path).toBeNull();
  });
});
