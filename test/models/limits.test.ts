/**
 * Files of a model that would take all memory, or never end: refused at once, with a message that names the file and
 * what is wrong in it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FolderError, loadAdapter, loadModel } from "../../src/models";
import { readGgufHeader } from "../../src/models/formats/gguf/header";
import { folderOf } from "../parity/fixture";
import { temporaryFolders, writeSafetensorsFile } from "./folders";
import { ggufBytes } from "./ggufFiles";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const sharded = folderOf("folders", "sharded");
const list = folderOf("adapters", "list");

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

async function refusal(loading: () => Promise<unknown>): Promise<string> {
  const error = await loading().then(
    () => expect.fail("it was loaded"),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(FolderError);
  expect(error.message.length).toBeLessThan(9000);
  return error.message;
}

/** A copy of a model folder with other entries in its config, as JSON text. */
function withConfig(entries: Record<string, string>, from = single): string {
  const copy = folder(from);
  setConfig(copy, entries, from);
  return copy;
}

function setConfig(copy: string, entries: Record<string, string>, from: string): void {
  const before = JSON.stringify(readJson(join(from, "config.json"))).slice(0, -1);
  const added = Object.entries(entries).map(([key, value]) => `,${JSON.stringify(key)}:${value}`);
  // Of a key that is there twice, the last one counts.
  writeFileSync(join(copy, "config.json"), `${before}${added.join("")}}`);
}

describe("sizes in config.json that the weights do not have", () => {
  const shape = (rows: string, columns: string) => new RegExp(`\\(.*${rows}.*, .*${columns}.*\\) for 'model\\.`);

  test.each<[string, number, RegExp]>([
    ["num_hidden_layers", 100_000_000, /Expected 2 for 'num_hidden_layers', .*in the weights, but received 100000000/],
    ["num_hidden_layers", 1, /Expected 2 for 'num_hidden_layers'/],
    ["head_dim", 1e9, shape("num_attention_heads × head_dim", "hidden_size")],
    ["head_dim", 2 ** 52, shape("num_attention_heads × head_dim", "hidden_size")],
    ["num_attention_heads", 2 ** 40, /num_attention_heads/],
    ["num_key_value_heads", 4, shape("num_key_value_heads × head_dim", "hidden_size")],
    ["vocab_size", 1e12, shape("vocab_size", "hidden_size")],
    ["hidden_size", 2 ** 50, shape("vocab_size", "hidden_size")],
    ["intermediate_size", 2 ** 53 - 1, shape("hidden_size", "intermediate_size")],
  ])("%s %d", async (key, value, message) => {
    const copy = withConfig({ [key]: String(value) });
    expect(await refusal(() => loadModel(copy))).toMatch(message);
  });

  test("the expected shapes are shown with the keys that they follow from", async () => {
    const copy = withConfig({ intermediate_size: "25" });
    expect(await refusal(() => loadModel(copy))).toBe(
      `The weights in ${copy} are not those its config.json asks for:\n` +
        "  Expected shape [16, 25] (hidden_size, intermediate_size) for 'model.layers.0.mlp.down_proj.weight' " +
        "but received [16, 24]\n" +
        "  Expected shape [25, 16] (intermediate_size, hidden_size) for 'model.layers.0.mlp.gate_proj.weight' " +
        "but received [24, 16]\n" +
        "  Expected shape [25, 16] (intermediate_size, hidden_size) for 'model.layers.0.mlp.up_proj.weight' " +
        "but received [24, 16]",
    );
  });

  test("a config of another architecture, whose tensors are not there", async () => {
    const copy = withConfig({
      architectures: '["MixtralForCausalLM"]',
      model_type: '"mixtral"',
      num_local_experts: "100000000",
    });
    const message = await refusal(() => loadModel(copy));
    expect(message).toContain("Expected a tensor '….block_sparse_moe.gate.weight', of the size num_local_experts");
    expect(message).toContain("Expected tensors 'model.layers.0.block_sparse_moe.experts.*' but received none");
  });

  test("weights without layers", async () => {
    const copy = folder(single);
    writeSafetensorsFile(join(copy, "model.safetensors"), { x: { dtype: "U8", shape: [1], data_offsets: [0, 1] } }, 1);
    expect(await refusal(() => loadModel(copy))).toContain("Expected tensors 'model.layers.*' but received none");
  });

  // Whatever keys an architecture has: those of its config here, one after another.
  const models = readdirSync(folderOf("models")).filter((name) => !/-/.test(name));
  test.each(models)("each number of %s", async (name) => {
    const from = folderOf("models", name);
    const numbers = Object.entries(readJson(join(from, "config.json"))).filter(([, value]) => typeof value === "number");
    expect(numbers.length).toBeGreaterThan(8);
    const copy = folder(from);
    for (const [key] of numbers) {
      for (const value of ["1e8", "9007199254740991", "1e999", "[8]"]) {
        setConfig(copy, { [key]: value }, from);
        // A model may do without the key, or take so large a number: then it is loaded. It must not take memory for it.
        await loadModel(copy).then(
          (model) => model.dispose(),
          (error: unknown) => expect(error, `${key} ${value}`).toBeInstanceOf(FolderError),
        );
      }
    }
  });
});

describe("values that are not numbers", () => {
  test.each([
    ["rms_norm_eps", "1e999", "Expected a number from 0 for 'rms_norm_eps' but received Infinity"],
    ["rope_theta", "[]", "Expected a number from 1 for 'rope_theta' but received []"],
    ["vocab_size", "1e999", "Expected a positive integer for 'vocab_size' but received Infinity"],
    ["architectures", deep(499), "for 'architectures' but received"],
  ])("%s %s", async (key, value, message) => {
    const copy = withConfig({ [key]: value });
    const found = await refusal(() => loadModel(copy));
    expect(found).toContain(message);
    expect(found).toContain(join(copy, "config.json"));
  });
});

describe("JSON nested too deeply", () => {
  test("config.json", async () => {
    const copy = withConfig({ architectures: deep(100_000) });
    const path = join(copy, "config.json");
    expect(await refusal(() => loadModel(copy))).toBe(
      `Expected at most 500 levels of lists and objects in ${path} but received more`,
    );
  });

  test("an index", async () => {
    const copy = folder(sharded);
    const path = join(copy, "model.safetensors.index.json");
    writeFileSync(path, `{"weight_map":${deep(100_000)}}`);
    expect(await refusal(() => loadModel(copy))).toContain(`levels of lists and objects in ${path}`);
  });

  test("the header of a safetensors file", async () => {
    const copy = folder(single);
    const path = join(copy, "model.safetensors");
    writeSafetensorsFile(path, `{"a":{"dtype":"F32","shape":${deep(100_000)},"data_offsets":[0,0]}}`);
    expect(await refusal(() => loadModel(copy))).toContain(`levels of lists and objects in the header of ${path}`);
  });

  test("adapter_config.json", async () => {
    const copy = folder(list);
    const path = join(copy, "adapter_config.json");
    writeFileSync(path, `{"target_modules":${deep(100_000)}}`);
    const model = await loadModel(single);
    expect(await refusal(() => loadAdapter(model, copy))).toContain(`levels of lists and objects in ${path}`);
  });
});

describe("what is not a file", () => {
  const inModel = [
    "config.json",
    "model.safetensors",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "spiece.model",
    "merges.txt",
  ];
  const inShards = ["model.safetensors.index.json", "model-00002-of-00003.safetensors"];
  const inAdapter = ["adapter_config.json", "adapter_model.safetensors"];
  const places = [
    ...inModel.map((file) => [single, file] as const),
    ...inShards.map((file) => [sharded, file] as const),
    ...inAdapter.map((file) => [list, file] as const),
  ];
  const kinds: [string, (path: string) => void, string][] = [
    ["a named pipe", (path) => void expect(spawnSync("mkfifo", [path]).status).toBe(0), "a named pipe"],
    ["a device", (path) => symlinkSync("/dev/zero", path), "a device"],
    ["a folder", (path) => mkdirSync(path), "a folder"],
    ["a link to nothing", (path) => symlinkSync("nothing", path), "there is none"],
    ["a link to itself", (path) => symlinkSync(path, path), "ELOOP"],
  ];

  test.each(kinds)("%s in the place of any file", async (_, make, found) => {
    const model = await loadModel(single);
    for (const [from, file] of places) {
      const copy = folder(from);
      const path = join(copy, file);
      rmSync(path, { force: true });
      make(path);
      const message = await refusal(() => (from === list ? loadAdapter(model, copy) : loadModel(copy)));
      expect(message).toContain(path);
      expect(message).toContain(found);
    }
  });

  test.each(kinds)("%s as a GGUF file", async (_, make, found) => {
    const path = join(folder(), "model.gguf");
    make(path);
    const message = await refusal(() => loadModel(path));
    expect(message).toContain(`Expected a GGUF file at ${path} but`);
    expect(message).toContain(found);
  });
});

describe("files that are too large", () => {
  test.each([
    ["config.json", single],
    ["adapter_config.json", list],
    ["model.safetensors.index.json", sharded],
    ["tokenizer.json", single],
  ])("%s of a gigabyte", async (file, from) => {
    const model = await loadModel(single);
    const copy = folder(from);
    const path = join(copy, file);
    writeFileSync(path, "{}", { flag: "a" });
    truncateSync(path, 2 ** 30); // no disk space: the rest is a hole
    const message = await refusal(() => (from === list ? loadAdapter(model, copy) : loadModel(copy)));
    expect(message).toContain(path);
    expect(message).toMatch(/at most \d+ bytes/);
  });

  test("an empty file", async () => {
    const copy = folder(single);
    for (const file of ["model.safetensors", "config.json"]) {
      writeFileSync(join(copy, file), "");
      expect(await refusal(() => loadModel(copy))).toContain(join(copy, file));
    }
  });

  test.each([
    ["layers_to_transform", 10_000],
    ["target_modules", 10_000],
    ["modules_to_save", 1000],
  ])("%s in adapter_config.json with more entries than any model has", async (key, most) => {
    const copy = folder(list);
    const path = join(copy, "adapter_config.json");
    const entries = Array.from({ length: most + 1 }, (_, i) => (key === "layers_to_transform" ? i : `layer${i}`));
    writeFileSync(path, JSON.stringify({ ...readJson(path), [key]: entries }));
    const model = await loadModel(single);
    expect(await refusal(() => loadAdapter(model, copy))).toContain(
      `${path}: Expected at most ${most} entries for '${key}' but received ${most + 1}`,
    );
  });

  test.each([
    ["r", "1000000000", "Expected shape [1000000000, 16]"],
    ["lora_alpha", "1e999", "Expected a number from 0 for 'lora_alpha' but received Infinity"],
    ["rank_pattern", '{"q_proj":1000000000}', "[1000000000, 16]"],
    ["base_model_name_or_path", '{"toString":1},"r":7', "made for an unnamed model"],
  ])("an adapter with %s %s", async (key, value, message) => {
    const copy = folder(list);
    const path = join(copy, "adapter_config.json");
    writeFileSync(path, `${JSON.stringify(readJson(path)).slice(0, -1)},"${key}":${value}}`);
    const model = await loadModel(single);
    expect(await refusal(() => loadAdapter(model, copy))).toContain(message);
  });
});

test("a file that another process cuts short between header and weights is named", async () => {
  const copy = folder(single);
  const path = join(copy, "model.safetensors");
  const loading = loadModel(copy, { dtype: "bfloat16" }); // stops after each tensor for other work
  let turns = 0;
  await new Promise<void>((resolve) => {
    const wait = () => (++turns < 3 ? setImmediate(wait) : (rmSync(path), resolve()));
    setImmediate(wait);
  });
  expect(await refusal(() => loading)).toContain(`Expected a safetensors file at ${path} but there is none`);
});

describe("a GGUF head", () => {
  const write = (bytes: Buffer, size = bytes.length) => {
    const path = join(folder(), "model.gguf");
    writeFileSync(path, bytes);
    truncateSync(path, size);
    return path;
  };
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value: bigint) => Buffer.from(BigUint64Array.of(value).buffer);
  const text = (value: string) => Buffer.concat([u64(BigInt(value.length)), Buffer.from(value)]);
  const head = (tensors: bigint, pairs: bigint, ...rest: Buffer[]) =>
    Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(pairs), ...rest]);
  const huge = 4 * 10 ** 9; // a hole, not disk space

  test.each<[string, Buffer, string]>([
    [
      "an array that a sparse file could hold",
      head(1n, 1n, text("tokenizer.ggml.scores"), u32(9), u32(0), u64(1_900_000_000n)),
      "Expected at most 8388608 values of 'tokenizer.ggml.scores'",
    ],
    [
      "arrays that are too long together",
      head(0n, 1n, text("a"), u32(9), u32(9), u64(3n), ...[0, 1, 2].flatMap(() => [u32(0), u64(4_000_000n), Buffer.alloc(4e6)])),
      "values of 'a'",
    ],
    [
      "arrays in arrays",
      head(0n, 1n, text("a"), u32(9), ...Array.from({ length: 9 }, () => [u32(9), u64(1n)]).flat()),
      "arrays at most 4 deep for 'a'",
    ],
    ["a string", head(0n, 1n, text("a"), u32(8), u64(3_000_000_000n)), "texts of at most 16777216 bytes"],
    ["a key", head(0n, 1n, u64(3_000_000_000n)), "texts of at most 16777216 bytes"],
    ["tensors", head(100_000_000n, 0n), "at most 131072 tensors"],
    ["entries", head(0n, 100_000_000n), "at most 65536 metadata entries"],
    ["2^63 entries", head(0n, 2n ** 63n), "metadata entries in"],
    ["2^63 values", head(0n, 1n, text("a"), u32(9), u32(8), u64(2n ** 63n)), "values of 'a'"],
  ])("%s", (_, bytes, message) => {
    const path = write(bytes, huge);
    const named = expect.objectContaining({ name: "FolderError", message: expect.stringContaining(message) as string });
    expect(() => readGgufHeader(path)).toThrow(named as Error);
  });

  test.each([0, 0.5, -8, "32", [32]])("an alignment of %j", (alignment) => {
    const path = write(ggufBytes({ "general.alignment": alignment }));
    expect(() => readGgufHeader(path)).toThrow("Expected a power of two for 'general.alignment'");
  });
});

describe("sizes in the metadata of a GGUF file that its tensors do not have", () => {
  const bytes = readFileSync(folderOf("gguf", "llama.gguf"));
  /** Another value for a uint32. */
  const withNumber = (key: string, value: number) => {
    const copy = Buffer.from(bytes);
    const at = copy.indexOf(key) + key.length;
    expect(copy.readUInt32LE(at)).toBe(4);
    copy.writeUInt32LE(value, at + 4);
    const path = join(folder(), "model.gguf");
    writeFileSync(path, copy);
    return path;
  };

  test.each([
    ["llama.block_count", 4e9, /Expected \d+ for 'llama.block_count' in .*, the number of its blocks, but received 4000/],
    ["llama.embedding_length", 4e9, /the weights in .*model\.gguf are not those its metadata asks for:\n.*hidden_size/i],
    ["llama.feed_forward_length", 4e9, /intermediate_size/],
    ["llama.attention.head_count", 2 ** 30, /num_attention_heads/],
  ])("%s", async (key, value, message) => {
    expect(await refusal(() => loadModel(withNumber(key, value)))).toMatch(message);
  });
});
