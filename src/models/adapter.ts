/**
 * Adapters as PEFT's folders: `adapter_config.json` and `adapter_model.safetensors`, whose names are those of the
 * model's layers after `base_model.model.`. Whether an adapter fits is checked before the model is changed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { applyLora, loraLayers, loraRank, loraTargets } from "../nn";
import { type Tensor, isFloatingPoint } from "../torch";
import { adapterConfigJson, parseAdapterConfig } from "./adapterConfig";
import type { CausalLM } from "./causalLm";
import { FolderError, blaming, readJsonObject } from "./folderError";
import { SafetensorsFile } from "./safetensors";
import { writable, writeSafetensors } from "./safetensorsWriter";
import { StagedFiles } from "./stagedFiles";

const CONFIG_FILE = "adapter_config.json";
const WEIGHTS_FILE = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

/**
 * Puts the adapter that was saved in a folder on a model that has none, and freezes the model's own weights. The
 * adapter can be trained on. Returns the names of the adapted layers.
 *
 * @throws FolderError when the folder cannot be used, is of a kind or has an option that is not supported, or the
 * adapter was made for another model
 */
export async function loadAdapter(model: CausalLM, folder: string): Promise<string[]> {
  const json = readConfig(folder);
  const place = join(folder, CONFIG_FILE);
  const config = blaming(place, () => parseAdapterConfig(json));
  const file = openAdapterWeights(folder);
  const targets = blaming(place, () => loraTargets(model, config));

  const expected = new Map<string, readonly number[]>();
  for (const [name, { inFeatures, outFeatures }] of targets) {
    const r = loraRank(config, name);
    expected.set(`${PREFIX}${name}.lora_A.weight`, [r, inFeatures]);
    expected.set(`${PREFIX}${name}.lora_B.weight`, [outFeatures, r]);
    if (config.useDora) expected.set(`${PREFIX}${name}.lora_magnitude_vector`, [outFeatures]);
  }
  const problems = misfits(expected, file);
  if (problems.length > 0) {
    const base = json["base_model_name_or_path"] ?? "an unnamed model";
    const more = problems.length > 10 ? `\n  … and ${problems.length - 10} more` : "";
    throw new FolderError(
      `The adapter in ${folder} (made for ${String(base)}) does not fit the model ` +
        `${model.folder ?? model.constructor.name}:\n  ${problems.slice(0, 10).join("\n  ")}${more}`,
    );
  }

  const adapted = applyLora(model, config);
  for (const [name, tensor] of adapterTensors(model)) file.copyTo(name, tensor);
  return adapted;
}

/**
 * Saves a model's adapter, for PEFT or `loadAdapter`. `baseModel` is written as the name of the model it belongs to:
 * the folder it was loaded from when left out.
 */
export async function saveAdapter(
  model: CausalLM,
  folder: string,
  { baseModel = model.folder }: { baseModel?: string } = {},
): Promise<void> {
  const layers = loraLayers(model);
  if (layers.length === 0) throw new TypeError("Expected a model with an adapter for 'model' but received one without");
  const names = layers.map(([name]) => name);
  const config = adapterConfigJson(layers[0]![1].config, names, baseModel);
  const tensors = Object.fromEntries(adapterTensors(model));
  const staged = await StagedFiles.in(folder);
  try {
    await staged.add(WEIGHTS_FILE, (file) => writeSafetensors(file, writable(tensors)));
    await staged.add(CONFIG_FILE, (file) => file.writeFile(`${JSON.stringify(config, null, 2)}\n`));
    await staged.commit();
  } finally {
    await staged.discard();
  }
}

/** The adapter's tensors under the names they have in the file. */
function adapterTensors(model: CausalLM): [name: string, tensor: Tensor][] {
  return loraLayers(model).flatMap(([name, layer]) => {
    const tensors: [string, Tensor | null][] = [
      [`${PREFIX}${name}.lora_A.weight`, layer.lora_A.weight],
      [`${PREFIX}${name}.lora_B.weight`, layer.lora_B.weight],
      [`${PREFIX}${name}.lora_magnitude_vector`, layer.lora_magnitude_vector],
    ];
    return tensors.filter((entry): entry is [string, Tensor] => entry[1] !== null);
  });
}

function readConfig(folder: string): Record<string, unknown> {
  const path = join(folder, CONFIG_FILE);
  if (existsSync(path)) return readJsonObject(path);
  const found = existsSync(join(folder, "config.json")) ? "a model folder" : "none";
  throw new FolderError(`Expected an adapter, with ${CONFIG_FILE}, in ${folder} but received ${found}`);
}

function openAdapterWeights(folder: string): SafetensorsFile {
  const path = join(folder, WEIGHTS_FILE);
  if (existsSync(path)) return new SafetensorsFile(path);
  const pickled = join(folder, "adapter_model.bin");
  if (!existsSync(pickled)) throw new FolderError(`Expected ${WEIGHTS_FILE} in ${folder} but it is missing`);
  throw new FolderError(
    `Expected ${WEIGHTS_FILE} in ${folder} but received adapter_model.bin: ` +
      "such a file can run code when it is opened. Convert it, if you trust it, with\n" +
      '  python -c "import torch; from safetensors.torch import save_file; ' +
      `save_file(torch.load('${pickled}', weights_only=True), '${path}')"`,
  );
}

function misfits(expected: ReadonlyMap<string, readonly number[]>, { entries }: SafetensorsFile): string[] {
  const problems: string[] = [];
  for (const [name, shape] of expected) {
    const entry = entries.get(name);
    if (!entry) problems.push(`Expected '${name}' [${shape.join(", ")}] but received none`);
    else if (`${entry.shape}` !== `${shape}`)
      problems.push(`Expected shape [${shape.join(", ")}] for '${name}' but received [${entry.shape.join(", ")}]`);
    else if (!isFloatingPoint(entry.dtype))
      problems.push(`Expected floating-point values for '${name}' but received ${entry.dtype}`);
  }
  for (const name of entries.keys()) if (!expected.has(name)) problems.push(`Expected no '${name}'`);
  return problems;
}
