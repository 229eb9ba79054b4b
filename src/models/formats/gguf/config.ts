/**
 * The metadata of a GGUF file as the `config.json` that the model had, in the words of transformers 4, which 5 reads
 * too. What llama.cpp's converter computes into the file is undone here and in architectures.ts; a key that nothing here
 * asks for could change the numbers, and is an error.
 */
import { FolderError } from "../../folder";
import { architectureNamed } from "./architectures";
import type { GgufFile } from "./file";
import { GgufMetadata, show } from "./header";

type Json = Record<string, unknown>;

/** Builds the config. */
export function ggufConfig(file: GgufFile, tensors: ReadonlyMap<string, GgufFile>): Json {
  const metadata = new GgufMetadata(file.header);
  const name = metadata.string("general.architecture");
  const architecture = architectureNamed(name, file.path);
  const key = (suffix: string) => `${name}.${suffix}`;
  const has = (tensor: string) => tensors.has(tensor);
  const embedding = tensors.get("token_embd.weight")?.entries.get("token_embd.weight");
  if (!embedding) throw new FolderError(`Expected a tensor 'token_embd.weight' in ${file.path} but received none`);

  const hiddenSize = metadata.size(key("embedding_length"));
  const heads = metadata.size(key("attention.head_count"));
  const layers = metadata.size(key("block_count"));
  checkBlocks(file.path, key("block_count"), layers, tensors);
  const rotated = metadata.optionalSize(key("rope.dimension_count"));
  // Llama files without key_length say the size of a head as the number of dimensions that are rotated.
  const headWithout = (architecture.pairs && rotated) || hiddenSize / heads;
  const headDim = metadata.size(key("attention.key_length"), headWithout);
  const valueDim = metadata.size(key("attention.value_length"), headDim);
  if (valueDim !== headDim)
    throw new FolderError(
      `Expected ${headDim} for '${key("attention.value_length")}' in ${file.path}, as for keys, ` + `but received ${valueDim}`,
    );
  const config = {
    architectures: [architecture.className],
    model_type: architecture.modelType,
    vocab_size: embedding.shape[0],
    hidden_size: hiddenSize,
    intermediate_size: metadata.size(key("feed_forward_length")),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: metadata.size(key("attention.head_count_kv"), heads),
    head_dim: headDim,
    max_position_embeddings: metadata.size(key("context_length")),
    rms_norm_eps: metadata.number(key("attention.layer_norm_rms_epsilon")),
    rope_theta: metadata.number(key("rope.freq_base"), 10_000),
    ...(rotated !== undefined && rotated !== headDim && { partial_rotary_factor: rotated / headDim }),
    rope_scaling: ropeScaling(metadata, name, tensors, rotated ?? headDim),
    tie_word_embeddings: !has("output.weight"),
    ...architecture.entries(metadata, has),
    ...tokenIds(metadata),
    torch_dtype: storedDType(tensors),
  };
  refuseUnread(metadata, name);
  return config;
}

/** Ends of text: the tokenizer's, and that of a turn in chat models. */
export function tokenIds(metadata: GgufMetadata): { [key: string]: number | number[] } {
  const id = (key: string) => metadata.tokenId(`tokenizer.ggml.${key}_token_id`);
  const ends = [...new Set([id("eos"), id("eot")])].filter((each) => each !== undefined);
  const [bos, pad] = [id("bos"), id("padding")];
  return {
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0]! : ends }),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
}

/** Compares the number of layers with the tensors, before lists of that length are made. */
function checkBlocks(path: string, key: string, count: number, tensors: ReadonlyMap<string, GgufFile>): void {
  const found = new Set<string>();
  for (const name of tensors.keys()) if (name.startsWith("blk.")) found.add(name.split(".", 2)[1]!);
  if (found.size !== count)
    throw new FolderError(`Expected ${found.size} for '${key}' in ${path}, the number of its blocks, but received ${count}`);
}

function ropeScaling(metadata: GgufMetadata, name: string, tensors: ReadonlyMap<string, GgufFile>, rotated: number): Json | null {
  const type = metadata.string(`${name}.rope.scaling.type`, "none");
  const factor = () => metadata.number(`${name}.rope.scaling.factor`);
  if (tensors.has("rope_freqs.weight")) return llama3Scaling(metadata, name, tensors.get("rope_freqs.weight")!, rotated / 2);
  switch (type) {
    case "none":
      return null;
    case "linear":
      return { rope_type: "linear", factor: factor() };
    case "yarn":
      return {
        rope_type: "yarn",
        factor: factor(),
        original_max_position_embeddings: metadata.size(`${name}.rope.scaling.original_context_length`),
      };
    default:
      throw new FolderError(
        `Expected none, linear or yarn for '${name}.rope.scaling.type' in ${metadata.file} but received ` +
          `${JSON.stringify(type)}; it is not supported`,
      );
  }
}

/**
 * Llama 3.1 and later: the file has what each frequency is divided by, made by the converter from four numbers. Of
 * these the models in use differ only in the factor, which is the largest divisor; that they give the file's divisors
 * is checked.
 */
function llama3Scaling(metadata: GgufMetadata, name: string, file: GgufFile, count: number): Json {
  const { shape } = file.entries.get("rope_freqs.weight")!;
  if (`${shape}` !== `${count}`)
    throw new FolderError(`Expected shape [${count}] for 'rope_freqs.weight' in ${file.path} but received [${shape.join(", ")}]`);
  const divisors = file.floats("rope_freqs.weight");
  const [low, high, original] = [1, 4, 8192];
  const factor = Math.max(...divisors);
  const theta = metadata.number(`${name}.rope.freq_base`, 10_000);
  const differs = divisors.some((divisor, i) => {
    const turns = (original * theta ** (-i / divisors.length)) / (2 * Math.PI); // within the original context
    const smooth = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return Math.abs(1 / ((1 - smooth) / factor + smooth) - divisor) > 1e-4 * divisor;
  });
  if (differs || !(factor >= 1))
    throw new FolderError(
      `Expected the divisors of Llama 3's rope scaling for 'rope_freqs.weight' in ${file.path} but received others; ` +
        "they are not supported",
    );
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: original,
  };
}

/** What `dtype: "auto"` means: bfloat16 for quantised weights. */
function storedDType(tensors: ReadonlyMap<string, GgufFile>): string {
  const types = new Set([...tensors].map(([name, file]) => file.entries.get(name)!.type.dtype ?? "quantised"));
  for (const dtype of ["quantised", "bfloat16", "float16", "float64"])
    if (types.has(dtype as never)) return dtype === "quantised" ? "bfloat16" : dtype;
  return "float32";
}

/** Of those keys that say nothing new, experts are counted in every file of some converters. */
function refuseUnread(metadata: GgufMetadata, name: string): void {
  const harmless = ["vocab_size", "tensor_data_layout"].map((key) => `${name}.${key}`);
  const problem = metadata
    .unread(`${name}.`)
    .find((key) => !harmless.includes(key) && !(key.includes(".expert_") && metadata.get(key) === 0));
  if (problem === undefined) return;
  throw new FolderError(
    `Expected no '${problem}' in ${metadata.file} but received ` + `${show(metadata.get(problem))}; it is not supported`,
  );
}
