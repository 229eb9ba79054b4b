/** Whether a run's checkpoints will fit on the disk, estimated before its first step. */
import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type CausalLM, adapterTensors } from "../../models";
import { hasAdapter } from "../../nn";
import { getRngState } from "../../torch";
import { adamwLayout } from "../../optim/adamw";
import { stateBytes } from "../../optim/optimizer";
import { itemSize } from "../../torch/dtype";

/** A new checkpoint is written before an old one is removed. */
const CHECKPOINTS = 2;

/** Bytes of a checkpoint: the weights that are saved, the optimizer's state, and the generators' states. */
export function checkpointBytes(model: CausalLM): number {
  const saved = hasAdapter(model) ? Object.values(adapterTensors(model)) : [...model.parameters()];
  const bytes = saved.reduce((sum, tensor) => sum + tensor.numel() * itemSize(tensor.dtype), 0);
  const trained = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  const optimizer = trained.reduce((sum, tensor) => sum + stateBytes(adamwLayout, tensor), 0);
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
