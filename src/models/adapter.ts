/**
 * Adapters as PEFT's folders: `adapter_config.json` and `adapter_model.safetensors`, whose names are those of the
 * model's layers after `base_model.model.`, whatever the adapter is called. Whether an adapter fits is checked before
 * the model is changed.
 */

import { join } from "node:path";
import { recordOrigin } from "../base/files/inputFiles";
import { hasEntry } from "../base/files/paths";
import { StagedFiles } from "../base/files/wholeFiles";
import { checkOptions, expectPath } from "../base/options";
import { problemLines } from "../base/problems";
import { convertAdapter, pickledMessage } from "../hub/pickles";
import {
  addAdapter,
  DEFAULT_ADAPTER,
  type LoraConfig,
  type LoraPlan,
  loraLayers,
  loraRank,
  planLora,
  tensorsTrainedWhole,
} from "../nn";
import { isFloatingPoint, ops, type Tensor, tidy } from "../torch";
import { adapterConfigJson, parseAdapterConfig } from "./adapterConfig";
import { type CausalLM, expectModel } from "./causalLm";
import { expectCompanions, stageCompanions } from "./companions";
import { blaming, FolderError } from "./folder";
import { SafetensorsFile } from "./formats/safetensors/file";
import { writable, writeSafetensors } from "./formats/safetensors/writer";
import { ADAPTER_CONFIG_FILE, readAdapterJson, resolveAdapter } from "./modelSource";

const WEIGHTS_FILE = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

export interface LoadAdapterOptions {
  /** "default" is the adapter that trains. One of any other name is frozen, and acts inside `withAdapter` only. */
  name?: string;
  /** The branch, tag or commit of an adapter of the hub. */
  revision?: string;
}

/**
 * Adds an adapter from a folder or the hub to a model that has none of that name, and freezes the model's own weights
 * if it is the one that trains. Returns the names of the adapted layers.
 *
 * ```ts
 * await loadAdapter(model, "runs/dpop");
 * await loadAdapter(model, "runs/sft", { name: "reference" });
 * const reference = withAdapter(model, "reference", () => noGrad(() => model.forward(ids)));
 * ```
 *
 * @throws FolderError when the folder cannot be used, is of a kind or has an option that is not supported, or the
 * adapter was made for another model
 */
export async function loadAdapter(model: CausalLM, nameOrFolder: string, options: LoadAdapterOptions = {}): Promise<string[]> {
  expectModel(model);
  checkOptions("loadAdapter", options, ["name", "revision"]);
  const { name: adapter = DEFAULT_ADAPTER, revision } = options;
  const folder = await resolveAdapter(nameOrFolder, revision);
  const json = readAdapterJson(folder);
  expectCompanions(folder);
  const place = join(folder, ADAPTER_CONFIG_FILE);
  const config = blaming(place, () => parseAdapterConfig(json));
  const file = openAdapterWeights(folder);
  const plan = blaming(place, () => planLora(model, config, adapter));
  const problems = misfits(model, expectedShapes(model, config, plan), plan, file);
  if (problems.length > 0) {
    const named = json["base_model_name_or_path"];
    const base = typeof named === "string" ? named : "an unnamed model";
    throw new FolderError(
      `The adapter in ${folder} (made for ${base}) does not fit the model ` +
        `${model.folder ?? model.constructor.name}:${problemLines(problems)}`,
    );
  }

  const adapted = addAdapter(model, config, adapter);
  recordOrigin(model, folder);
  if (adapter === DEFAULT_ADAPTER) model.adapterFolder = folder;
  tidy(() => {
    for (const [name, tensor] of Object.entries(adapterTensors(model, adapter))) file.copyTo(name, tensor.detach());
  });
  return adapted;
}

export interface SaveAdapterOptions {
  /** What is written as the name of the model it belongs to: its hub id or its folder when left out. */
  baseModel?: string;
  /** Which adapter; the one that trains when left out. */
  name?: string;
  /** Whether to also save the tokenizer files of the adapter's or the model's folder, as TRL does. Default false. */
  tokenizer?: boolean;
}

/** Saves an adapter of a model, for PEFT or `loadAdapter`. */
export async function saveAdapter(model: CausalLM, folder: string, options: SaveAdapterOptions = {}): Promise<void> {
  expectModel(model);
  expectPath(folder, "folder", "a folder");
  checkOptions("saveAdapter", options, ["baseModel", "name", "tokenizer"]);
  const { baseModel = model.hub?.id ?? model.folder, name = DEFAULT_ADAPTER, tokenizer = false } = options;
  const tensors = adapterTensors(model, name);
  const layers = loraLayers(model, name);
  const names = layers.map(([layer]) => layer);
  const { config: given, dropout } = layers[0]![1].adapters.get(name)!;
  // PEFT rejects dropout on the experts of a mixture, so dropout that a run disabled is written as 0.
  const written = name === DEFAULT_ADAPTER ? { ...given, dropout } : given;
  const config = adapterConfigJson(written, names, baseModel);
  if (baseModel === model.hub?.id) config["revision"] = model.hub?.revision ?? null;
  const staged = await StagedFiles.in(folder);
  try {
    await staged.add(WEIGHTS_FILE, (file) => writeSafetensors(file, writable(tensors)));
    await staged.add(ADAPTER_CONFIG_FILE, (file) => file.writeFile(`${JSON.stringify(config, null, 2)}\n`));
    if (tokenizer) await stageCompanions(staged, model);
    await staged.commit();
  } finally {
    await staged.discard();
  }
}

/** The tensors of a model's adapter under the names that PEFT gives them in a file. They are the adapter's own. */
export function adapterTensors(model: CausalLM, name = DEFAULT_ADAPTER): Record<string, Tensor> {
  const layers = loraLayers(model, name);
  if (layers.length === 0)
    throw new TypeError(
      `Expected a model with an adapter${name === DEFAULT_ADAPTER ? "" : ` "${name}"`} for 'model' ` + "but received one without",
    );
  const factors = layers.flatMap(([layer, { adapters }]) => {
    const { lora_A, lora_B, lora_magnitude_vector } = adapters.get(name)!;
    const tensors: [string, Tensor | null][] = [
      [`${PREFIX}${layer}.lora_A.weight`, lora_A.weight],
      [`${PREFIX}${layer}.lora_B.weight`, lora_B.weight],
      [`${PREFIX}${layer}.lora_magnitude_vector`, lora_magnitude_vector],
    ];
    return tensors.filter((entry): entry is [string, Tensor] => entry[1] !== null);
  });
  const adapted = new Set(layers.map(([layer]) => layer));
  const whole = tensorsTrainedWhole(model, name).flatMap(([weight, tensor]) =>
    fileNames(model, weight, adapted).map((file) => [file, tensor] as const),
  );
  return Object.fromEntries([...factors, ...whole]);
}

/** PEFT's names of a weight that is trained whole: a different one within an adapted layer, and two for a tied head. */
function fileNames(model: CausalLM, weight: string, adapted: ReadonlySet<string>): string[] {
  const dot = weight.lastIndexOf(".");
  const layer = weight.slice(0, dot);
  const copies = Object.entries(model.tiedWeights).flatMap(([copy, original]) => (original === weight ? [copy] : []));
  const own = adapted.has(layer) ? `${layer}.base_layer${weight.slice(dot)}` : weight;
  return [own, ...copies].map((name) => `${PREFIX}${name}`);
}

function expectedShapes(model: CausalLM, config: LoraConfig, plan: LoraPlan): Map<string, readonly number[]> {
  const expected = new Map<string, readonly number[]>();
  for (const [name, { inFeatures, outFeatures }] of plan.layers) {
    const r = loraRank(config, name);
    expected.set(`${PREFIX}${name}.lora_A.weight`, [r, inFeatures]);
    expected.set(`${PREFIX}${name}.lora_B.weight`, [outFeatures, r]);
    if (config.useDora) expected.set(`${PREFIX}${name}.lora_magnitude_vector`, [outFeatures]);
  }
  const adapted = new Set(plan.layers.map(([name]) => name));
  for (const { name, slot } of plan.whole)
    for (const file of fileNames(model, name, adapted)) expected.set(file, slot.original.shape);
  return expected;
}

function openAdapterWeights(folder: string): SafetensorsFile {
  const path = join(folder, WEIGHTS_FILE);
  if (hasEntry(path)) return new SafetensorsFile(path);
  const pickled = join(folder, "adapter_model.bin");
  if (!hasEntry(pickled)) throw new FolderError(`Expected ${WEIGHTS_FILE} in ${folder} but it is missing`);
  const program = convertAdapter(`'${pickled}'`, path);
  throw new FolderError(pickledMessage(`${WEIGHTS_FILE} in ${folder}`, "adapter_model.bin", program));
}

function misfits(
  model: CausalLM,
  expected: ReadonlyMap<string, readonly number[]>,
  plan: LoraPlan,
  file: SafetensorsFile,
): string[] {
  const problems: string[] = [];
  for (const [name, shape] of expected) {
    const entry = file.entries.get(name);
    if (!entry) problems.push(`Expected '${name}' [${shape.join(", ")}] but received none`);
    else if (`${entry.shape}` !== `${shape}`)
      problems.push(`Expected shape [${shape.join(", ")}] for '${name}' but received [${entry.shape.join(", ")}]`);
    else if (!isFloatingPoint(entry.dtype))
      problems.push(`Expected floating-point values for '${name}' but received ${entry.dtype}`);
  }
  const copies = copiesOfOwn(model, plan);
  for (const [name, { shape }] of file.entries) {
    if (expected.has(name)) continue;
    const weight = copies.get(name);
    if (weight === undefined) problems.push(`Expected no '${name}'`);
    else if (!isSame(file, name, model, weight))
      problems.push(
        `Expected '${name}' to be the model's own weight, since 'modules_to_save' does not name it, but ` +
          `received a different tensor [${shape.join(", ")}]`,
      );
  }
  return problems;
}

/**
 * The model's own weights that PEFT may save with an adapter, by their names in the file: the weight of an adapted head,
 * and embedding and head with `save_embedding_layers`, which training scripts set when they add tokens.
 */
function copiesOfOwn(model: CausalLM, plan: LoraPlan): Map<string, string> {
  const adapted = plan.layers.map(([name]) => [`${name}.base_layer.weight`, `${name}.weight`] as const);
  const embeddings = ["model.embed_tokens.weight", "lm_head.weight"].map(
    (name) => [name, model.tiedWeights[name] ?? name] as const,
  );
  return new Map([...adapted, ...embeddings].map(([copy, own]) => [`${PREFIX}${copy}`, own]));
}

/** Whether a tensor of the file is the model's, when both are rounded as either is. */
function isSame(file: SafetensorsFile, name: string, model: CausalLM, weight: string): boolean {
  return tidy(() => {
    const own = model.stateDict()[weight]!;
    const { shape, dtype: savedDType } = file.entries.get(name)!;
    if (`${shape}` !== `${own.shape}` || !isFloatingPoint(savedDType)) return false;
    const { device, dtype } = own;
    const saved = file.read(name, { device });
    return ops.equal(saved.to({ dtype }), own) || ops.equal(saved, own.to({ dtype: saved.dtype }));
  });
}
