/**
 * Indexing with Python's meaning: `t[0, 1:3, None, ..., mask]` is `index(t, [0, slice(1, 3), null, "...", mask])`.
 * What can be a view is one; tensors, masks and integer arrays go to ATen's `index` and `index_put_` at the end.
 */
import { receivedInCode } from "../base/values";
import { IndexError } from "../native/errors";
import type { NestedArray } from "./arrays";
import { type DType, isComplex, isFloatingPoint } from "./dtype";
import { Handle } from "./scope";

/** What indexing asks of a tensor. `Tensor` is built on this file. */
interface Indexable<T> extends Handle {
  readonly shape: readonly number[];
  readonly dtype: DType;
  dim(): number;
  item(): number;
  alias(): T;
  select(dim: number, index: number): T;
  slice(dim: number, start: number | null, end: number | null, step: number): T;
  unsqueeze(dim: number): T;
}

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
      throw new TypeError(`Expected an integer for '${name}' but received ${receivedInCode(value)}`);
  }
  if (step !== undefined && step !== null && step < 1)
    throw new RangeError(`Expected a positive step for 'slice' but received ${step}; flip() reverses a dimension`);
  return new Slice(start ?? null, end ?? null, step ?? 1);
}

/** An integer, a slice (also as a string, `"1:3"`), `"..."`, null for a new dimension, a mask, or indices. */
export type IndexInto<T> = number | string | null | boolean | Slice | T | readonly NestedArray[];

type Parsed<T> = number | "..." | null | boolean | Slice | T;

/** Makes a tensor of indices, or of a mask. */
type FromArray<T> = (values: readonly NestedArray[]) => T;

function parse<T extends Indexable<T>>(index: IndexInto<T>, fromArray: FromArray<T>): Parsed<T> {
  if (typeof index === "string") return parseText(index);
  if (Array.isArray(index)) return fromArray(index as NestedArray[]);
  if (!isTensor(index) || index.dim() > 0 || isFloatingPoint(index.dtype) || isComplex(index.dtype)) return index as Parsed<T>;
  const value = index.item(); // without dimensions it is the number it holds: a view, as in PyTorch
  return isMask(index) ? Boolean(value) : value;
}

function isTensor<T extends Handle>(index: unknown): index is T {
  return index instanceof Handle;
}

function parseText(text: string): Slice | "..." {
  if (text === "...") return text;
  const match = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/.exec(text);
  if (!match) throw new TypeError(`Expected a slice such as "1:3" or "..." for an index but received ${receivedInCode(text)}`);
  const [, start, end, step] = match.map((part) => (part === undefined ? null : Number(part)));
  return slice(start ?? null, end ?? null, step ?? 1);
}

/** Applies the indices that give a view; returns it with the tensors still to be applied, by dimension. */
export function applyViews<T extends Indexable<T>>(
  tensor: T,
  indices: readonly IndexInto<T>[],
  fromArray: FromArray<T>,
): { view: T; advanced: (T | null)[] } {
  const parsed = indices.map((index) => parse(index, fromArray));
  const consumed = parsed.reduce<number>((count, index) => count + dimensionsOf(index), 0);
  const dims = tensor.dim();
  if (consumed > dims)
    throw new RangeError(`Expected at most ${dims} indices for a tensor of ${dims} dimensions but received ${consumed}`);
  if (parsed.filter((index) => index === "...").length > 1) throw new TypeError('Expected at most one "..." among the indices');

  let view = tensor.alias();
  let dim = 0; // of the view
  let source = 0; // the dimension of the tensor it is
  let covered = 0; // dimensions of the view that `advanced` covers
  const advanced: (T | null)[] = [];
  for (const index of parsed) {
    if (index === "...") dim += dims - consumed;
    else if (index === null) view = view.unsqueeze(dim++);
    else if (typeof index === "number") view = view.select(dim, inRange(index, view.shape[dim]!, source));
    else if (index instanceof Slice) view = view.slice(dim++, index.start, index.end, index.step);
    else {
      if (typeof index === "boolean") view = view.unsqueeze(dim);
      const mask = typeof index === "boolean" ? fromArray([index]) : index;
      // A mask of several dimensions takes one place in ATen's list.
      advanced.push(...Array<null>(dim - covered).fill(null), mask);
      dim += dimensionsOf(mask);
      covered = dim;
    }
    source += index === "..." ? dims - consumed : dimensionsOf(index);
  }
  return { view, advanced };
}

function inRange(value: number, size: number, dim: number): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(`Expected an integer index but received ${receivedInCode(value)}`);
  if (value < -size || value >= size)
    throw new IndexError(`index ${value} is out of bounds for dimension ${dim} with size ${size}`);
  return value;
}

function isMask({ dtype }: { readonly dtype: DType }): boolean {
  return dtype === "bool" || dtype === "uint8";
}

function dimensionsOf<T extends Indexable<T>>(index: Parsed<T>): number {
  if (index === "..." || index === null || typeof index === "boolean") return 0;
  if (isTensor<T>(index)) return isMask(index) ? index.dim() : 1;
  if (typeof index === "number" || index instanceof Slice) return 1;
  throw new TypeError(
    `Expected a number, slice, null, boolean, Tensor or array for an index but received ${receivedInCode(index)}`,
  );
}
