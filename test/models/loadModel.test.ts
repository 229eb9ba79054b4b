import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type CausalLM, LlamaForCausalLM, loadModel, saveModel } from "../../src/models";
import { lora, loraLayers } from "../../src/nn";
import { Generator, memory, noGrad, tensor, tidy } from "../../src/torch";
import { folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";
import { temporaryFolders, writeSafetensorsFile } from "./folders";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const sharded = folderOf("folders", "sharded");
const tied = folderOf("folders", "tied");

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, any>;
const change = (path: string, edit: (json: Record<string, any>) => void) => {
  const json = readJson(path);
  edit(json);
  writeFileSync(path, JSON.stringify(json));
};
const dtypeOf = (model: CausalLM) => model.parameters().next().value!.dtype;
const ids = tensor([[1, 2, 3]], { dtype: "int64" });
const logits = (model: CausalLM) => tidy(() => noGrad(() => model.forward(ids).toArray() as Float32Array));

describe("dtype", () => {
  test.each([
    { options: {}, dtype: "float32" },
    { options: { dtype: "auto" }, dtype: "bfloat16" },
    { options: { dtype: "float16" }, dtype: "float16" },
    { options: { dtype: "float64" }, dtype: "float64" },
  ] as const)("$options gives $dtype", async ({ options, dtype }) => {
    const model = await loadModel(tied, options);
    expect(new Set([...model.parameters()].map((parameter) => parameter.dtype))).toEqual(new Set([dtype]));
  });

  test('"auto" goes by the weights when the config says nothing', async () => {
    const copy = folder(tied);
    change(join(copy, "config.json"), (config) => delete config.dtype);
    expect(dtypeOf(await loadModel(copy, { dtype: "auto" }))).toBe("bfloat16");
  });

  test.each(["float8_e4m3fn", "int8", "complex64"] as const)("%s is refused", async (dtype) => {
    await expect(loadModel(tied, { dtype })).rejects.toThrow(`for 'dtype' but received ${dtype}`);
  });
});

test("the model is in eval mode, knows its folder and keeps its config", async () => {
  const model = await loadModel(single);
  expect([...model.modules()].some(({ training }) => training)).toBe(false);
  expect(model.folder).toBe(single);
  expect(model.configJson).toEqual(readJson(join(single, "config.json")));
});

test("a fresh adapter trains alone", async () => {
  const model = await loadModel(single, { adapter: lora({ r: 2 }) });
  expect(loraLayers(model)).toHaveLength(4);
  const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
  expect(trained.every(([name]) => name.includes("lora_"))).toBe(true);
  expect(logits(model)).toEqual(logits(await loadModel(single)));
});

test("training all weights of a mapped file does not reach the file", async () => {
  const before = readFileSync(join(single, "model.safetensors"));
  const model = await loadModel(single);
  noGrad(() => [...model.parameters()].forEach((parameter) => parameter.zero_()));
  expect(readFileSync(join(single, "model.safetensors"))).toEqual(before);
  expect(new Set(logits(model))).toEqual(new Set([0]));
});

test("tensors that follow from the config are passed over", async () => {
  const copy = folder();
  const path = join(single, "model.safetensors");
  const model = (await loadModel(single)) as LlamaForCausalLM;
  writeFileSync(join(copy, "config.json"), readFileSync(join(single, "config.json")));
  rewrite(path, join(copy, "model.safetensors"), "model.layers.0.self_attn.rotary_emb.inv_freq", [2], Buffer.alloc(8));
  expect(logits(await loadModel(copy))).toEqual(logits(model));
});

describe("tied embeddings", () => {
  const embedding = () => {
    const bytes = readFileSync(join(tied, "model.safetensors"));
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Record<string, { data_offsets: [number, number] }>;
    const [start, end] = header["model.embed_tokens.weight"]!.data_offsets;
    return bytes.subarray(8 + length + start, 8 + length + end);
  };

  test("a head that repeats the embedding is accepted, another one named", async () => {
    for (const equal of [true, false]) {
      const copy = folder(tied);
      const head = Buffer.from(embedding());
      if (!equal) head[5]! ^= 1;
      rewrite(join(tied, "model.safetensors"), join(copy, "model.safetensors"), "lm_head.weight", [40, 16], head, "BF16");
      if (equal) expect(logits(await loadModel(copy))).toEqual(logits(await loadModel(tied)));
      else await expect(loadModel(copy)).rejects.toThrow(/Expected 'lm_head.weight' in .* to equal 'model.embed_tokens.weight'/);
    }
  });

  test("a folder that has only the head is whole", async () => {
    const copy = folder(tied);
    const text = readFileSync(join(tied, "model.safetensors"), "latin1");
    const renamed = text.replace('"model.embed_tokens.weight"', '"lm_head.weight"'.padEnd(27));
    writeFileSync(join(copy, "model.safetensors"), renamed, "latin1");
    expect(logits(await loadModel(copy))).toEqual(logits(await loadModel(tied)));
  });
});

describe("a folder that does not fit its config", () => {
  test("missing, unexpected and misshapen tensors are named, and nothing stays", async () => {
    const copy = folder(single);
    change(join(copy, "config.json"), (config) => {
      config.attention_bias = true;
      config.mlp_bias = true;
      config.tie_word_embeddings = false;
    });
    const before = await settledTensors();
    const loading = loadModel(copy);
    await expect(loading).rejects.toThrow(`The weights in ${copy} are not those its config.json asks for:`);
    await expect(loading).rejects.toThrow("Expected a tensor 'model.layers.0.self_attn.q_proj.bias' [16] but received none");
    await expect(loading).rejects.toThrow("… and ");
    expect(memory().tensors).toBe(before);

    const text = readFileSync(join(single, "model.safetensors"), "latin1");
    const other = text.replace("layers.1.input_layernorm", "layers.1.inputs_layernor");
    writeFileSync(join(copy, "model.safetensors"), other, "latin1");
    change(join(copy, "config.json"), (config) => (config.attention_bias = config.mlp_bias = false));
    await expect(loadModel(copy)).rejects.toThrow(
      "Expected no 'model.layers.1.inputs_layernor.weight': LlamaForCausalLM has no such tensor",
    );
  });

  test("integers where weights should be", async () => {
    const copy = folder(single);
    const text = readFileSync(join(single, "model.safetensors"), "latin1");
    writeFileSync(join(copy, "model.safetensors"), text.replace('"F32"', '"I32"'), "latin1");
    await expect(loadModel(copy)).rejects.toThrow(/Expected floating-point values for '.*' but received int32; quantised/);
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      "another architecture",
      { architectures: ["BertModel"] },
      `for 'architectures' but received ["BertModel"] (model_type "llama"); it is not supported`,
    ],
    ["another model type", { architectures: undefined, model_type: "mamba" }, `received nothing (model_type "mamba")`],
    ["a class that is not its type's", { model_type: "mistral" }, `Expected "llama" for 'model_type' but received "mistral"`],
    ["a value that is not supported", { hidden_act: "relu2" }, `for 'hidden_act' but received "relu2"; it is not supported`],
    ["an unknown dtype", { dtype: "float12" }, `for 'dtype' but received "float12"`],
    ["a size that is none", { hidden_size: "16" }, `Expected a positive integer for 'hidden_size'`],
  ])("%s is named, with the file", async (_, keys, message) => {
    const copy = folder(single);
    change(join(copy, "config.json"), (config) => Object.assign(config, keys));
    await expect(loadModel(copy)).rejects.toThrow(message);
    await expect(loadModel(copy)).rejects.toThrow(join(copy, "config.json"));
  });
});

describe("a folder that cannot be read", () => {
  test("is not there", async () => {
    await expect(loadModel(join(folder(), "no"))).rejects.toThrow(/Expected a model folder at .*no but there is none/);
  });

  test.each([
    [
      "no config.json",
      (path: string) => rmSync(join(path, "config.json")),
      /a model's configuration at .*config\.json but there is none/,
    ],
    [
      "config.json that is no JSON",
      (path: string) => writeFileSync(join(path, "config.json"), "{,}"),
      /a model's configuration as JSON in .*config\.json/,
    ],
    [
      "config.json that is no object",
      (path: string) => writeFileSync(join(path, "config.json"), "[]"),
      /Expected a JSON object in .*config\.json but received \[\]/,
    ],
    [
      "no weights",
      (path: string) => rmSync(join(path, "model.safetensors")),
      /Expected model\.safetensors or .* but received no weights/,
    ],
    [
      "a GGUF file that is none",
      (path: string) => renameSync(join(path, "model.safetensors"), join(path, "m-Q4.gguf")),
      /Expected a GGUF file at .*m-Q4\.gguf but it does not begin with "GGUF"/,
    ],
    [
      "only pickled weights",
      (path: string) => renameSync(join(path, "model.safetensors"), join(path, "pytorch_model.bin")),
      /only pytorch_model\.bin: such a file can run code .*\n {2}python -c ".*save_pretrained\('.*'\)"/,
    ],
  ])("%s", async (_, damage, message) => {
    const copy = folder(single);
    damage(copy);
    await expect(loadModel(copy)).rejects.toThrow(message);
    await expect(loadModel(copy)).rejects.toMatchObject({ name: "FolderError" });
  });
});

describe("shards", () => {
  const index = (path: string) => join(path, "model.safetensors.index.json");
  const first = "model-00001-of-00003.safetensors";

  test.each<[string, (path: string) => void, RegExp]>([
    [
      "one is missing",
      (path) => rmSync(join(path, first)),
      /Expected 3 shards beside .*index\.json but model-00001-of-00003\.safetensors is missing/,
    ],
    [
      "one is cut short",
      (path) => writeFileSync(join(path, first), readFileSync(join(path, first)).subarray(0, -1)),
      /model-00001-of-00003\.safetensors.* it is cut short/,
    ],
    ["the index is no JSON", (path) => writeFileSync(index(path), "{"), /an index of weights as JSON in .*index\.json/],
    [
      "the index has no map",
      (path) => writeFileSync(index(path), "{}"),
      /files by tensor for 'weight_map' of .* but received nothing/,
    ],
    [
      "the index points outside",
      (path) => change(index(path), (json) => (json.weight_map["lm_head.weight"] = "../x.safetensors")),
      /within the folder for 'lm_head\.weight' in .* but received "\.\.\/x\.safetensors"/,
    ],
    [
      "the index points outside by detours",
      (path) => change(index(path), (json) => (json.weight_map["lm_head.weight"] = "a/../../x.safetensors")),
      /within the folder for 'lm_head\.weight'/,
    ],
    [
      "the index names an absolute path",
      (path) => change(index(path), (json) => (json.weight_map["lm_head.weight"] = "/x.safetensors")),
      /within the folder for 'lm_head\.weight'/,
    ],
    [
      "the index names another format",
      (path) => change(index(path), (json) => (json.weight_map["lm_head.weight"] = "x.bin")),
      /a \.safetensors file .* but received "x\.bin"/,
    ],
    [
      "the index names no file",
      (path) => change(index(path), (json) => (json.weight_map["lm_head.weight"] = 3)),
      /for 'lm_head\.weight' in .* but received 3/,
    ],
    [
      "a tensor is not in its shard",
      (path) => change(index(path), (json) => (json.weight_map["model.norm.weight"] = first)),
      /Expected 'model\.norm\.weight' in .*00001-of-00003\.safetensors, as .* says, but it is not there/,
    ],
    [
      "a tensor is in no shard",
      (path) => change(index(path), (json) => (json.weight_map["model.more.weight"] = first)),
      /Expected 'model\.more\.weight' in/,
    ],
    [
      "a tensor is in two shards",
      (path) => {
        writeFileSync(join(path, "other.safetensors"), readFileSync(join(path, first)));
        change(index(path), (json) => (json.weight_map["model.embed_tokens.weight"] = "other.safetensors"));
      },
      /in one file but received it in .* and /,
    ],
  ])("%s", async (_, damage, message) => {
    const copy = folder(sharded);
    damage(copy);
    await expect(loadModel(copy)).rejects.toThrow(message);
    await expect(loadModel(copy)).rejects.toMatchObject({ name: "FolderError" });
  });
});

test("8-bit floats become bfloat16, or the dtype asked for", async () => {
  const saved = folder();
  const model = new LlamaForCausalLM(readJson(join(single, "config.json")), {
    generator: new Generator().manualSeed(1),
  });
  await saveModel(model, saved, { dtype: "float8_e4m3fn" });
  expect(dtypeOf(await loadModel(saved, { dtype: "auto" }))).toBe("bfloat16");
  const [loaded, expected] = [await loadModel(saved), [...model.parameters()]];
  for (const [i, parameter] of [...loaded.parameters()].entries())
    expect(parameter.toArray()).toEqual(tidy(() => expected[i]!.detach().to("float8_e4m3fn").to("float32").toArray()));
});

/** Copies a safetensors file and puts one more tensor at its end. */
function rewrite(from: string, to: string, name: string, shape: number[], data: Buffer, dtype = "F32"): void {
  const bytes = readFileSync(from);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Record<string, unknown>;
  const old = bytes.subarray(8 + length);
  header[name] = { dtype, shape, data_offsets: [old.length, old.length + data.length] };
  writeSafetensorsFile(to, header, Buffer.concat([old, data]));
}
