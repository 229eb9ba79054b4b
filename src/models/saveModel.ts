/**
 * A model as a Hugging Face folder: `config.json` and `model.safetensors`, or shards with an index. The files
 * that are there stay whole until all new ones are written. Tokenizer and generation files are copied from the folder
 * the model was loaded from.
 */
import { readdir } from "node:fs/promises";
import { StagedFiles } from "../base/files/wholeFiles";
import { checkOptions, expectPath } from "../base/options";
import { loraLayers } from "../nn";
import { type DType, dispose, isFloatingPoint, type Tensor } from "../torch";
import { architectureOfModel } from "./architectures/registry";
import { type CausalLM, expectModel } from "./causalLm";
import { stageCompanions } from "./companions";
import { configText } from "./config";
import { type WritableTensor, writable, writeSafetensors } from "./formats/safetensors/writer";
import { INDEX_FILE, SINGLE_FILE } from "./weights";

export interface SaveOptions {
  /** The dtype to write the weights in; the model's when left out. */
  dtype?: DType;
  /** Bytes of tensors in one file at most, unless one tensor alone is larger. Hugging Face's 5 GB when left out. */
  maxShardSize?: number;
}

const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;

/**
 * Saves a model's weights and config, with the tokenizer files of the folder it came from. Tied embeddings are stored
 * once. A model with an adapter is saved only when the adapter is merged, and then without it; `saveAdapter` saves an
 * adapter.
 *
 * ```ts
 * await saveModel(model, "out", { dtype: "bfloat16" });
 * ```
 */
export async function saveModel(model: CausalLM, folder: string, options: SaveOptions = {}): Promise<void> {
  expectModel(model);
  expectPath(folder, "folder", "a folder");
  checkOptions("saveModel", options, ["dtype", "maxShardSize"]);
  const { dtype, maxShardSize = 5e9 } = options;
  if (!(maxShardSize > 0))
    throw new RangeError(`Expected a positive number of bytes for 'maxShardSize' but received ${maxShardSize}`);
  if (dtype !== undefined && !isFloatingPoint(dtype))
    throw new TypeError(`Expected a floating-point dtype for 'dtype' but received ${dtype}`);
  const config = configOf(model, dtype);
  const state = baseState(model);
  const staged = await StagedFiles.in(folder);
  try {
    const before = (await readdir(folder)).filter((file) => [SINGLE_FILE, INDEX_FILE].includes(file) || SHARD.test(file));
    const files = shards(writable(state, dtype), maxShardSize);
    for (const [name, tensors] of files) await staged.add(name, (file) => writeSafetensors(file, tensors));
    if (files.size > 1) await staged.add(INDEX_FILE, (file) => file.writeFile(json(indexOf(files))));
    await staged.add("config.json", (file) => file.writeFile(configText(config)));
    await stageCompanions(staged, model, { generation: true });

    const written = [...files.keys(), ...(files.size > 1 ? [INDEX_FILE] : [])];
    await staged.commit({
      // Old shards lose their index first, so that no one reads old and new ones together.
      first: files.size > 1 ? [INDEX_FILE] : [],
      last: before.filter((file) => !written.includes(file)),
    });
  } finally {
    await staged.discard();
    dispose(state);
  }
}

/** The config as it was loaded, with the architecture and the dtype that the weights now have. */
function configOf(model: CausalLM, dtype = model.dtype): Record<string, unknown> {
  const { className, modelType } = architectureOfModel(model);
  const given = model.configJson;
  const dtypeKey = "torch_dtype" in given && !("dtype" in given) ? "torch_dtype" : "dtype";
  return { model_type: modelType, ...given, architectures: [className], [dtypeKey]: dtype };
}

/** The model's tensors without those of a merged adapter. */
function baseState(model: CausalLM): Record<string, Tensor> {
  const adapted = loraLayers(model);
  const unmerged = adapted.find(([, layer]) => !layer.merged);
  if (unmerged)
    throw new TypeError(
      `Expected a model without an adapter for 'model' but ${unmerged[0]} has one; ` +
        "mergeAndUnload() it first, or save the adapter alone with saveAdapter()",
    );
  const state = model.stateDict();
  for (const name of Object.keys(state)) {
    if (!adapted.some(([layer]) => name.startsWith(`${layer}.lora_`))) continue;
    dispose(state[name]);
    delete state[name];
  }
  return state;
}

/** Divides the tensors among files, in order, as Hugging Face does. */
function shards(tensors: readonly WritableTensor[], maxShardSize: number): Map<string, WritableTensor[]> {
  const groups: WritableTensor[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    if (size + tensor.bytes > maxShardSize && size > 0) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(tensor);
    size += tensor.bytes;
  }
  if (groups.length === 1) return new Map([[SINGLE_FILE, groups[0]!]]);
  const five = (n: number) => String(n).padStart(5, "0");
  return new Map(groups.map((group, i) => [`model-${five(i + 1)}-of-${five(groups.length)}.safetensors`, group]));
}

function indexOf(files: ReadonlyMap<string, readonly WritableTensor[]>): unknown {
  const places = [...files].flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file] as const));
  const bytes = [...files.values()].flat().reduce((sum, tensor) => sum + tensor.bytes, 0);
  return {
    metadata: { total_size: bytes },
    weight_map: Object.fromEntries(places.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
