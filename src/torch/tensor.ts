/**
 * `Tensor`: one slot of the addon, with what no operator answers (shape, dtype, device, autograd state, values in and
 * out), and every ATen operator as a method. `ops.generated.ts` holds the operators' types.
 */
import { inspect } from "node:util";
import { description, receivedInCode } from "../base/values";
import { binding } from "../native/binding";
import type { Scalar } from "./arguments";
import { flatten, holdsBits, type NestedArray, nested, shapeOf, toTypedArray } from "./arrays";
import type { Device } from "./device";
import { edgesOf, formatTensor } from "./display";
import {
  type ArrayOf,
  type DType,
  dtypeCode,
  dtypeOfArray,
  dtypeOfCode,
  dtypes,
  isComplex,
  isDType,
  type TypedArray,
  viewOf,
} from "./dtype";
import { applyViews, type IndexInto } from "./indexing";
import { invoke, invokeBinary, invokeUnary } from "./operators";
import type { TensorMethods } from "./ops.generated";
import { atenOperators, installedOnUse, type Operator } from "./schemas";
import { type GeneratorHandle, Handle, tidy } from "./scope";

export interface BackwardOptions {
  /** Keep the graph for another backward; defaults to `createGraph`. */
  retainGraph?: boolean;
  /** Record the backward itself, for second derivatives. */
  createGraph?: boolean;
  /** Accumulate into these leaves only. */
  inputs?: readonly Tensor[];
}

export interface ToOptions {
  dtype?: DType;
  device?: Device;
  /** Copy even when nothing changes. */
  copy?: boolean;
  /** Do not wait for a copy between host and device. */
  nonBlocking?: boolean;
}

/** An integer, a slice (also as a string, `"1:3"`), `"..."`, null for a new dimension, a mask, or indices. */
export type Index = IndexInto<Tensor>;

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the operators are installed below
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
      throw new TypeError(`Expected a boolean for 'requiresGrad' but received ${receivedInCode(value)}`);
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

  /** This tensor in another dtype or on another device; a new handle on the same tensor when neither changes. */
  to<T extends DType>(dtype: T): Tensor<T>;
  to<T extends DType>(device: Device, dtype: T): Tensor<T>;
  to(target: Device | Tensor | ToOptions): Tensor;
  to(target: DType | Device | Tensor | ToOptions, second?: DType): Tensor {
    const {
      dtype = this.dtype,
      device = this.device,
      copy = false,
      nonBlocking = false,
    } = conversionOf(target, second, ["dtype", "device", "copy", "nonBlocking"]);
    return aten.to(this, { dtype, device, copy, nonBlocking });
  }

  /**
   * Indexing as in PyTorch: `t.index(0, slice(1, 3), null, "...", mask)` is `t[0, 1:3, None, ..., mask]`. Slices may
   * be written as strings (`":"`, `"1:3"`, `"::2"`). Ints, slices, null and booleans give a view; tensors and arrays
   * of integers a copy.
   */
  index(...indices: Index[]): Tensor {
    return tidy(() => {
      const { view, advanced } = applyViews<Tensor>(this, indices, (values) => indexTensor(values, this.device));
      return advanced.length === 0 ? view : aten.index(view, advanced);
    });
  }

  /** `t[indices] = value`, in place; with `accumulate`, `+=` that counts repeated indices. Returns this tensor. */
  indexPut_(indices: readonly Index[], value: Tensor | Scalar, accumulate = false): this {
    tidy(() => {
      const { view, advanced } = applyViews<Tensor>(this, indices, (values) => indexTensor(values, this.device));
      const source = value instanceof Tensor ? withoutLeadingOnes(value) : aten.fill_(aten.newEmpty(view, []), value);
      if (advanced.length > 0) aten.indexPut_(view, advanced, source, accumulate);
      else if (accumulate) aten.add_(view, source);
      else aten.copy_(view, source);
    });
    return this;
  }

  /** This tensor where `condition` (bool) holds, else `other`. */
  where(condition: Tensor, other: Tensor | Scalar): Tensor {
    return aten.where(condition, this, other); // ATen's first argument is the condition, and it calls that one self
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
    return nested(shape, (at) => {
      const element = flat[at]!;
      if (dtype === "bool") return element !== 0;
      return typeof element === "bigint" && Number.isSafeInteger(Number(element)) ? Number(element) : element;
    });
  }

  /** What `JSON.stringify` writes: the values, as `toList()`. */
  toJSON(): NestedArray {
    return this.toList();
  }

  /** The values as PyTorch prints them, then shape, dtype and device. */
  override toString(): string {
    if (this.slot === -1) return "tensor(disposed)";
    return tidy(() =>
      formatTensor(this, this.device !== "meta" && binding.isDense(this.slot) ? edgesOf<Tensor>(this, edges) : undefined),
    );
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal */
  [description](): string {
    return this.slot === -1 ? "a disposed Tensor" : `Tensor ${this.dtype}[${this.shape.join(", ")}]`;
  }

  /** Whether both are one tensor: the same storage, shape and autograd history. */
  is(other: Tensor): boolean {
    return binding.isSame(this.live("is"), slotOf(other, "other"));
  }

  /** Runs `read` on a tensor whose bytes a typed array can view. */
  private readable<T>(read: (tensor: Tensor) => T): T {
    this.live("toArray");
    if (viewOf(this.dtype)) return read(this);
    using converted = aten.toCopy(this, { dtype: readableDType(this.dtype) });
    return read(converted);
  }
}

/** Every ATen operator whose first argument is `self` is a method. */
// biome-ignore lint/correctness/noUnusedVariables: declarations that merge have the same parameters
export interface Tensor<D extends DType = DType> extends TensorMethods<Tensor, GeneratorHandle> {}

installedOnUse(Tensor.prototype, () => {
  // Made apart and linked in at once: V8 makes a hidden class for each property added to a prototype in use.
  const methods = Object.create(Handle.prototype) as Record<string, unknown>;
  for (const [name, operator] of atenOperators()) if (isMethod(name)) methods[name] = methodOf(operator);
  Object.setPrototypeOf(Tensor.prototype, methods);
});

/** Private operators are functions only; `__and__` and its like are methods, as in Python. */
function isMethod(name: string): boolean {
  return !name.startsWith("_") || name.startsWith("__");
}

function methodOf(operator: Operator): (this: Tensor, ...args: unknown[]) => unknown {
  // Array literals cost a third of growing the rest array by `this`.
  return function (this: Tensor, a?: unknown, b?: unknown, ...rest: unknown[]): unknown {
    // biome-ignore lint/complexity/noArguments: an argument that is undefined counts
    switch (arguments.length) {
      case 0:
        return invokeUnary(operator, this, Tensor);
      case 1:
        return invokeBinary(operator, this, a, Tensor);
      case 2:
        return invoke(operator, [this, a, b], Tensor);
      default:
        return invoke(operator, [this, a, b, ...rest], Tensor);
    }
  };
}

/** An operator fixed to these overloads, as a function that returns a tensor. */
export function atenOperator(...qualifiedNames: [string, ...string[]]): (...args: unknown[]) => Tensor {
  const name = qualifiedNames[0].replace("aten::", "");
  const operator: Operator = { name, qualifiedNames };
  return (...args) => invoke(operator, args, Tensor) as Tensor;
}

const aten = {
  add_: atenOperator("aten::add_.Tensor"),
  cat: atenOperator("aten::cat"),
  copy_: atenOperator("aten::copy_"),
  fill_: atenOperator("aten::fill_.Scalar"),
  index: atenOperator("aten::index.Tensor"),
  indexPut_: atenOperator("aten::index_put_"),
  newEmpty: atenOperator("aten::new_empty"),
  to: atenOperator("aten::to.dtype_layout"),
  toCopy: atenOperator("aten::_to_copy"),
  where: atenOperator("aten::where.self", "aten::where.ScalarOther"),
};

/** The slot of an argument that has to be a tensor. */
export function slotOf(value: unknown, name: string): number {
  if (value instanceof Tensor) return value.live(name);
  throw new TypeError(`Expected a Tensor for '${name}' but received ${receivedInCode(value)}`);
}

/** A tensor with a copy of the values, converted to `dtype`, on `device`. */
export function copyOf(data: TypedArray, shape: readonly number[], dtype: DType, device: Device = "cpu"): Tensor {
  const stored = holdsBits(data, dtype) ? dtype : dtypeOfArray(data);
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  const copied = new Tensor(binding.fromBytes(bytes, dtypeCode(stored), shape));
  if (stored === dtype && copied.device === device) return copied;
  const converted = aten.toCopy(copied, { dtype, device });
  copied.dispose();
  return converted;
}

/** Indices as a tensor: int64, or bool for a mask. */
function indexTensor(values: readonly NestedArray[], device: Device): Tensor {
  const shape = shapeOf(values);
  const flat = flatten(values, shape);
  const dtype = flat.length > 0 && flat.every((value) => typeof value === "boolean") ? "bool" : "int64";
  return copyOf(toTypedArray(flat, dtype), shape, dtype, device);
}

/** Assignment ignores them: `t[0] = ones(1, 1, 3)`. */
function withoutLeadingOnes(value: Tensor): Tensor {
  let result = value;
  while (result.shape[0] === 1) result = result.select(0, 0);
  return result;
}

/** The first and last `edge` elements of a dimension. */
function edges(tensor: Tensor, dim: number, edge: number): Tensor {
  return aten.cat([tensor.narrow(dim, 0, edge), tensor.narrow(dim, tensor.size(dim) - edge, edge)], dim);
}

function readableDType(dtype: DType): DType {
  return viewOf(dtype) ? dtype : dtype === "complex32" ? "complex64" : "float32";
}

function decode(bytes: ArrayBuffer, dtype: DType): TypedArray {
  return new (viewOf(dtype)!)(bytes);
}

/**
 * Reads the arguments of `to`: a dtype, a device, a device and a dtype, another tensor, or options.
 *
 * @param names the allowed options
 * @throws TypeError for anything else, such as a misspelled option
 */
export function conversionOf(target: unknown, second: unknown, names: readonly (keyof ToOptions)[]): ToOptions {
  const options = readConversion(target, names);
  if (!options)
    throw new TypeError(
      `Expected a dtype, a device, a Tensor or options (${names.join(", ")}) for 'to' but received ${receivedInCode(target)}; ` +
        `the dtypes are ${dtypes.join(", ")}`,
    );
  const { dtype } = second === undefined ? options : { dtype: second };
  if (dtype !== undefined && !isDType(dtype))
    throw new TypeError(`Expected a dtype for 'dtype' but received ${receivedInCode(dtype)}`);
  return { ...options, dtype };
}

function readConversion(target: unknown, names: readonly string[]): ToOptions | undefined {
  if (target instanceof Tensor) return { dtype: target.dtype, device: target.device };
  if (isDType(target)) return { dtype: target };
  if (typeof target === "string") return /^[a-z]+(:\d+)?$/.test(target) ? { device: target } : undefined;
  const areOptions = typeof target === "object" && target !== null && Object.keys(target).every((key) => names.includes(key));
  return areOptions ? target : undefined;
}
