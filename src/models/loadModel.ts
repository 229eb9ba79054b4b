/**
 * A Hugging Face model folder (`config.json` and safetensors) or a GGUF file as a model. Everything that can be wrong
 * with it is found before a weight is read. Folders with quantised weights are left out.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { checkOptions } from "../base/options";
import { applyLora, type LoraConfig } from "../nn";
import { type Device, type DType, deviceProperties, isFloatingPoint, ops, type Tensor, tidy } from "../torch";
import { loadAdapter } from "./adapter";
import { architectureOf } from "./architectures/registry";
import type { CausalLM } from "./causalLm";
import { expectCompanions } from "./companions";
import { ConfigReader, savedDType } from "./config";
import { blaming, readJsonObject } from "./folder";
import { openGguf } from "./formats/gguf/gguf";
import { findGguf } from "./formats/gguf/paths";
import { usableDType } from "./formats/safetensors/file";
import { resolveModel } from "./modelSource";
import { checkEqual, checkFit, checkSizes } from "./weightChecks";
import { openWeights, type Weights } from "./weights";

export interface LoadOptions {
  /**
   * What the weights are converted to. `"auto"` is the dtype they were saved in (of 8-bit floats and of GGUF's
   * quantised types, bfloat16). Left out, it is float32 on the CPU and `"auto"` elsewhere.
   */
  dtype?: DType | "auto";
  device?: Device;
  /** A fresh adapter, or the folder or hub id of one that was saved; its weights train, those of the model do not. */
  adapter?: LoraConfig | string;
  /** The branch, tag or commit of a model on the hub. */
  revision?: string;
}

/** In old folders, but not a weight: it follows from the config. */
const COMPUTED = /(^|\.)rotary_emb\.inv_freq$/;

/**
 * Loads a model folder: `config.json` with safetensors, or a GGUF file (also its own path, or that of its first shard),
 * whose weights are dequantised. As in transformers the model comes in eval mode, without dropout, until `train()`.
 *
 * A name that is not a path is a model on the hub, `owner/name` or `owner/name@revision`; see `resolveFolder`.
 *
 * An adapter's folder or hub id loads the base model that it names with the adapter on it, as in transformers. This is
 * the same as naming the base, with the adapter as `adapter`.
 *
 * ```ts
 * const model = await loadModel("models/SmolLM2-135M-Instruct", { adapter: lora({ r: 16 }) });
 * const same = await loadModel("HuggingFaceTB/SmolLM2-135M-Instruct");
 * ```
 *
 * @throws HubError when a model on the hub cannot be fetched
 * @throws FolderError when the folder cannot be used: a file is missing or damaged, the config is of an architecture or
 * has a value that is not supported, or the weights are not those the config asks for
 */
export async function loadModel(nameOrFolder: string, options: LoadOptions = {}): Promise<CausalLM> {
  checkOptions("loadModel", options, ["dtype", "device", "adapter", "revision"]);
  const { device = "cpu", adapter, revision } = options;
  const source = await resolveModel(nameOrFolder, { revision, adapter: typeof adapter === "string" ? adapter : undefined });
  const { base: folder } = source;
  const fresh = typeof adapter === "string" ? undefined : adapter;
  if (source.adapter !== undefined && fresh)
    throw new TypeError(
      `Expected a base model with a fresh adapter for 'adapter' but received ${nameOrFolder}, which is an adapter; ` +
        "leave 'adapter' out to continue training it, or name its base to start a new one",
    );
  const gguf = findGguf(folder);
  const opened = gguf === undefined ? undefined : openGguf(gguf);
  const configFile = gguf ?? join(folder, "config.json");
  const config = opened?.config ?? readJsonObject(configFile, "a model's configuration");
  if (gguf === undefined) expectCompanions(folder);
  const { Model, parse } = blaming(configFile, () => architectureOf(config));
  const saved = blaming(configFile, () => savedDType(new ConfigReader(config)));
  using weights = opened?.weights ?? openWeights(folder);
  checkSizes(config, parse, weights, configFile);
  const dtype = chooseDType(options.dtype ?? (deviceProperties(device).prefersHalf ? "auto" : "float32"), saved, weights);

  const model = blaming(configFile, () => new Model(config, { dtype, device, init: false }));
  try {
    model.folder = folder;
    model.hub = source.hub;
    await fill(model, weights, configFile);
    if (source.adapter !== undefined) await loadAdapter(model, source.adapter);
    else if (fresh) applyLora(model, fresh);
    return model.eval();
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function chooseDType(dtype: DType | "auto", saved: DType | undefined, weights: Weights): DType {
  if (dtype === "auto") {
    const dtypes = [...weights.entries.values()].map((entry) => entry.dtype);
    return usableDType([saved, ...dtypes].find((each) => each && isFloatingPoint(each)) ?? "float32");
  }
  if (!isFloatingPoint(dtype) || usableDType(dtype) !== dtype)
    throw new TypeError(`Expected "auto", float32, float64, bfloat16 or float16 for 'dtype' but received ${dtype}`);
  return dtype;
}

/** Fills in the weights, after checking that they are the model's, and yields between them. */
async function fill(model: CausalLM, weights: Weights, configFile: string): Promise<void> {
  const parameters = new Map(model.namedParameters());
  const sources = new Map([...weights.entries.keys()].filter((name) => !COMPUTED.test(name)).map((name) => [name, name]));
  const repeated: [copy: string, original: string][] = [];
  for (const [copy, original] of Object.entries(model.tiedWeights)) {
    if (!sources.delete(copy)) continue;
    if (sources.has(original)) repeated.push([copy, original]);
    else sources.set(original, copy);
  }
  checkFit(parameters, sources, weights, configFile, model.constructor.name);

  for (const [name, source] of sources) {
    put(weights, source, parameters.get(name)!);
    await setImmediate();
  }
  for (const [copy, original] of repeated) checkEqual(copy, parameters.get(original)!, original, weights);
}

/** Makes the parameter a view of the mapped file when nothing has to be converted, and copies otherwise. */
function put(weights: Weights, name: string, parameter: Tensor): void {
  tidy(() => {
    const asItIs = weights.entries.get(name)!.dtype === parameter.dtype && !deviceProperties(parameter.device).isAccelerator;
    const view = asItIs ? weights.view(name) : undefined;
    if (view) ops.setData(parameter, view);
    else weights.copyTo(name, parameter.detach());
  });
}
