/** Nested arrays of values, as users write tensors, and the flat typed arrays that cross into libtorch. */
import { receivedInCode } from "../base/values";
import { type DType, dtypeOfArray, isFloatingPoint, type TypedArray } from "./dtype";

type Value = number | bigint | boolean;

/** A nested array of values, as deep as the tensor has dimensions. */
export type NestedArray = Value | NestedArray[];

/** The sizes of nested arrays, as the first row of each depth has them. */
export function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > 64)
      throw new RangeError("Expected arrays nested at most 64 deep for 'tensor' but received deeper ones, or a cycle");
  }
  return shape;
}

/** The values of nested arrays in row-major order; throws unless all rows of a depth are as long as `shape` says. */
export function flatten(data: unknown, shape: readonly number[]): Value[] {
  const values: Value[] = [];
  collect(data, shape, 0, values);
  return values;
}

function collect(data: unknown, shape: readonly number[], depth: number, out: Value[]): void {
  if (depth === shape.length) {
    if (typeof data !== "number" && typeof data !== "bigint" && typeof data !== "boolean")
      throw new TypeError(
        `Expected numbers, bigints or booleans in equally long rows for 'tensor' but received ${receivedInCode(data)} at depth ${depth}`,
      );
    out.push(data);
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[depth])
    throw new TypeError(
      `Expected rows of ${shape[depth]} values at depth ${depth} for 'tensor' but received ${receivedInCode(data)}`,
    );
  for (const row of data) collect(row, shape, depth + 1, out);
}

/** The dtype of values of one kind: float32, int64 for bigints, or bool. */
export function naturalDType(flat: readonly Value[]): DType {
  const kinds = new Set(flat.map((value) => typeof value));
  if (kinds.size > 1)
    throw new TypeError(`Expected values of one kind for 'tensor' but received ${[...kinds].join(" and ")}; give a dtype`);
  return kinds.has("bigint") ? "int64" : kinds.has("boolean") ? "bool" : "float32";
}

/** The values in a typed array that converts to `dtype` without loss. */
export function toTypedArray(flat: readonly Value[], dtype: DType): TypedArray {
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

/** Whether a typed array given for `dtype` holds its raw bits rather than numbers to convert. */
export function holdsBits(data: TypedArray, dtype: DType): boolean {
  const own = dtypeOfArray(data);
  return (own === "uint16" && (dtype === "bfloat16" || dtype === "float16")) || (own === "uint8" && dtype.startsWith("float8"));
}

/** Values in row-major order as nested arrays of these sizes; `value` makes an element of its place. */
export function nested(shape: readonly number[], value: (at: number) => NestedArray): NestedArray {
  let next = 0;
  const nest = (depth: number): NestedArray =>
    depth === shape.length ? value(next++) : Array.from({ length: shape[depth]! }, () => nest(depth + 1));
  return nest(0);
}
