/**
 * New tensors. JavaScript has one kind of number: from numbers the dtype is float32 unless `dtype` says otherwise, from
 * bigints int64, from booleans bool. `arange` and `randint` give int64 for whole numbers, as PyTorch.
 */
import { checkOptions } from "../base/options";
import { receivedInCode } from "../base/values";
import { flatten, type NestedArray, naturalDType, shapeOf, toTypedArray } from "./arrays";
import type { Device } from "./device";
import { type DType, dtypeCode, dtypeOfArray, isTypedArray, type TypedArray } from "./dtype";
import type { Generator } from "./generator";
import { atenOperator, copyOf, type Tensor } from "./tensor";

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
};

const optionNames = ["dtype", "device", "requiresGrad", "generator"];

/** The op's own options; `requiresGrad` is not an argument of any schema. */
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
  if (!Array.isArray(shape)) throw new TypeError(`Expected an array of sizes for 'shape' but received ${receivedInCode(shape)}`);
  for (const size of shape as number[]) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`Expected non-negative integers for 'shape' but received ${receivedInCode(shape)}`);
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
    throw new TypeError(
      `Expected numbers for 'arange' but received ${args.map((value) => receivedInCode(value)).join(", ") || "nothing"}`,
    );
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
  if (!isTypedArray(data)) throw new TypeError(`Expected a typed array for 'data' but received ${receivedInCode(data)}`);
  const sizes = checkShape(shape ?? [data.length]);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count !== data.length)
    throw new RangeError(`Expected ${count} values for shape [${sizes.join(", ")}] but received ${data.length}`);
  const dtype = checkDType(options.dtype ?? dtypeOfArray(data));
  return withGrad(copyOf(data, sizes, dtype, options.device), options);
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
  const flat = flatten(data, shape);
  const dtype = checkDType(options.dtype ?? naturalDType(flat));
  return fromTypedArray(toTypedArray(flat, dtype), shape, { ...options, dtype });
}
