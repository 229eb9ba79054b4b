/** Devices, their memory and threads. */
import { receivedInCode } from "../base/received";
import { binding } from "../native/binding";
import type { MemoryStats } from "../native/interface";
import { createdOutsideScope } from "./scope";

/** `"cpu"`, `"cuda"`, `"cuda:1"`: PyTorch's device strings. */
export type Device = string;

/** How many devices of the accelerator libtorch was built for (`"cuda"`) are usable; 0 without one. */
export function deviceCount(): number {
  return binding.accelerator()?.count ?? 0;
}

/** The accelerator's device type, or null. */
export function acceleratorType(): string | null {
  return binding.accelerator()?.type ?? null;
}

/** The name the maker gave it: `"NVIDIA H100 80GB HBM3"`. */
export function deviceName(device: Device): string {
  return binding.deviceName(device);
}

/** Waits until all work queued on the device is done. */
export function synchronize(device: Device = acceleratorType() ?? "cpu"): void {
  binding.synchronize(device);
}

/** Gives memory held for reuse back to the system. */
export function emptyCache(device: Device = acceleratorType() ?? "cpu"): void {
  binding.emptyCache(device);
}

/** Starts `peak` of `memory()` again from what is in use now. */
export function resetPeakMemory(device: Device = "cpu"): void {
  binding.resetPeakMemory(device);
}

export interface Memory extends MemoryStats {
  /** Live tensor handles of this thread, on all devices. */
  tensors: number;
  /** Tensors created outside any scope since the start, freed by `dispose()` or garbage collection only. */
  outsideScope: number;
  /** Bytes that further tensors can have; on the CPU what the system (or the container) has left. */
  free: number;
}

/** What tensors use, in bytes, on one device. */
export function memory(device: Device = "cpu"): Memory {
  const stats = binding.memoryStats(device);
  const free = stats.free ?? process.availableMemory() + stats.cached;
  return { ...stats, free, tensors: binding.liveTensors(), outsideScope: createdOutsideScope() };
}

/** Threads libtorch's CPU operators use. */
export function getNumThreads(): number {
  return binding.threads();
}

export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 1024)
    throw new RangeError(`Expected an integer from 1 to 1024 for 'count' but received ${receivedInCode(count)}`);
  binding.setThreads(count);
}

/** The libtorch this smaug was built for, and what the loaded one says of itself. */
export function versions(): { compiled: string; config: string } {
  return binding.versions();
}
