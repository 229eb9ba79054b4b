/**
 * GGUF files as models: one file, or the shards of one, with everything in it that a model folder has. Weights are
 * dequantised as they are loaded. The tokenizer is read by src/text.
 */
import type { Tensor } from "../../../torch";
import type { HuggingFaceConfig } from "../../config";
import { FolderError } from "../../folder";
import type { WeightEntry, Weights } from "../../weights";
import { architectureNamed, changeOf, configTensors, huggingFaceName } from "./architectures";
import { ggufConfig } from "./config";
import { type GgufChange, GgufFile } from "./file";
import { readGgufHeader, show } from "./header";
import { shardsOf } from "./paths";

/** The model in a GGUF file: its config, and its weights by Hugging Face's names. */
export function openGguf(path: string): { config: HuggingFaceConfig; weights: Weights } {
  const files = shardsOf(path).map((file) => new GgufFile(readGgufHeader(file)));
  const tensors = new Map<string, GgufFile>();
  for (const file of files) {
    for (const name of file.entries.keys()) {
      const other = tensors.get(name);
      if (other) throw new FolderError(`Expected '${name}' in one file but received it in ${other.path} and ${file.path}`);
      tensors.set(name, file);
    }
  }
  const [first] = files as [GgufFile];
  checkShardCount(first, files.length, tensors.size);
  const config = ggufConfig(first, tensors);
  return { config, weights: new GgufWeights(first, tensors, config) };
}

/** What the first of several files says about all. */
function checkShardCount({ path, header }: GgufFile, files: number, tensors: number): void {
  const count = header.metadata.get("split.count") ?? 1;
  if (count !== files && !(count === 0 && files === 1))
    throw new FolderError(
      `Expected ${show(count)} files for 'split.count' of ${path} but received ${files}; ` +
        "shards must keep their names, <name>-00001-of-0000N.gguf",
    );
  const total = header.metadata.get("split.tensors.count") ?? tensors;
  if (total !== tensors)
    throw new FolderError(`Expected ${show(total)} tensors in ${path} and its shards but received ${tensors}`);
}

class GgufWeights implements Weights {
  readonly entries: ReadonlyMap<string, WeightEntry>;
  private readonly places = new Map<string, { file: GgufFile; name: string; change: GgufChange }>();

  constructor(first: GgufFile, tensors: ReadonlyMap<string, GgufFile>, config: HuggingFaceConfig) {
    const architecture = architectureNamed(first.header.metadata.get("general.architecture") as string, first.path);
    const heads = [config["num_attention_heads"], config["num_key_value_heads"]] as [number, number];
    const entries = new Map<string, WeightEntry>();
    for (const [ggufName, file] of tensors) {
      if (configTensors.has(ggufName)) continue;
      const name = huggingFaceName(ggufName, architecture);
      if (name === undefined)
        throw new FolderError(
          `Expected no '${ggufName}' in ${file.path}: ${architecture.className} has no such tensor; ` + "it is not supported",
        );
      const { shape, type } = file.entries.get(ggufName)!;
      entries.set(name, { shape, dtype: type.dtype ?? "float32", file: file.path });
      this.places.set(name, { file, name: ggufName, change: changeOf(ggufName, architecture, heads) });
    }
    this.entries = entries;
  }

  /** Never: values are always copied. */
  view(): undefined {
    return undefined;
  }

  copyTo(name: string, target: Tensor): void {
    const place = this.places.get(name)!;
    place.file.copyTo(place.name, target, place.change);
  }

  [Symbol.dispose](): void {}
}
