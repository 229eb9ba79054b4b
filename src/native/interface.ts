/**
 * The types of the addon's entry points.
 *
 * Tensors are slots (integers); -1 means "no tensor". Dtypes are libtorch's codes, devices are strings.
 */
import type { nativeError } from "./errors";

export interface ArgumentDescription {
  name: string;
  kind:
    | "Tensor"
    | "Scalar"
    | "int"
    | "float"
    | "bool"
    | "str"
    | "dtype"
    | "layout"
    | "Device"
    | "MemoryFormat"
    | "Generator"
    | "Storage"
    | "Stream"
    | "other";
  list: boolean;
  optional: boolean;
  optionalElement: boolean;
  /** `int[2]` is 2: a single number is repeated. 0 when the schema gives none. */
  size: number;
  hasDefault: boolean;
  kwargOnly: boolean;
}

export interface OperatorDescription {
  name: string;
  overload: string;
  schema: string;
  arguments: ArgumentDescription[];
  /** `aliasOf` is the argument a return is (`Tensor(a!) self -> Tensor(a!)`), or -1. */
  returns: { type: string; name: string; aliasOf: number }[];
}

export interface MemoryStats {
  /** Bytes in use by tensors. */
  live: number;
  /** The most `live` has been. */
  peak: number;
  /** Bytes held for reuse. */
  cached: number;
  /** Bytes an accelerator has free, those held for reuse included; absent for the CPU. */
  free?: number;
}

export interface NativeBinding {
  setErrorFactory(factory: typeof nativeError): void;
  versions(): { compiled: string; config: string };

  findOperator(name: string): number;
  operatorNames(): string[];
  describeOperator(id: number): OperatorDescription;
  /** `undefined` takes the schema's default, `null` is None. Returns that are arguments come back as `undefined`. */
  call(id: number, ...args: unknown[]): unknown;

  release(slot: number): void;
  alias(slot: number): number;
  liveTensors(): number;
  shape(slot: number): number[];
  strides(slot: number): number[];
  dtype(slot: number): number;
  device(slot: number): string;
  isDense(slot: number): boolean;
  isSame(slot: number, other: number): boolean;
  requiresGrad(slot: number): boolean;
  setRequiresGrad(slot: number, value: boolean): void;
  isLeaf(slot: number): boolean;
  gradFn(slot: number): string | null;
  retainGrad(slot: number): void;
  gradient(slot: number): number;
  setGradient(slot: number, gradient: number): void;

  backward(outputs: number[], gradients: number[], retainGraph: boolean, createGraph: boolean, inputs: number[]): void;
  grad(
    outputs: number[],
    inputs: number[],
    gradients: number[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): number[];
  gradEnabled(): boolean;
  setGradEnabled(enabled: boolean): void;

  fromBytes(bytes: Uint8Array, dtype: number, shape: readonly number[]): number;
  readBytes(slot: number): ArrayBuffer;
  readBytesAsync(slot: number): Promise<ArrayBuffer>;
  item(slot: number): number | bigint | boolean | { real: number; imag: number };

  manualSeed(seed: number | bigint): void;
  createGenerator(device: string): number;
  releaseGenerator(slot: number): void;
  /** `generator` is a slot, or a device's name for its default generator. */
  seedGenerator(generator: number | string, seed: number | bigint): void;
  generatorState(generator: number | string): number;
  setGeneratorState(generator: number | string, state: number): void;

  accelerator(): { type: string; count: number } | null;
  deviceName(device: string): string;
  synchronize(device: string): void;
  emptyCache(device: string): void;
  memoryStats(device: string): MemoryStats;
  resetPeakMemory(device: string): void;
  /** Tells V8 what tensors hold outside its heap. */
  reportMemory(): void;
  threads(): number;
  setThreads(count: number): void;
}
