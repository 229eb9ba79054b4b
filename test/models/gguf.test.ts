/** GGUF files: where they are found, their config, and what is wrong with bad ones. */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FolderError, loadModel } from "../../src/models";
import { openGguf } from "../../src/models/formats/gguf/gguf";
import { readGgufHeader } from "../../src/models/formats/gguf/header";
import { memory, noGrad, tensor, tidy } from "../../src/torch";
import { folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";
import { temporaryFolders } from "./folders";
import { ggufBytes, type TensorSpec, writeGguf } from "./ggufFiles";

const folder = temporaryFolders();
const files = folderOf("gguf");
const llama = join(files, "llama.gguf");
const shard = (n: number) => `llama3-sharded-0000${n}-of-00003.gguf`;

const logits = async (path: string) => {
  const model = await loadModel(path);
  return tidy(() => noGrad(() => model.forward(tensor([[1, 2, 3]], { dtype: "int64" })).toArray() as Float32Array));
};

/** A Llama of one layer, full of zeros. */
const metadata = {
  "general.architecture": "llama",
  "llama.embedding_length": 4,
  "llama.feed_forward_length": 4,
  "llama.block_count": 1,
  "llama.attention.head_count": 1,
  "llama.attention.layer_norm_rms_epsilon": 1e-5,
  "llama.context_length": 8,
};
const square = (name: string) => ({ name: `blk.0.${name}.weight`, shape: [4, 4] });
const tensors: TensorSpec[] = [
  { name: "token_embd.weight", shape: [6, 4] },
  { name: "output_norm.weight", shape: [4] },
  { name: "blk.0.attn_norm.weight", shape: [4] },
  { name: "blk.0.ffn_norm.weight", shape: [4] },
  ...["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map(square),
];
const withTensor = (name: string, change: Partial<TensorSpec>) =>
  ggufBytes(
    metadata,
    tensors.map((each) => (each.name === `${name}.weight` ? { ...each, ...change } : each)),
  );

async function rejection(bytes: Buffer): Promise<string> {
  const path = join(folder(), "model.gguf");
  writeFileSync(path, bytes);
  const before = await settledTensors();
  const error = await loadModel(path).then(
    () => expect.fail("it was loaded"),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(FolderError);
  expect(error.message).toContain(path);
  expect(memory().tensors).toBe(before);
  return error.message;
}

describe("where a model is found", () => {
  test("a folder with one file is that file", async () => {
    const one = folder();
    copyFileSync(llama, join(one, "any-name.gguf"));
    expect(await logits(one)).toEqual(await logits(llama));
  });

  test("a folder with the shards of one", async () => {
    const one = folder();
    for (const n of [1, 2, 3]) copyFileSync(join(files, shard(n)), join(one, shard(n)));
    expect(await logits(one)).toEqual(await logits(join(files, shard(1))));
    rmSync(join(one, shard(2)));
    await expect(loadModel(one)).rejects.toThrow(`${shard(2)} is missing`);
  });

  test("of several models the folder does not choose", async () => {
    await expect(loadModel(files)).rejects.toThrow("Expected one GGUF model");
  });

  test("safetensors come first", async () => {
    const both = folder(folderOf("folders", "single"));
    copyFileSync(llama, join(both, "llama.gguf"));
    expect(await logits(both)).toEqual(await logits(folderOf("folders", "single")));
  });

  test("a shard under another name is not taken for the whole", async () => {
    const path = join(folder(), "renamed.gguf");
    copyFileSync(join(files, shard(1)), path);
    await expect(loadModel(path)).rejects.toThrow("Expected 3 files for 'split.count'");
  });

  test("a path without a file", async () => {
    const path = join(folder(), "none.gguf");
    await expect(loadModel(path)).rejects.toThrow(`at ${path}`);
  });
});

describe("the config", () => {
  test("is Hugging Face's", () => {
    const ends = { "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.eot_token_id": 3 };
    const path = writeGguf(join(folder(), "m.gguf"), { ...metadata, ...ends }, tensors);
    expect(openGguf(path).config).toMatchObject({
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      vocab_size: 6,
      hidden_size: 4,
      head_dim: 4,
      num_key_value_heads: 1,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      tie_word_embeddings: true,
      eos_token_id: [2, 3],
      torch_dtype: "float32",
    });
  });

  test("quantised weights are bfloat16 where the dtype is left to the file", async () => {
    const model = await loadModel(llama, { dtype: "auto" });
    expect(model.parameters().next().value!.dtype).toBe("bfloat16");
  });

  test.each([
    ["an architecture that is not supported", { "general.architecture": "mamba" }, 'received "mamba"'],
    ["a key that could change the numbers", { "llama.attention.scale": 0.5 }, "no 'llama.attention.scale'"],
    ["experts", { "llama.expert_count": 8 }, "no 'llama.expert_count'"],
    ["another rope scaling", { "llama.rope.scaling.type": "longrope" }, 'received "longrope"'],
    ["a size that is none", { "llama.block_count": "one" }, `for 'llama.block_count'`],
    ["values of another size than keys", { "llama.attention.value_length": 2 }, "4 for 'llama.attention.value_length'"],
  ] as [string, Record<string, string | number>, string][])("%s is refused", async (_, change, message) => {
    expect(await rejection(ggufBytes({ ...metadata, ...change }, tensors))).toContain(message);
  });

  test("rope_freqs that are not Llama 3's are refused", async () => {
    const freqs = { name: "rope_freqs.weight", shape: [2] };
    expect(await rejection(ggufBytes(metadata, [...tensors, freqs]))).toContain("'rope_freqs.weight'");
  });
});

describe("bad files", () => {
  const whole = ggufBytes(metadata, tensors);

  test("the whole one is loaded", async () => {
    const path = writeGguf(join(folder(), "model.gguf"), metadata, tensors);
    expect(new Set(await logits(path))).toEqual(new Set([0]));
  });

  test("cut short anywhere", async () => {
    const head = readGgufHeader(writeGguf(join(folder(), "m.gguf"), metadata, tensors)).dataStart;
    for (const length of [0, 3, 10, 30, 200, head - 40, head, whole.length - 1])
      expect(await rejection(whole.subarray(0, length))).toMatch(/cut short|begin with "GGUF"/);
  });

  test.each([
    ["another kind of file", Buffer.from("PK\u0003\u0004 something else, long enough"), 'does not begin with "GGUF"'],
    ["version 1", ggufBytes(metadata, tensors, { version: 1 }), "version 2 or 3 of GGUF"],
    ["a big-endian file", ggufBytes(metadata, tensors, { version: 0x03000000 }), "big-endian"],
    ["more tensors than the file can hold", ggufBytes(metadata, tensors, { tensorCount: 2n ** 60n }), "cut short"],
    ["an alignment that is none", ggufBytes({ ...metadata, "general.alignment": 12 }, tensors), "a power of two"],
    ["a name twice", ggufBytes(metadata, [...tensors, tensors[0]!]), "'token_embd.weight' twice"],
    ["overlapping tensors", withTensor("output_norm", { offset: 32 }), "tensors overlap"],
    ["a gap", withTensor("output_norm", { offset: 4096 }), "leave a gap"],
    ["a tensor beyond the end", withTensor("blk.0.ffn_down", { shape: [4000, 4], bytes: 64 }), "to end within"],
    ["a type that is not supported", withTensor("blk.0.ffn_up", { type: 23 }), "received IQ4_XS"],
    ["an unknown type", withTensor("blk.0.ffn_up", { type: 99 }), "received number 99"],
    ["rows that are no blocks", withTensor("blk.0.ffn_up", { type: 8 }), "a multiple of 32 weights for 'blk.0.ffn_up"],
    ["a wrong shape", withTensor("blk.0.attn_k", { shape: [2, 4] }), "k_proj.weight' but received [2, 4]"],
    ["a tensor missing", ggufBytes(metadata, tensors.slice(0, -1)), "'model.layers.0.mlp.down_proj.weight'"],
    ["a tensor too many", ggufBytes(metadata, [...tensors, square("attn_sinks")]), "no 'blk.0.attn_sinks.weight'"],
  ])("%s", async (_, bytes, message) => {
    expect(await rejection(bytes)).toContain(message);
  });
});
