/**
 * The weights of a model folder: `model.safetensors`, or shards with `model.safetensors.index.json`. The headers of all
 * files are read and checked at once, so that whatever is wrong shows before anything is loaded. Other formats are
 * refused: PyTorch's can run code when they are opened.
 */
import { existsSync, readdirSync } from "node:fs";
import { isAbsolute, join, normalize, sep } from "node:path";
import { FolderError, readJsonObject } from "./folderError";
import { SafetensorsFile } from "./safetensors";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

/** Which file holds each tensor. */
export type Weights = ReadonlyMap<string, SafetensorsFile>;

/** Finds and checks a folder's weights. */
export function openWeights(folder: string): Weights {
  if (existsSync(join(folder, SINGLE_FILE))) return tensorsOf([new SafetensorsFile(join(folder, SINGLE_FILE))]);
  if (existsSync(join(folder, INDEX_FILE))) return openShards(folder);
  throw new FolderError(whyNoWeights(folder));
}

function openShards(folder: string): Weights {
  const index = join(folder, INDEX_FILE);
  const places = readIndex(index);
  const names = [...new Set(places.values())].sort();
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0)
    throw new FolderError(
      `Expected ${names.length} shards beside ${index} but ${missing.join(", ")} ` +
        `${missing.length === 1 ? "is" : "are"} missing; fetch the folder again`,
    );

  const shards = new Map(names.map((name) => [name, new SafetensorsFile(join(folder, name))]));
  for (const [tensor, name] of places) {
    if (!shards.get(name)!.entries.has(tensor))
      throw new FolderError(
        `Expected '${tensor}' in ${join(folder, name)}, as ${INDEX_FILE} says, but it is not there`,
      );
  }
  return tensorsOf([...shards.values()]);
}

/** Checks the index: tensor to file. A file outside the folder is refused. */
function readIndex(index: string): Map<string, string> {
  const { weight_map: map } = readJsonObject(index);
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0)
    throw new FolderError(`Expected files by tensor for 'weight_map' of ${index} but received ${JSON.stringify(map)}`);
  for (const [tensor, file] of Object.entries(map as Record<string, unknown>)) {
    const outside = typeof file !== "string" || isAbsolute(file) || normalize(file).split(sep)[0] === "..";
    if (outside || !file.endsWith(".safetensors"))
      throw new FolderError(
        `Expected a .safetensors file within the folder for '${tensor}' in ${index} but received ` +
          JSON.stringify(file),
      );
  }
  return new Map(Object.entries(map as Record<string, string>));
}

function tensorsOf(files: readonly SafetensorsFile[]): Weights {
  const tensors = new Map<string, SafetensorsFile>();
  for (const file of files) {
    for (const name of file.entries.keys()) {
      const other = tensors.get(name);
      if (other)
        throw new FolderError(`Expected '${name}' in one file but received it in ${other.path} and ${file.path}`);
      tensors.set(name, file);
    }
  }
  return tensors;
}

function whyNoWeights(folder: string): string {
  const expected = `Expected ${SINGLE_FILE} or ${INDEX_FILE} in ${folder}`;
  if (!existsSync(folder)) return `${expected} but there is no such folder`;
  const files = readdirSync(folder);
  const pickled = files.filter(
    (file) => /\.(bin|pt|pth|ckpt)$/.test(file) && !/^(training_args|optimizer|scheduler)/.test(file),
  );
  if (pickled.length > 0)
    return (
      `${expected} but received only ${pickled.join(", ")}: such a file can run code when it is opened. ` +
      "Convert it, if you trust it, with\n" +
      `  python -c "from transformers import AutoModelForCausalLM as M; M.from_pretrained('${folder}', dtype='auto')` +
      `.save_pretrained('${folder}')"`
    );
  const others = files.filter((file) => /\.(safetensors|gguf|h5|msgpack|onnx)$/.test(file));
  return `${expected} but received ${others.length > 0 ? `only ${others.join(", ")}` : "no weights"}`;
}
