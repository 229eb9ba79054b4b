import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryName } from "../../src/base/files/wholeFiles";
import { thisProcess } from "../../src/base/processes";
import {
  type CausalLM,
  LlamaForCausalLM,
  loadAdapter,
  loadModel,
  SafetensorsFile,
  saveAdapter,
  saveModel,
} from "../../src/models";
import { applyLora, lora, loraLayers } from "../../src/nn";
import { Generator, memory, noGrad } from "../../src/torch";
import { folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";
import { temporaryFolders } from "./folders";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const tied = folderOf("folders", "tied");
const old = folderOf("folders", "tied-sharded-old");
const shards = (count: number) => Array.from({ length: count }, (_, i) => `model-0000${i + 1}-of-0000${count}.safetensors`);

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, any>;
const values = (model: CausalLM) => [...model.namedParameters()].map(([name, tensor]) => [name, tensor.toArray()]);
const contents = (path: string) =>
  readdirSync(path)
    .sort()
    .map((file) => [file, readFileSync(join(path, file), "latin1")]);

describe("files", () => {
  test("one file while it fits, shards with an index when not; what was there before goes", async () => {
    const model = await loadModel(single); // 19,968 bytes of tensors
    const out = folder();
    await saveModel(model, out);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
    await saveModel(model, out, { maxShardSize: 10_000 });
    expect(readdirSync(out).sort()).toEqual(["config.json", ...shards(3), "model.safetensors.index.json"]);
    expect(values(await loadModel(out))).toEqual(values(model));

    const { metadata, weight_map: map } = readJson(join(out, "model.safetensors.index.json"));
    const bytes = [...model.parameters()].reduce((sum, parameter) => sum + 4 * parameter.numel(), 0);
    expect(metadata).toEqual({ total_size: bytes });
    for (const shard of shards(3)) {
      const file = new SafetensorsFile(join(out, shard));
      expect(file.metadata).toEqual({ format: "pt" });
      expect(
        Object.keys(map)
          .filter((name) => map[name] === shard)
          .sort(),
      ).toEqual([...file.entries.keys()].sort());
      const sizes = [...file.entries.values()].map(({ start, end }) => end - start);
      expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(10_000);
    }

    await saveModel(model, out, { maxShardSize: 1 }); // every tensor is larger: one each
    expect(readdirSync(out).filter((file) => file.endsWith(".safetensors"))).toHaveLength(21);
    await saveModel(model, out);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
  });

  test("other files stay", async () => {
    const out = folder();
    writeFileSync(join(out, "tokenizer.json"), "{}");
    await saveModel(await loadModel(single), out);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  });

  test("a model can be saved over the folder it is mapped from", async () => {
    const out = folder(single);
    const model = await loadModel(out);
    noGrad(() => model.parameters().next().value!.fill_(3));
    const before = values(model);
    await saveModel(model, out);
    expect(values(model)).toEqual(before);
    expect(values(await loadModel(out))).toEqual(before);
  });

  test("tied embeddings are stored once", async () => {
    const out = folder();
    await saveModel(await loadModel(tied), out);
    const names = [...new SafetensorsFile(join(out, "model.safetensors")).entries.keys()];
    expect(names).toContain("model.embed_tokens.weight");
    expect(names).not.toContain("lm_head.weight");
  });

  test("no tensor stays", async () => {
    const model = await loadModel(single);
    const before = await settledTensors();
    await saveModel(model, folder(), { dtype: "float16" });
    expect(memory().tensors).toBe(before);
  });
});

describe("config.json", () => {
  test("the dtype is that of the weights, under the name it had", async () => {
    const out = folder();
    await saveModel(await loadModel(old), out);
    expect(readJson(join(out, "config.json"))).toEqual({
      ...readJson(join(old, "config.json")),
      torch_dtype: "float32",
    });
    await saveModel(await loadModel(old), out, { dtype: "bfloat16" });
    expect(readJson(join(out, "config.json")).torch_dtype).toBe("bfloat16");
    expect(new SafetensorsFile(join(out, "model.safetensors")).entries.get("model.norm.weight")!.dtype).toBe("bfloat16");
  });

  test("a model that was not loaded gets what makes the folder whole", async () => {
    const { architectures, model_type, dtype, ...sizes } = readJson(join(single, "config.json"));
    const model = new LlamaForCausalLM(sizes, { generator: new Generator().manualSeed(0) });
    const out = folder();
    await saveModel(model, out);
    expect(readJson(join(out, "config.json"))).toEqual({ ...sizes, architectures, model_type, dtype });
    expect(values(await loadModel(out))).toEqual(values(model));
  });
});

describe("adapters", () => {
  test("one that is not merged is refused, a merged one leaves its layers' names as they were", async () => {
    const model = await loadModel(single, { adapter: lora({ r: 2, targetModules: "all-linear" }) });
    await expect(saveModel(model, folder())).rejects.toThrow(
      "Expected a model without an adapter for 'model' but model.layers.0.self_attn.q_proj has one; mergeAndUnload()",
    );
    for (const [, layer] of loraLayers(model)) layer.merge();
    const out = folder();
    await saveModel(model, out);
    const names = (path: string) => [...new SafetensorsFile(join(path, "model.safetensors")).entries.keys()].sort();
    expect(names(out)).toEqual(names(single));
  });
});

/** Runs `fn` while no file of this process may grow beyond `bytes`. */
async function withFileLimit(bytes: number, fn: () => Promise<void>): Promise<void> {
  const limit = (soft: string) => execFileSync("prlimit", [`--fsize=${soft}:`, "--pid", String(process.pid)]);
  limit(String(bytes));
  try {
    await fn();
  } finally {
    limit("unlimited");
  }
}

describe("a disk that is full", () => {
  test("while weights are saved: an error, and the folder is as it was", async () => {
    const model = await loadModel(single);
    for (const [out, maxShardSize] of [
      [folder(), 5e9],
      [folder(tied), 5e9],
      [folder(single), 9000],
      [folder(old), 9000],
    ] as const) {
      const before = contents(out);
      await withFileLimit(8192, () => expect(saveModel(model, out, { maxShardSize })).rejects.toThrow("EFBIG"));
      expect(contents(out)).toEqual(before);
    }
  });

  test("a folder that was made for it goes too", async () => {
    const model = await loadModel(single);
    const parent = folder();
    await withFileLimit(8192, () => expect(saveModel(model, join(parent, "new"))).rejects.toThrow("EFBIG"));
    expect(readdirSync(parent)).toEqual([]);
    await saveModel(model, join(parent, "new"));
    expect(readdirSync(join(parent, "new"))).toHaveLength(2);
  });

  test("while an adapter is saved, likewise", async () => {
    const model = await loadModel(single);
    applyLora(model, lora({ targetModules: "all-linear" }));
    const out = folder(folderOf("adapters", "list"));
    const before = contents(out);
    await withFileLimit(8192, () => expect(saveAdapter(model, out)).rejects.toThrow("EFBIG"));
    expect(contents(out)).toEqual(before);
    const other = await loadModel(single);
    expect(await loadAdapter(other, out)).toHaveLength(4);
  });
});

describe("the files beside the weights", () => {
  const names = ["tokenizer.json", "tokenizer.model", "chat_template.jinja", "generation_config.json", "merges.txt"];
  const templates = "additional_chat_templates";

  function withCompanions(): string {
    const from = folder(single);
    mkdirSync(join(from, templates));
    for (const name of [...names, "README.md", "training_args.bin", `${templates}/rag.jinja`])
      writeFileSync(join(from, name), `${name} of the base`);
    return from;
  }

  test("come along from the folder of the model, the tokenizer's and how to generate", async () => {
    const model = await loadModel(withCompanions());
    const out = join(folder(), "deep", "new");
    await saveModel(model, out);
    expect(readdirSync(out).sort()).toEqual([...names, templates, "config.json", "model.safetensors"].sort());
    expect(readFileSync(join(out, templates, "rag.jinja"), "utf8")).toBe(`${templates}/rag.jinja of the base`);
  });

  test("stay as they are when it is saved over its own folder", async () => {
    const from = withCompanions();
    const read = () => [...names, `${templates}/rag.jinja`].map((name) => readFileSync(join(from, name), "utf8"));
    const before = read();
    await saveModel(await loadModel(from), from);
    expect(read()).toEqual(before);
  });

  test("appear only with the weights", async () => {
    const model = await loadModel(withCompanions());
    const parent = folder();
    writeFileSync(join(model.folder!, "tokenizer.json"), "x".repeat(20_000));
    const saving = () => saveModel(model, join(parent, "deep/new"), { maxShardSize: 9000 });
    await withFileLimit(16_384, () => expect(saving()).rejects.toThrow("EFBIG"));
    expect(readdirSync(parent)).toEqual([]);
  });
});

test("what a killed writer left is cleared, what a running one writes is not", async () => {
  const out = folder();
  const dead = Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));
  const [killed, running] = [temporaryName({ ...thisProcess(), pid: dead }), temporaryName()];
  for (const name of [killed, running]) writeFileSync(join(out, name), "half");
  writeFileSync(join(out, ".smaug-notes.tmp"), "mine");
  await saveModel(await loadModel(single), out);
  expect(readdirSync(out).sort()).toEqual([running, ".smaug-notes.tmp", "config.json", "model.safetensors"].sort());
});

test("a folder that cannot be made, and options that make no sense", async () => {
  const model = await loadModel(single);
  const file = join(folder(), "file");
  writeFileSync(file, "");
  await expect(saveModel(model, join(file, "out"))).rejects.toThrow("ENOTDIR");
  rmSync(file);
  await expect(saveModel(model, file, { maxShardSize: 0 })).rejects.toThrow("for 'maxShardSize' but received 0");
  await expect(saveModel(model, file, { dtype: "int8" })).rejects.toThrow("for 'dtype' but received int8");
  expect(readdirSync(join(file, ".."))).toEqual([]);
});
