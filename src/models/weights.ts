/**
 * The weights of a model folder: `model.safetensors`, or shards with `model.safetensors.index.json`. The headers of all
 * files are read and checked at once, so that whatever is wrong shows before anything is loaded. Other formats are
 * refused: PyTorch's can run code when they are opened.
 */

import { isAbsolute, join, normalize, sep } from "node:path";
import { hasEntry } from "../base/files/paths";
import { isObject, listed, shown } from "../base/values";
import { convertModel, pickledMessage, pickledWeights } from "../hub/pickles";
import { type DType, dispose, keep, type Tensor } from "../torch";
import { FolderError, filesIn, readJsonObject } from "./folder";
import { SafetensorsFile } from "./formats/safetensors/file";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";
/** Bytes of the index. That of a model of a trillion weights in 384 experts a layer has 15 MB. */
const MAX_INDEX_BYTES = 64 * 2 ** 20;

export interface WeightEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The file it is in, for messages. */
  readonly file: string;
}

/** The weights of a model by their names in Hugging Face's models, whatever they are stored in. */
export interface Weights extends Disposable {
  readonly entries: ReadonlyMap<string, WeightEntry>;

  /** A tensor on its values in the file, without a copy; undefined when that is not possible. */
  view(name: string): Tensor | undefined;

  /** Writes values into a contiguous tensor of the entry's shape, converting to its dtype. */
  copyTo(name: string, target: Tensor): void;
}

/** Finds and checks a folder's safetensors. */
export function openWeights(folder: string): Weights {
  if (hasEntry(join(folder, SINGLE_FILE))) return new SafetensorsWeights([new SafetensorsFile(join(folder, SINGLE_FILE))]);
  if (hasEntry(join(folder, INDEX_FILE))) return openShards(folder);
  throw new FolderError(whyNoWeights(folder));
}

function openShards(folder: string): Weights {
  const index = join(folder, INDEX_FILE);
  const places = readIndex(index);
  const names = [...new Set(places.values())].sort();
  const missing = names.filter((name) => !hasEntry(join(folder, name)));
  if (missing.length > 0)
    throw new FolderError(
      `Expected ${names.length} shards beside ${index} but ${listed(missing)} ` +
        `${missing.length === 1 ? "is" : "are"} missing; fetch the folder again`,
    );

  const shards = new Map(names.map((name) => [name, new SafetensorsFile(join(folder, name))]));
  for (const [tensor, name] of places) {
    if (!shards.get(name)!.entries.has(tensor))
      throw new FolderError(`Expected '${tensor}' in ${join(folder, name)}, as ${INDEX_FILE} says, but it is not there`);
  }
  return new SafetensorsWeights([...shards.values()]);
}

/** Checks the index: tensor to file. A file outside the folder is refused. */
function readIndex(index: string): Map<string, string> {
  const { weight_map: map } = readJsonObject(index, "an index of weights", { maxBytes: MAX_INDEX_BYTES });
  if (!isObject(map) || Object.keys(map).length === 0)
    throw new FolderError(`Expected files by tensor for 'weight_map' of ${index} but received ${shown(map)}`);
  for (const [tensor, file] of Object.entries(map)) {
    const outside = typeof file !== "string" || isAbsolute(file) || normalize(file).split(sep)[0] === "..";
    if (outside || !file.endsWith(".safetensors"))
      throw new FolderError(
        `Expected a .safetensors file within the folder for '${tensor}' in ${index} but received ${shown(file)}`,
      );
  }
  return new Map(Object.entries(map as Record<string, string>));
}

class SafetensorsWeights implements Weights {
  readonly entries: ReadonlyMap<string, WeightEntry>;
  private readonly files = new Map<string, SafetensorsFile>();
  private readonly maps = new Map<SafetensorsFile, Tensor>();

  constructor(files: readonly SafetensorsFile[]) {
    const entries = new Map<string, WeightEntry>();
    for (const file of files) {
      for (const [name, { dtype, shape }] of file.entries) {
        const other = this.files.get(name);
        if (other) throw new FolderError(`Expected '${name}' in one file but received it in ${other.path} and ${file.path}`);
        this.files.set(name, file);
        entries.set(name, { dtype, shape, file: file.path });
      }
    }
    this.entries = entries;
  }

  view(name: string): Tensor | undefined {
    const file = this.files.get(name)!;
    let map = this.maps.get(file);
    if (!map) this.maps.set(file, (map = keep(file.map())));
    return file.view(name, map);
  }

  copyTo(name: string, target: Tensor): void {
    this.files.get(name)!.copyTo(name, target);
  }

  /** Views stay. */
  [Symbol.dispose](): void {
    dispose([...this.maps.values()]);
  }
}

function whyNoWeights(folder: string): string {
  const expected = `${SINGLE_FILE} or ${INDEX_FILE} in ${folder}`;
  if (!hasEntry(folder)) return `Expected ${expected} but there is no such folder`;
  const files = filesIn(folder);
  const pickled = pickledWeights(files);
  if (pickled.length > 0) return pickledMessage(expected, `only ${listed(pickled)}`, convertModel(`'${folder}'`, folder));
  const others = files.filter((file) => /\.(safetensors|h5|msgpack|onnx)$/.test(file));
  return `Expected ${expected} but received ${others.length > 0 ? `only ${listed(others)}` : "no weights"}`;
}
