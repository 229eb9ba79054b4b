/**
 * A tensor: one slot of the addon, with what no operator answers (shape, dtype, device, autograd state, values in and
 * out). The operators themselves are installed as methods by `methods.ts`.
 */
import { binding } from "../native/binding";
import { type ArrayOf, type DType, type TypedArray, dtypeCode, dtypeOfCode, isComplex, viewOf } from "./dtype";
import { describeValue } from "./operators";
import { Handle } from "./scope";

/** `"cpu"`, `"cuda"`, `"cuda:1"`: PyTorch's device strings. */
export type Device = string;

export interface BackwardOptions {
  /** Keep the graph for another backward; defaults to `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward itself, for second derivatives. */
  createGraph?: boolean;
  /** Accumulate into these leaves only. */
  inputs?: readonly Tensor[];
}

/** A nested array of values, as deep as the tensor has dimensions. */
export type NestedArray = number | bigint | boolean | NestedArray[];

const toCopy = binding.findOperator("aten::_to_copy");

export class Tensor<D extends DType = DType> extends Handle {
  /** Sizes of the dimensions; `[]` for a scalar. */
  get shape(): readonly number[] {
    return binding.shape(this.live("shape"));
  }

  /** Elements (not bytes) between neighbours along each dimension. */
  get strides(): readonly number[] {
    return binding.strides(this.live("strides"));
  }

  get dtype(): D {
    return dtypeOfCode(binding.dtype(this.live("dtype"))) as D;
  }

  get device(): Device {
    return binding.device(this.live("device"));
  }

  /** Number of dimensions. */
  dim(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** Size of one dimension (negative counts from the end), or all of them. */
  size(): readonly number[];
  size(dim: number): number;
  size(dim?: number): number | readonly number[] {
    const shape = this.shape;
    if (dim === undefined) return shape;
    const size = Number.isInteger(dim) ? shape.at(dim) : undefined;
    if (size === undefined)
      throw new RangeError(`Expected a dimension from ${-shape.length} to ${shape.length - 1} for 'dim' but received ${dim}`);
    return size;
  }

  get requiresGrad(): boolean {
    return binding.requiresGrad(this.live("requiresGrad"));
  }

  set requiresGrad(value: boolean) {
    if (typeof value !== "boolean")
      throw new TypeError(`Expected a boolean for 'requiresGrad' but received ${describeValue(value)}`);
    binding.setRequiresGrad(this.live("requiresGrad"), value);
  }

  /** Sets `requiresGrad` and returns this tensor. */
  requiresGrad_(value = true): this {
    this.requiresGrad = value;
    return this;
  }

  /** Whether it was created by the user rather than by a recorded operation. */
  get isLeaf(): boolean {
    return binding.isLeaf(this.live("isLeaf"));
  }

  /** The name of the operation that made it (`"AddBackward0"`), or null for a leaf. */
  get gradFn(): string | null {
    return binding.gradFn(this.live("gradFn"));
  }

  /** The accumulated gradient, as a new handle on it, or null. Assign null to clear it. */
  get grad(): Tensor<D> | null {
    const slot = binding.gradient(this.live("grad"));
    return slot === -1 ? null : new Tensor<D>(slot);
  }

  set grad(value: Tensor | null) {
    binding.setGradient(this.live("grad"), value === null ? -1 : slotOf(value, "grad"));
  }

  /** Makes `backward` keep the gradient of a tensor that is not a leaf. */
  retainGrad(): void {
    binding.retainGrad(this.live("retainGrad"));
  }

  /**
   * Accumulates gradients into the leaves this tensor was computed from. `gradient` has this tensor's shape and may be
   * left out for a single element.
   */
  backward(gradient?: Tensor | null, options: BackwardOptions = {}): void {
    const { createGraph = false, retainGraph = createGraph, inputs = [] } = options;
    const gradients = gradient === undefined || gradient === null ? [] : [slotOf(gradient, "gradient")];
    const leaves = inputs.map((input) => slotOf(input, "inputs"));
    binding.backward([this.live("backward")], gradients, retainGraph, createGraph, leaves);
  }

  /**
   * The value of a single element: a number; a boolean for bool; a bigint for an integer beyond 2^53; `{ real, imag }`
   * for complex: `t.item<bigint>()`. Waits for the device.
   */
  item(): number;
  item<T extends number | bigint | boolean | { real: number; imag: number }>(): T;
  item(): unknown {
    return binding.item(this.live("item"));
  }

  /** All values in row-major order. int64 gives BigInt64Array, bool 0 and 1, float16 and bfloat16 converted float32. */
  toArray(): ArrayOf[D] {
    return this.readable((tensor) => decode(binding.readBytes(tensor.slot), tensor.dtype)) as ArrayOf[D];
  }

  /**
   * As `toArray()`; waits for the device and copies outside the main thread. What is written into the tensor before the
   * promise resolves may show in the result.
   */
  async toArrayAsync(): Promise<ArrayOf[D]> {
    const dtype = readableDType(this.dtype);
    const bytes = this.readable((tensor) => binding.readBytesAsync(tensor.slot));
    try {
      return decode(await bytes, dtype) as ArrayOf[D];
    } catch (error) {
      Error.captureStackTrace(error as Error); // it was made outside all JavaScript; from here the callers show
      throw error;
    }
  }

  /** The raw bits of a 16-bit or 8-bit float tensor, in row-major order; `fromTypedArray` takes them back. */
  toBits(): D extends "bfloat16" | "float16" ? Uint16Array : Uint8Array {
    const dtype = this.dtype;
    const Bits = dtype === "bfloat16" || dtype === "float16" ? Uint16Array : dtype.startsWith("float8") ? Uint8Array : undefined;
    if (!Bits)
      throw new TypeError(`Expected a float16, bfloat16 or float8 tensor for 'toBits' but received ${dtype}; use toArray()`);
    return new Bits(binding.readBytes(this.slot)) as ReturnType<Tensor<D>["toBits"]>;
  }

  /** All values as nested arrays, a plain value for a scalar. Integers beyond 2^53 stay bigints. */
  toList(): NestedArray {
    const { shape, dtype } = this;
    if (isComplex(dtype)) throw new TypeError(`Expected a real tensor for 'toList' but received ${dtype}; use toArray()`);
    const flat = this.toArray() as TypedArray;
    let next = 0;
    const value = (): NestedArray => {
      const element = flat[next++]!;
      if (dtype === "bool") return element !== 0;
      return typeof element === "bigint" && Number.isSafeInteger(Number(element)) ? Number(element) : element;
    };
    const nest = (depth: number): NestedArray =>
      depth === shape.length ? value() : Array.from({ length: shape[depth]! }, () => nest(depth + 1));
    return nest(0);
  }

  /** What `JSON.stringify` writes: the values, as `toList()`. */
  toJSON(): NestedArray {
    return this.toList();
  }

  /** Whether both are one tensor: the same storage, shape and autograd history. */
  is(other: Tensor): boolean {
    return binding.isSame(this.live("is"), slotOf(other, "other"));
  }

  /** Runs `read` on a tensor whose bytes a typed array can view. */
  private readable<T>(read: (tensor: Tensor) => T): T {
    const slot = this.live("toArray");
    if (viewOf(this.dtype)) return read(this);
    using converted = new Tensor(binding.call(toCopy, slot, dtypeCode(readableDType(this.dtype))) as number);
    return read(converted);
  }
}

/** @internal The slot of an argument that has to be a tensor. */
export function slotOf(value: unknown, name: string): number {
  if (value instanceof Tensor) return value.live(name);
  throw new TypeError(`Expected a Tensor for '${name}' but received ${describeValue(value)}`);
}

function readableDType(dtype: DType): DType {
  return viewOf(dtype) ? dtype : dtype === "complex32" ? "complex64" : "float32";
}

function decode(bytes: ArrayBuffer, dtype: DType): TypedArray {
  return new (viewOf(dtype)!)(bytes);
}
