/** Devices: which there are, what each kind can do, their memory and threads. */
import { readFileSync } from "node:fs";
import { receivedInCode } from "../base/values";
import { binding } from "../native/binding";
import type { MemoryStats } from "../native/interface";
import type { DType } from "./dtype";
import { createdOutsideScope } from "./scope";

/** `"cpu"`, `"cuda"`, `"cuda:1"`: PyTorch's device strings. */
export type Device = string;

/** What a kind of device can do. Code asks for one of these rather than for a device's name. */
interface Capabilities {
  /** Whether it is not the CPU: it has memory and a default generator of its own. */
  readonly isAccelerator: boolean;
  /** Whether operators return before their work is done, so that reading a value waits for everything before it. */
  readonly isAsynchronous: boolean;
  /** The 16-bit dtypes in which its matrix products are faster than in float32. */
  readonly halfPrecisions: readonly DType[];
  /** Whether frozen weights are best kept in the 16-bit dtype they were saved in. */
  readonly prefersHalf: boolean;
  /** Whether one flash attention over sequences of several lengths runs on it (`_flash_attention_forward`). */
  readonly hasVariableLengthAttention: boolean;
  /** How much work at once keeps it busy. More takes memory and makes nothing faster. */
  readonly limits: {
    /** Rows (tokens) of a forward pass. */
    readonly forwardRows: number;
    /** Rows (tokens) of a pass that is followed by a backward. */
    readonly trainingRows: number;
    /** Bytes of an intermediate result that is computed piece by piece. */
    readonly chunkBytes: number;
  };
}

export interface DeviceProperties extends Capabilities {
  /** `"cuda"` for `"cuda:1"`. */
  readonly type: string;
  /** 1 for `"cuda:1"`; null for `"cuda"`, the current one. */
  readonly index: number | null;
}

const cpu: Capabilities = {
  isAccelerator: false,
  isAsynchronous: false,
  get halfPrecisions() {
    return cpuHalfPrecisions();
  },
  prefersHalf: false,
  hasVariableLengthAttention: false,
  limits: { forwardRows: 2048, trainingRows: 1024, chunkBytes: 2 ** 25 },
};

/** Any accelerator of which no more is known. */
const accelerator: Capabilities = {
  isAccelerator: true,
  isAsynchronous: true,
  halfPrecisions: ["bfloat16", "float16"],
  prefersHalf: true,
  hasVariableLengthAttention: false,
  limits: { forwardRows: 16_384, trainingRows: 65_536, chunkBytes: 2 ** 28 },
};

/**
 * The types of device that libtorch computes on, by their names in its device strings (accelerators as
 * `at::accelerator::isAccelerator` lists them). A backend of smaug's own that renames `privateuseone` is added here.
 */
const kinds: Readonly<Record<string, Capabilities>> = {
  cpu,
  cuda: { ...accelerator, hasVariableLengthAttention: true },
  hip: accelerator,
  hpu: accelerator,
  mps: accelerator,
  mtia: accelerator,
  privateuseone: accelerator,
  xpu: accelerator,
};

const otherAccelerators = Object.keys(kinds).filter((name) => name !== "cpu" && name !== "cuda");

/** The device strings, for messages. */
export const deviceForms = `cpu, cuda, cuda:N or another accelerator of libtorch (${otherAccelerators.join(", ")})`;

/** Whether `text` names a device that libtorch knows, there or not. libtorch is not opened. */
export function isDeviceString(text: string): boolean {
  const [, type, index] = /^([a-z]+)(?::(0|[1-9]\d*))?$/.exec(text) ?? [];
  if (type === undefined || !Object.hasOwn(kinds, type)) return false;
  return index === undefined || kinds[type]!.isAccelerator;
}

/**
 * What a device can do. The name decides: no device is asked, and libtorch is not opened.
 *
 * ```ts
 * const { type, index, isAsynchronous } = deviceProperties(tensor.device);
 * ```
 */
export function deviceProperties(device: Device): DeviceProperties {
  const [type, index] = device.split(":") as [string, string | undefined];
  const capabilities = Object.hasOwn(kinds, type) ? kinds[type]! : accelerator;
  return { ...capabilities, type, index: index === undefined ? null : Number(index) };
}

let halfPrecisionsOfCpu: readonly DType[] | undefined;

/** bfloat16 where the processor has instructions for it; it emulates the others. */
function cpuHalfPrecisions(): readonly DType[] {
  halfPrecisionsOfCpu ??= /\b(avx512_bf16|amx_bf16)\b/.test(processorFlags()) ? ["bfloat16"] : [];
  return halfPrecisionsOfCpu;
}

function processorFlags(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}

/** The device to use when none is asked for: the accelerator if there is one, else the CPU. */
export function defaultDevice(): Device {
  const found = binding.accelerator();
  return found !== null && found.count > 0 ? found.type : "cpu";
}

/** Whether there is such a device. */
export function hasDevice(device: Device): boolean {
  const { isAccelerator, type, index } = deviceProperties(device);
  if (!isAccelerator) return true;
  const found = binding.accelerator();
  return found !== null && found.type === type && (index ?? 0) < found.count;
}

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

/** What a log calls the device: the maker's name, or `cpu, 8 threads`. */
export function deviceDescription(device: Device): string {
  return deviceProperties(device).isAccelerator ? deviceName(device) : `cpu, ${getNumThreads()} threads`;
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
