/** Joining tensors: the two of these one always wants as functions. */
import { ops } from "./methods";
import type { Tensor } from "./tensor";

/** Joins tensors along an existing dimension; their other sizes agree. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.cat(tensors, dim);
}

/** Joins tensors of one shape along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.stack(tensors, dim);
}
