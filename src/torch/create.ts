/**
 * New tensors. JavaScript has one kind of number: from numbers the dtype is float32 unless `dtype` says otherwise, from
 * bigints int64, from booleans bool. `arange` and `randint` give int64 for whole numbers, as PyTorch.
 */
import { binding } from "../native/binding";
import { type DType, type TypedArray, dtypeCode, dtypeOfArray, isFloatingPoint, isTypedArray } from "./dtype";
import type { Generator } from "./generator";
import { atenOperator, describeValue } from "./operators";
import { checkOptions } from "../base/options";
import { dispose } from "./scope";
import { type Device, type NestedArray, Tensor } from "./tensor";

export interface TensorOptions {
  dtype?: DType;
  device?: Device;
  /** Record operations on it for backward. */
  requiresGrad?: boolean;
}

export interface RandomOptions extends TensorOptions {
  generator?: Generator;
}

const aten = {
  empty: atenOperator("aten::empty.memory_format"),
  zeros: atenOperator("aten::zeros"),
  ones: atenOperator("aten::ones"),
  full: atenOperator("aten::full"),
  rand: atenOperator("aten::rand", "aten::rand.generator"),
  randn: atenOperator("aten::randn", "aten::randn.generator"),
  randint: atenOperator("aten::randint.low", "aten::randint.low_generator"),
  randperm: atenOperator("aten::randperm", "aten::randperm.generator"),
  arange: atenOperator("aten::arange.start_step"),
  linspace: atenOperator("aten::linspace"),
  eye: atenOperator("aten::eye.m"),
  toCopy: atenOperator("aten::_to_copy"),
};

const optionNames = ["dtype", "device", "requiresGrad", "generator"];

/** The op's own options; `requiresGrad` is no argument of any schema. */
function forOp(options: RandomOptions, defaultDType: DType = "float32"): Record<string, unknown> {
  checkOptions("a new tensor", options, optionNames);
  const { dtype, device, generator } = options;
  if (dtype !== undefined) checkDType(dtype);
  return { dtype: dtype ?? defaultDType, ...(device !== undefined && { device }), ...(generator !== undefined && { generator }) };
}

function checkDType(dtype: DType): DType {
  dtypeCode(dtype); // throws, listing the dtypes
  return dtype;
}

function withGrad(tensor: Tensor, { requiresGrad = false }: TensorOptions): Tensor {
  return requiresGrad ? tensor.requiresGrad_() : tensor;
}

function checkShape(shape: readonly number[]): readonly number[] {
  if (!Array.isArray(shape)) throw new TypeError(`Expected an array of sizes for 'shape' but received ${describeValue(shape)}`);
  for (const size of shape as number[]) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`Expected non-negative integers for 'shape' but received ${describeValue(shape)}`);
  }
  return shape;
}

/** Uninitialised values. */
export function empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return withGrad(aten.empty(checkShape(shape), forOp(options)), options);
}

export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return withGrad(aten.zeros(checkShape(shape), forOp(options)), options);
}

export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return withGrad(aten.ones(checkShape(shape), forOp(options)), options);
}

/** Every element `value`; bool for a boolean, int64 for a bigint, else float32. */
export function full(shape: readonly number[], value: number | bigint | boolean, options: TensorOptions = {}): Tensor {
  const natural = typeof value === "bigint" ? "int64" : typeof value === "boolean" ? "bool" : "float32";
  return withGrad(aten.full(checkShape(shape), value, forOp(options, natural)), options);
}

/** Uniform on [0, 1). */
export function rand(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return withGrad(aten.rand(checkShape(shape), forOp(options)), options);
}

/** Standard normal. */
export function randn(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return withGrad(aten.randn(checkShape(shape), forOp(options)), options);
}

/** Integers from `low` up to but not including `high`. */
export function randint(low: number, high: number, shape: readonly number[], options: RandomOptions = {}): Tensor {
  return withGrad(aten.randint(low, high, checkShape(shape), forOp(options, "int64")), options);
}

/** A random order of 0 … n - 1. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  return withGrad(aten.randperm(n, forOp(options, "int64")), options);
}

/** `arange(end)`, `arange(start, end)` or `arange(start, end, step)`; int64 when all are whole numbers. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...args: (number | TensorOptions | undefined)[]): Tensor {
  const last = args.at(-1);
  const options = typeof last === "object" ? last : {};
  const bounds = (typeof last === "object" ? args.slice(0, -1) : args).filter((bound) => bound !== undefined) as number[];
  if (bounds.length < 1 || bounds.length > 3 || bounds.some((bound) => typeof bound !== "number" || Number.isNaN(bound)))
    throw new TypeError(`Expected numbers for 'arange' but received ${args.map(describeValue).join(", ") || "nothing"}`);
  const [start, end, step] = bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  const natural = bounds.every(Number.isInteger) ? "int64" : "float32";
  return withGrad(aten.arange(start, end, step, forOp(options, natural)), options);
}

/** `steps` values from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  return withGrad(aten.linspace(start, end, steps, forOp(options)), options);
}

/** Ones on the diagonal. */
export function eye(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  return withGrad(aten.eye(rows, columns, forOp(options)), options);
}

/**
 * A tensor with a copy of a typed array's values, converted when `dtype` is not the array's own. A Uint16Array given
 * for bfloat16 or float16, or a Uint8Array for a float8, holds raw bits.
 *
 * ```ts
 * fromTypedArray(new Float32Array([1, 2, 3, 4]), [2, 2]);
 * ```
 */
export function fromTypedArray(data: TypedArray, shape?: readonly number[], options: TensorOptions = {}): Tensor {
  checkOptions("a new tensor", options, optionNames);
  if (!isTypedArray(data)) throw new TypeError(`Expected a typed array for 'data' but received ${describeValue(data)}`);
  const sizes = checkShape(shape ?? [data.length]);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count !== data.length)
    throw new RangeError(`Expected ${count} values for shape [${sizes.join(", ")}] but received ${data.length}`);
  const dtype = checkDType(options.dtype ?? dtypeOfArray(data));
  const stored = holdsBits(data, dtype) ? dtype : dtypeOfArray(data);
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return withGrad(convert(new Tensor(binding.fromBytes(bytes, dtypeCode(stored), sizes)), dtype, options.device), options);
}

function holdsBits(data: TypedArray, dtype: DType): boolean {
  const own = dtypeOfArray(data);
  return (own === "uint16" && (dtype === "bfloat16" || dtype === "float16")) || (own === "uint8" && dtype.startsWith("float8"));
}

function convert(tensor: Tensor, dtype: DType, device: Device = "cpu"): Tensor {
  if (tensor.dtype === dtype && tensor.device === device) return tensor;
  const converted = aten.toCopy(tensor, { dtype, device });
  dispose(tensor);
  return converted;
}

/**
 * A tensor of nested arrays, a single value, or a typed array.
 *
 * ```ts
 * tensor([[1, 2], [3, 4]]);              // float32
 * tensor([1, 2, 3], { dtype: "int64" });
 * tensor([true, false]);                 // bool
 * ```
 */
export function tensor(data: NestedArray | readonly NestedArray[] | TypedArray, options: TensorOptions = {}): Tensor {
  if (isTypedArray(data)) return fromTypedArray(data, [data.length], options);
  const shape = shapeOf(data);
  const flat: (number | bigint | boolean)[] = [];
  flatten(data, shape, 0, flat);
  const dtype = checkDType(options.dtype ?? naturalDType(flat));
  return fromTypedArray(toTypedArray(flat, dtype), shape, { ...options, dtype });
}

function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > 64)
      throw new RangeError("Expected arrays nested at most 64 deep for 'tensor' but received deeper ones, or a cycle");
  }
  return shape;
}

function flatten(data: unknown, shape: number[], depth: number, out: (number | bigint | boolean)[]): void {
  if (depth === shape.length) {
    if (typeof data !== "number" && typeof data !== "bigint" && typeof data !== "boolean")
      throw new TypeError(
        `Expected numbers, bigints or booleans in equally long rows for 'tensor' but received ${describeValue(data)} at depth ${depth}`,
      );
    out.push(data);
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[depth])
    throw new TypeError(
      `Expected rows of ${shape[depth]} values at depth ${depth} for 'tensor' but received ${describeValue(data)}`,
    );
  for (const row of data) flatten(row, shape, depth + 1, out);
}

function naturalDType(flat: (number | bigint | boolean)[]): DType {
  const kinds = new Set(flat.map((value) => typeof value));
  if (kinds.size > 1)
    throw new TypeError(`Expected values of one kind for 'tensor' but received ${[...kinds].join(" and ")}; give a dtype`);
  return kinds.has("bigint") ? "int64" : kinds.has("boolean") ? "bool" : "float32";
}

function toTypedArray(flat: (number | bigint | boolean)[], dtype: DType): TypedArray {
  if (dtype === "bool") return Uint8Array.from(flat, (value) => (value || Number.isNaN(value) ? 1 : 0));
  if (isFloatingPoint(dtype)) return dtype === "float64" ? Float64Array.from(flat, Number) : Float32Array.from(flat, Number);
  if (dtype.startsWith("complex")) return Float64Array.from(flat, Number);
  const bits = Number(/\d+$/.exec(dtype)![0]);
  const fitting = dtype.startsWith("u") ? BigInt.asUintN : BigInt.asIntN;
  // A uint64 beyond 2^63 passes through int64 with its bits unchanged.
  return BigInt64Array.from(flat, (value) => {
    if (typeof value === "number" && !Number.isSafeInteger(value))
      throw new TypeError(`Expected integers for dtype ${dtype} but received ${value}`);
    if (fitting(bits, BigInt(value)) !== BigInt(value))
      throw new RangeError(`Expected integers that fit into ${dtype} but received ${value}`);
    return BigInt(value);
  });
}

/** @internal Indices as a tensor: int64, or bool for a mask. */
export function arrayToTensor(values: readonly NestedArray[], device: Device): Tensor {
  const flat = (values as readonly unknown[]).flat(Infinity);
  const isMask = flat.length > 0 && flat.every((value) => typeof value === "boolean");
  return tensor(values, { dtype: isMask ? "bool" : "int64", device });
}
