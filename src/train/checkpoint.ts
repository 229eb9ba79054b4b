/**
 * Checkpoints: `checkpoint-N/` holds all that a run needs to go on bit for bit, in Hugging Face's layout where there is
 * one: the adapter or model, `optimizer.safetensors`, `rng_state.safetensors` and `trainer_state.json`. The order of the
 * rows follows from the seed and the step, the learning rate from the step.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type CausalLM, FolderError, SafetensorsFile, adapterTensors, saveAdapter, saveModel } from "../models";
import { saveTensors } from "../models/safetensorsWriter";
import { openWeights } from "../models/weights";
import { InputError } from "../native/errors";
import { publishFolder, stagingFolder } from "../base/wholeFiles";
import { hasAdapter } from "../nn";
import type { AdamW, AdamWStateDict } from "../optim";
import { type Device, type Tensor, dispose, getRngState, setRngState, tidy } from "../torch";
import { saveGgufTokenizer } from "../text";
import { copyForeignEntries, isCheckpoint, removeCheckpoint } from "./runEntries";
import { type TrainerState, writeTrainerState } from "./trainerState";

const OPTIMIZER_FILE = "optimizer.safetensors";
const RNG_FILE = "rng_state.safetensors";
const NAME = /^checkpoint-(\d+)$/;

/** What a checkpoint is made from and restored into. */
export interface Resumable {
  readonly model: CausalLM;
  readonly optimizer: AdamW;
  readonly device: Device;
}

/** Writes `checkpoint-N`, whole or not at all, and returns its folder. */
export async function saveCheckpoint(outputDir: string, state: TrainerState, parts: Resumable): Promise<string> {
  const folder = join(outputDir, `checkpoint-${state.globalStep}`);
  const staging = stagingFolder(folder);
  try {
    await saveWeights(parts.model, staging);
    await saveTensors(join(staging, OPTIMIZER_FILE), optimizerTensors(parts.optimizer));
    const states = rngStates(parts.device);
    await saveTensors(join(staging, RNG_FILE), states).finally(() => dispose(states));
    await writeTrainerState(staging, state);
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
  await saveGgufTokenizer(model.folder, folder);
}

/** Puts back what `saveCheckpoint` wrote. `state` is the checkpoint's own, already read. */
export function restoreCheckpoint(folder: string, { model, optimizer, device }: Resumable): void {
  restoreWeights(model, folder);
  const saved = readTensors(join(folder, OPTIMIZER_FILE));
  optimizer.loadStateDict(toOptimizerState(saved, optimizer));
  dispose(saved);
  const states = readTensors(join(folder, RNG_FILE));
  for (const [name, state] of Object.entries(states)) setRngState(state, name === "cpu" ? "cpu" : device);
  dispose(states);
}

/** Copies a checkpoint's weights into the model. */
export function restoreWeights(model: CausalLM, folder: string): void {
  if (hasAdapter(model)) {
    copyAll(new SafetensorsFile(join(folder, "adapter_model.safetensors")), adapterTensors(model), folder);
  } else {
    using weights = openWeights(folder);
    tidy(() => copyAll(weights, model.stateDict(), folder));
  }
}

type Source = Pick<SafetensorsFile, "copyTo"> & { readonly entries: ReadonlyMap<string, { readonly shape: readonly number[] }> };

function copyAll(source: Source, tensors: Record<string, Tensor>, folder: string): void {
  for (const [name, { shape }] of Object.entries(tensors))
    if (`${source.entries.get(name)?.shape}` !== `${shape}`)
      throw new FolderError(`Expected '${name}' [${shape.join(", ")}] in the checkpoint ${folder}; it is of another model`);
  for (const [name, tensor] of Object.entries(tensors)) source.copyTo(name, tensor.detach());
}

/** Checkpoints in a folder by their steps, oldest first. */
export function checkpointsIn(outputDir: string): { step: number; folder: string }[] {
  if (!existsSync(outputDir)) return [];
  return readdirSync(outputDir)
    .flatMap((name) => {
      const step = NAME.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), folder: join(outputDir, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Removes the oldest checkpoints beyond `limit`; the one just written and `best` stay. */
export function rotateCheckpoints(outputDir: string, limit: number | null, keep: readonly (string | null)[]): void {
  if (limit === null) return;
  const all = checkpointsIn(outputDir).map(({ folder }) => folder).filter((folder) => isCheckpoint(folder, basename(folder)));
  const kept = new Set(keep.flatMap((folder) => (folder === null ? [] : [resolve(folder)])));
  const removable = all.filter((folder) => !kept.has(resolve(folder)));
  for (const folder of removable.slice(0, Math.max(0, all.length - limit))) removeCheckpoint(folder);
}

/** The folder that `resume_from_checkpoint` means: a path, or the newest in `outputDir` for `true`. */
export function findCheckpoint(which: string | true, outputDir: string): string {
  const newest = checkpointsIn(which === true ? outputDir : which).at(-1);
  if (which === true) {
    if (newest) return newest.folder;
    throw new InputError(`Expected a checkpoint in ${outputDir} for 'resume_from_checkpoint' but there is none`);
  }
  const missing = ["trainer_state.json", OPTIMIZER_FILE, RNG_FILE].find((name) => !existsSync(join(which, name)));
  if (missing === undefined) return which;
  const what = existsSync(which) ? `which has no ${missing}` : "which is not there";
  const hint = newest ? `; did you mean ${newest.folder}?` : "";
  throw new InputError(`Expected a checkpoint for 'resume_from_checkpoint' but received ${which}, ${what}${hint}`);
}

function optimizerTensors(optimizer: AdamW): Record<string, Tensor> {
  const { state } = optimizer.stateDict();
  return Object.fromEntries(
    Object.entries(state).flatMap(([i, { step, expAvg, expAvgSq }]) => [
      [`${i}.step`, step],
      [`${i}.exp_avg`, expAvg],
      [`${i}.exp_avg_sq`, expAvgSq],
    ]),
  );
}

function toOptimizerState(tensors: Record<string, Tensor>, optimizer: AdamW): AdamWStateDict {
  const numbers = new Set(Object.keys(tensors).map((name) => Number(name.split(".")[0])));
  const at = (i: number, name: string) => tensors[`${i}.${name}`]!;
  const state = Object.fromEntries(
    [...numbers].map((i) => [i, { step: at(i, "step"), expAvg: at(i, "exp_avg"), expAvgSq: at(i, "exp_avg_sq") }]),
  );
  return { state, groups: optimizer.stateDict().groups };
}

function rngStates(device: Device): Record<string, Tensor> {
  const cpu = getRngState("cpu");
  return device === "cpu" ? { cpu } : { cpu, cuda: getRngState(device) };
}

function readTensors(path: string): Record<string, Tensor> {
  const file = new SafetensorsFile(path);
  return Object.fromEntries([...file.entries.keys()].map((name) => [name, file.read(name)]));
}
