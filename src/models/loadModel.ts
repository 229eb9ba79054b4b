/**
 * A Hugging Face model folder (`config.json` and safetensors) as a model. Everything that can be wrong with the folder
 * is found before a weight is read. Hub ids, GGUF and quantised weights are left out.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type LoraConfig, applyLora } from "../nn";
import { type DType, type Device, type Tensor, dispose, isFloatingPoint, ops, tidy } from "../torch";
import { loadAdapter } from "./adapter";
import { architectureOf } from "./architectures";
import type { CausalLM } from "./causalLm";
import { ConfigReader, savedDType } from "./config";
import { FolderError, blaming, readJsonObject } from "./folderError";
import { type SafetensorsFile, usableDType } from "./safetensors";
import { type Weights, openWeights } from "./weights";

export interface LoadOptions {
  /**
   * What the weights are converted to. `"auto"` is the dtype they were saved in (of 8-bit floats, bfloat16). Left out,
   * it is float32 on the CPU and `"auto"` elsewhere.
   */
  dtype?: DType | "auto";
  device?: Device;
  /** A fresh adapter, or the folder of one that was saved; its weights train, those of the model do not. */
  adapter?: LoraConfig | string;
}

/** What old folders hold that is no weight: it follows from the config. */
const COMPUTED = /(^|\.)rotary_emb\.inv_freq$/;

/**
 * Loads a model folder. As in transformers the model comes in eval mode, without dropout, until `train()`.
 *
 * ```ts
 * const model = await loadModel("models/SmolLM2-135M-Instruct", { adapter: lora({ r: 16 }) });
 * ```
 *
 * @throws FolderError when the folder cannot be used: a file is missing or damaged, the config is of an architecture or
 * has a value that is not supported, or the weights are not those the config asks for
 */
export async function loadModel(folder: string, options: LoadOptions = {}): Promise<CausalLM> {
  const { device = "cpu", adapter } = options;
  const configFile = join(folder, "config.json");
  if (!existsSync(folder)) throw new FolderError(`Expected a model folder at ${folder} but there is none`);
  const config = readJsonObject(configFile);
  const { Model } = blaming(configFile, () => architectureOf(config));
  const saved = blaming(configFile, () => savedDType(new ConfigReader(config)));
  const weights = openWeights(folder);
  const dtype = chooseDType(options.dtype ?? (device === "cpu" ? "float32" : "auto"), saved, weights);

  const model = blaming(configFile, () => new Model(config, { dtype, device, init: false }));
  try {
    model.folder = folder;
    await fill(model, weights, folder);
    if (typeof adapter === "string") await loadAdapter(model, adapter);
    else if (adapter) applyLora(model, adapter);
    return model.eval();
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function chooseDType(dtype: DType | "auto", saved: DType | undefined, weights: Weights): DType {
  if (dtype === "auto") {
    const dtypes = [...weights].map(([name, file]) => file.entries.get(name)!.dtype);
    return usableDType([saved, ...dtypes].find((each) => each && isFloatingPoint(each)) ?? "float32");
  }
  if (!isFloatingPoint(dtype) || usableDType(dtype) !== dtype)
    throw new TypeError(`Expected "auto", float32, float64, bfloat16 or float16 for 'dtype' but received ${dtype}`);
  return dtype;
}

/** Puts the weights in, after checking that they are the model's; other work gets a turn between them. */
async function fill(model: CausalLM, weights: Weights, folder: string): Promise<void> {
  const parameters = new Map(model.namedParameters());
  const sources = new Map([...weights.keys()].filter((name) => !COMPUTED.test(name)).map((name) => [name, name]));
  const repeated: [copy: string, original: string][] = [];
  for (const [copy, original] of Object.entries(model.tiedWeights)) {
    if (!sources.delete(copy)) continue;
    if (sources.has(original)) repeated.push([copy, original]);
    else sources.set(original, copy);
  }
  checkFit(parameters, sources, weights, folder, model.constructor.name);

  const maps = new Map([...new Set(weights.values())].map((file) => [file, file.map()]));
  try {
    for (const [name, source] of sources) {
      const file = weights.get(source)!;
      put(file, source, parameters.get(name)!, maps.get(file)!);
      await setImmediate();
    }
    for (const [copy, original] of repeated) checkEqual(copy, parameters.get(original)!, original, weights);
  } finally {
    dispose([...maps.values()]);
  }
}

/** Lets the parameter stand on the mapped file when nothing has to be converted, else copies. */
function put(file: SafetensorsFile, name: string, parameter: Tensor, map: Tensor): void {
  tidy(() => {
    const asItIs = file.entries.get(name)!.dtype === parameter.dtype && parameter.device === "cpu";
    const view = asItIs ? file.view(name, map) : undefined;
    if (view) ops.setData(parameter, view);
    else file.copyTo(name, parameter.detach());
  });
}

/** Compares names, shapes and kinds of what the folder holds with what the model has. */
function checkFit(
  parameters: ReadonlyMap<string, Tensor>,
  sources: ReadonlyMap<string, string>,
  weights: Weights,
  folder: string,
  className: string,
): void {
  const problems: string[] = [];
  for (const [name, { shape }] of parameters) {
    const source = sources.get(name);
    if (source === undefined) {
      problems.push(`Expected a tensor '${name}' [${shape.join(", ")}] but received none`);
      continue;
    }
    const entry = weights.get(source)!.entries.get(source)!;
    if (`${entry.shape}` !== `${shape}`)
      problems.push(`Expected shape [${shape.join(", ")}] for '${source}' but received [${entry.shape.join(", ")}]`);
    else if (!isFloatingPoint(entry.dtype))
      problems.push(
        `Expected floating-point values for '${source}' but received ${entry.dtype}; ` +
          "quantised weights are not supported",
      );
  }
  for (const name of sources.keys())
    if (!parameters.has(name)) problems.push(`Expected no '${name}': ${className} has no such tensor`);
  if (problems.length === 0) return;
  const more = problems.length > 10 ? `\n  … and ${problems.length - 10} more` : "";
  throw new FolderError(
    `The weights in ${folder} are not those its config.json asks for:\n  ${problems.slice(0, 10).join("\n  ")}${more}`,
  );
}

function checkEqual(copy: string, original: Tensor, name: string, weights: Weights): void {
  const { dtype, device } = original;
  const file = weights.get(copy)!;
  const equal = tidy(() => {
    const shape = file.entries.get(copy)!.shape;
    return `${shape}` === `${original.shape}` && ops.equal(file.read(copy, { dtype, device }), original);
  });
  if (!equal)
    throw new FolderError(
      `Expected '${copy}' in ${file.path} to equal '${name}' but received another tensor; ` +
        "config.json says tie_word_embeddings",
    );
}
