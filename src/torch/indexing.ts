/**
 * Indexing with Python's meaning: `t[0, 1:3, None, ..., mask]` is `index(t, [0, slice(1, 3), null, "...", mask])`.
 * What can be a view is one; tensors, masks and integer arrays go to ATen's `index` and `index_put_` at the end.
 */
import { IndexError } from "../native/errors";
import { arrayToTensor } from "./create";
import { isComplex, isFloatingPoint } from "./dtype";
import { type Scalar, atenOperator, describeValue } from "./operators";
import { tidy } from "./scope";
import { type Device, type NestedArray, Tensor } from "./tensor";

/** A range of a dimension; null or undefined means "to the end". Negative numbers count from the end. */
export class Slice {
  constructor(
    readonly start: number | null,
    readonly end: number | null,
    readonly step: number,
  ) {}
}

/** `slice(1, 3)` is `1:3`, `slice(2)` is `:2`, `slice(null, null, 2)` is `::2`. */
export function slice(end: number | null): Slice;
export function slice(start: number | null, end: number | null, step?: number): Slice;
export function slice(...bounds: (number | null | undefined)[]): Slice {
  const [start, end, step] = bounds.length === 1 ? [null, bounds[0], 1] : bounds;
  for (const [name, value] of Object.entries({ start, end, step })) {
    if (value !== null && value !== undefined && !Number.isSafeInteger(value))
      throw new TypeError(`Expected an integer for '${name}' but received ${describeValue(value)}`);
  }
  if (step !== undefined && step !== null && step < 1)
    throw new RangeError(`Expected a positive step for 'slice' but received ${step}; flip() reverses a dimension`);
  return new Slice(start ?? null, end ?? null, step ?? 1);
}

/** An integer, a slice (also as a string, `"1:3"`), `"..."`, null for a new dimension, a mask, or indices. */
export type Index = number | string | null | boolean | Slice | Tensor | readonly NestedArray[];

type Parsed = number | "..." | null | boolean | Slice | Tensor;

const select = atenOperator("aten::select.int");
const sliceOp = atenOperator("aten::slice.Tensor");
const unsqueeze = atenOperator("aten::unsqueeze");
const alias = atenOperator("aten::alias");
const gather = atenOperator("aten::index.Tensor");
const scatter = atenOperator("aten::index_put_");
const copy = atenOperator("aten::copy_");
const fill = atenOperator("aten::fill_.Scalar");
const newEmpty = atenOperator("aten::new_empty");
const addTo = atenOperator("aten::add_.Tensor");

function parse(index: Index, device: Device): Parsed {
  if (typeof index === "string") return parseText(index);
  if (Array.isArray(index)) return arrayToTensor(index as NestedArray[], device);
  if (!(index instanceof Tensor) || index.dim() > 0 || isFloatingPoint(index.dtype) || isComplex(index.dtype))
    return index as Parsed;
  const value = index.item(); // without dimensions it is the number it holds: a view, as in PyTorch
  return isMask(index) ? Boolean(value) : value;
}

function parseText(text: string): Slice | "..." {
  if (text === "...") return text;
  const match = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/.exec(text);
  if (!match) throw new TypeError(`Expected a slice such as "1:3" or "..." for an index but received ${describeValue(text)}`);
  const [, start, end, step] = match.map((part) => (part === undefined ? null : Number(part)));
  return slice(start ?? null, end ?? null, step ?? 1);
}

/** Applies what gives a view; returns it with the tensors still to be applied, by dimension. */
function view(tensor: Tensor, indices: readonly Index[]): { result: Tensor; advanced: (Tensor | null)[] } {
  const parsed = indices.map((index) => parse(index, tensor.device));
  const consumed = parsed.reduce<number>((count, index) => count + dimensionsOf(index), 0);
  const dims = tensor.dim();
  if (consumed > dims)
    throw new RangeError(`Expected at most ${dims} indices for a tensor of ${dims} dimensions but received ${consumed}`);
  if (parsed.filter((index) => index === "...").length > 1) throw new TypeError('Expected at most one "..." among the indices');

  let result = alias(tensor);
  let dim = 0; // of the result
  let source = 0; // the dimension of the tensor it is
  const advanced: (Tensor | null)[] = [];
  for (const index of parsed) {
    if (index === "...") dim += dims - consumed;
    else if (index === null) result = unsqueeze(result, dim++);
    else if (typeof index === "number") result = select(result, dim, inRange(index, result.shape[dim]!, source));
    else if (index instanceof Slice) result = sliceOp(result, dim++, index.start, index.end, index.step);
    else {
      if (typeof index === "boolean") result = unsqueeze(result, dim);
      while (advanced.length < dim) advanced.push(null);
      const mask = typeof index === "boolean" ? arrayToTensor([index], tensor.device) : index;
      advanced.push(mask);
      dim += dimensionsOf(mask);
      while (advanced.length < dim) advanced.push(SKIP);
    }
    source += index === "..." ? dims - consumed : dimensionsOf(index);
  }
  return { result, advanced: advanced.filter((index) => index !== SKIP) };
}

/** A mask of several dimensions takes one place in ATen's list. */
const SKIP = Symbol("skip") as unknown as Tensor;

function inRange(value: number, size: number, dim: number): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(`Expected an integer index but received ${describeValue(value)}`);
  if (value < -size || value >= size)
    throw new IndexError(`index ${value} is out of bounds for dimension ${dim} with size ${size}`);
  return value;
}

function isMask({ dtype }: Tensor): boolean {
  return dtype === "bool" || dtype === "uint8";
}

function dimensionsOf(index: Parsed): number {
  if (index === "..." || index === null || typeof index === "boolean") return 0;
  if (index instanceof Tensor) return isMask(index) ? index.dim() : 1;
  if (typeof index === "number" || index instanceof Slice) return 1;
  throw new TypeError(
    `Expected a number, slice, null, boolean, Tensor or array for an index but received ${describeValue(index)}`,
  );
}

export function index(tensor: Tensor, indices: readonly Index[]): Tensor {
  return tidy(() => {
    const { result, advanced } = view(tensor, indices);
    return advanced.length === 0 ? result : gather(result, advanced);
  });
}

export function indexPut_(tensor: Tensor, indices: readonly Index[], value: Tensor | Scalar, accumulate: boolean): Tensor {
  tidy(() => {
    const { result, advanced } = view(tensor, indices);
    const source = value instanceof Tensor ? withoutLeadingOnes(value) : fill(newEmpty(tensor, []), value);
    if (advanced.length > 0) scatter(result, advanced, source, accumulate);
    else if (accumulate) addTo(result, source);
    else copy(result, source);
  });
  return tensor;
}

/** Assignment ignores them: `t[0] = ones(1, 1, 3)`. */
function withoutLeadingOnes(value: Tensor): Tensor {
  let result = value;
  while (result.shape[0] === 1) result = select(result, 0, 0);
  return result;
}
