/**
 * Writing checkpoints: `checkpoint-N/` holds all that a run needs to resume bit for bit, in Hugging Face's layout where
 * there is one: the adapter or model, `optimizer.safetensors`, `rng_state.safetensors`, `trainer_state.json`, and
 * `checksums.json` of all of them. The order of the rows follows from the seed and the step, the learning rate from the
 * step. restore.ts reads them.
 */
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { writeChecksums } from "../../base/files/checksums";
import { isFolder } from "../../base/files/paths";
import { publishFolder, stagingFolder } from "../../base/files/wholeFiles";
import { adapterTensors, type CausalLM, saveAdapter, saveModel } from "../../models";
import { saveTensors } from "../../models/formats/safetensors/writer";
import { hasAdapter } from "../../nn";
import { type Optimizer, type StateLayout, stateBytes } from "../../optim/optimizer";
import { saveGgufTokenizer } from "../../text";
import { type Device, deviceProperties, dispose, getRngState, type Tensor } from "../../torch";
import { itemSize } from "../../torch/dtype";
import { checkpointName, copyForeignEntries, isCheckpoint, removeCheckpoint, stepOf } from "../output/entries";
import { optimizerTensors } from "./optimizerFile";
import { type TrainerState, writeTrainerState } from "./state";

export const OPTIMIZER_FILE = "optimizer.safetensors";
export const RNG_FILE = "rng_state.safetensors";

/** What a checkpoint saves and restores, in addition to the state. */
export interface Resumable {
  readonly model: CausalLM;
  readonly optimizer: Optimizer;
}

/** The folder of the checkpoint after a step. */
export function checkpointFolder(outputDir: string, step: number): string {
  return join(outputDir, checkpointName(step));
}

/** Writes `checkpoint-N`, whole or not at all, and returns its folder. */
export async function saveCheckpoint(outputDir: string, state: TrainerState, parts: Resumable): Promise<string> {
  const folder = checkpointFolder(outputDir, state.globalStep);
  const staging = stagingFolder(folder);
  try {
    await saveWeights(parts.model, staging);
    for (const [name, tensors] of [
      [OPTIMIZER_FILE, optimizerTensors(parts.optimizer)],
      [RNG_FILE, rngStates(parts.model.device)],
    ] as const)
      await saveTensors(join(staging, name), tensors).finally(() => dispose(tensors));
    await writeTrainerState(staging, state);
    await writeChecksums(staging);
    copyForeignEntries(folder, staging);
    publishFolder(staging, folder, { replace: true }); // a resumed run passes the same step again
    return folder;
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}

/** The adapter, or the whole model where there is none, with its tokenizer files. */
export async function saveWeights(model: CausalLM, folder: string): Promise<void> {
  await (hasAdapter(model) ? saveAdapter(model, folder, { tokenizer: true }) : saveModel(model, folder));
  await saveGgufTokenizer(model, folder);
}

/** Checkpoints in a folder by their steps, oldest first. */
export function checkpointsIn(outputDir: string): { step: number; folder: string }[] {
  if (!isFolder(outputDir)) return [];
  return readdirSync(outputDir)
    .flatMap((name) => {
      const step = stepOf(name);
      const folder = join(outputDir, name);
      return step === undefined || !isFolder(folder) ? [] : [{ step, folder }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Removes the oldest checkpoints beyond `limit`; those in `keep` stay. */
export function rotateCheckpoints(outputDir: string, limit: number | null, keep: readonly (string | undefined)[]): void {
  if (limit === null) return;
  const all = checkpointsIn(outputDir)
    .map(({ folder }) => folder)
    .filter((folder) => isCheckpoint(folder, basename(folder)));
  const kept = new Set(keep.flatMap((folder) => (folder === undefined ? [] : [resolve(folder)])));
  const removable = all.filter((folder) => !kept.has(resolve(folder)));
  for (const folder of removable.slice(0, Math.max(0, all.length - limit))) removeCheckpoint(folder);
}

/** The devices whose default generators a checkpoint holds, by their names in it. */
export function generatorsOf(device: Device): Record<string, Device> {
  const { isAccelerator, type } = deviceProperties(device);
  return { cpu: "cpu", ...(isAccelerator && { [type]: device }) };
}

/** The states of the generators that a run on this device draws from. */
export function rngStates(device: Device): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(generatorsOf(device)).map(([name, owner]) => [name, getRngState(owner)]));
}

/** A new checkpoint is written before an old one is removed. */
const CHECKPOINTS = 2;

/** Bytes of a checkpoint: the weights that are saved, the optimizer's state, and the generators' states. */
export function checkpointBytes(model: CausalLM, layout: StateLayout): number {
  const saved = hasAdapter(model) ? Object.values(adapterTensors(model)) : [...model.parameters()];
  const bytes = saved.reduce((sum, tensor) => sum + tensor.numel() * itemSize(tensor.dtype), 0);
  const trained = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  const optimizer = trained.reduce((sum, tensor) => sum + stateBytes(layout, tensor), 0);
  using state = getRngState("cpu");
  return bytes + optimizer + state.numel();
}

/** The warning when two checkpoints do not fit; undefined when they do, or the file system does not tell. */
export function spaceWarning(bytes: number, folder: string, free = freeBytes(folder)): string | undefined {
  const needed = CHECKPOINTS * bytes;
  if (free === undefined || free >= needed) return undefined;
  return (
    `the disk of ${folder} may be too small: two checkpoints, of which the new one is written before the old one is ` +
    `removed, need about ${inUnits(needed)}, and ${inUnits(free)} are free`
  );
}

/** Of the file system that a folder is on, or will be. */
function freeBytes(folder: string): number | undefined {
  for (let path = resolve(folder); ; path = dirname(path))
    try {
      const { bavail, blocks, bsize } = statfsSync(path);
      return blocks === 0 ? undefined : bavail * bsize; // some network file systems say 0 for all of them
    } catch {
      if (path === dirname(path)) return undefined;
    }
}

function inUnits(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
