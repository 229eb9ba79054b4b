/**
 * Attention over packed rows: the queries of each branch meet the keys of its whole sequence, the last query the last
 * key. On CUDA that is one variable-length flash attention; elsewhere, and for what flash attention cannot do (bent
 * scores, float32), one ordinary attention per branch. One attention with a mask over all rows took four times as long.
 */
import { type AttentionKernel, type AttentionRules, causalMask, maskedAttention } from "../../nn";
import { cat, deviceProperties, fromTypedArray, ops, type Tensor, tidy } from "../../torch";
import type { PackedBatch } from "./batch";
import type { Branch } from "./packing";

/**
 * The kernel for one batch. Masks and offsets are made once, for all layers.
 *
 * ```ts
 * const hidden = model.hidden(batch.ids, { positions: batch.positions, attend: packedAttention(batch) });
 * ```
 */
export function packedAttention(batch: PackedBatch): AttentionKernel {
  const { branches } = batch.packing;
  const { device } = batch.ids;
  const byBranch = attentionByBranch(branches, batch.keyRows);
  if (!deviceProperties(device).hasVariableLengthAttention) return byBranch;
  const flash = variableLength(branches, batch.keyRows);
  return (q, k, v, rules) => (flashCan(q, rules) ? flash : byBranch)(q, k, v, rules);
}

/** Whether the flash attention kernels support this. Dropout needs the general form, whose random numbers can be replayed. */
function flashCan(q: Tensor, { softcap, dropout }: AttentionRules): boolean {
  const halfPrecision = q.dtype === "float16" || q.dtype === "bfloat16";
  return halfPrecision && softcap === undefined && dropout === 0 && q.size(-1) <= 256 && q.size(-1) % 8 === 0;
}

/** One attention per branch. */
function attentionByBranch(branches: readonly Branch[], keyRows: Tensor): AttentionKernel {
  const shares = branches.some(({ length, sequence }) => length < sequence.length);
  const queryCounts = branches.map(({ length }) => length);
  const keyCounts = branches.map(({ sequence }) => sequence.length);
  // Without a mask the kernel's causal rule is used: where queries and keys are the same rows, and for a single query.
  const kernels = branches.map(({ length, sequence }) =>
    maskedAttention(length > 1 && length < sequence.length ? causalMask(length, sequence.length, keyRows.device) : undefined),
  );
  return (q, k, v, rules) => {
    const queries = ops.split(q, queryCounts, 2);
    const byHead = (gathered: Tensor, like: Tensor) =>
      gathered.view([1, gathered.size(0), like.size(1), like.size(3)]).transpose(1, 2); // [1, kvHeads, keys, headDim]
    const branchesOf = (x: Tensor) =>
      shares
        ? ops.split(byRow(x).indexSelect(0, keyRows), keyCounts, 0).map((gathered) => byHead(gathered, x))
        : ops.split(x, keyCounts, 2);
    const keys = branchesOf(k);
    const values = branchesOf(v);
    // Joined along rows, so that the heads of a row lie side by side, as the layer wants them.
    return cat(
      queries.map((query, i) => kernels[i]!(query, keys[i]!, values[i]!, rules).transpose(1, 2)),
      1,
    ).transpose(1, 2);
  };
}

/** One flash attention: branch i has queries cumQ[i] to cumQ[i + 1] and keys cumK[i] to cumK[i + 1]. */
function variableLength(branches: readonly Branch[], keyRows: Tensor): AttentionKernel {
  const { cumQueries, cumKeys, maxQueries, maxKeys } = branchOffsets(branches);
  const { device } = keyRows;
  const cumQ = fromTypedArray(cumQueries, undefined, { device });
  const cumK = fromTypedArray(cumKeys, undefined, { device });
  return (q, k, v, { scale, window }) =>
    tidy(() => {
      const [, heads, rows, headDim] = q.shape as [number, number, number, number];
      const packed = (x: Tensor) =>
        byRow(x)
          .indexSelect(0, keyRows)
          .view([-1, x.size(1), headDim]); // [keys, kvHeads, headDim]
      const queries = q.transpose(1, 2).reshape([rows, heads, headDim]);
      // Causal, aligned to the end of each branch. A window of n keys is the query's own and n - 1 to the left.
      const [out] = ops._flashAttentionForward(queries, packed(k), packed(v), cumQ, cumK, maxQueries, maxKeys, 0, true, false, {
        scale,
        ...(window !== undefined && { windowSizeLeft: window - 1, windowSizeRight: 0 }),
      });
      return out.view([1, rows, heads, headDim]).transpose(1, 2);
    });
}

/** Where each branch's queries and keys begin, one more for the end, and the longest of each. */
export function branchOffsets(branches: readonly Branch[]): {
  cumQueries: Int32Array;
  cumKeys: Int32Array;
  maxQueries: number;
  maxKeys: number;
} {
  const cumulative = (counts: readonly number[]) => {
    const sums = new Int32Array(counts.length + 1);
    counts.forEach((count, i) => (sums[i + 1] = sums[i]! + count));
    return sums;
  };
  const queries = branches.map(({ length }) => length);
  const keys = branches.map(({ sequence }) => sequence.length);
  return {
    cumQueries: cumulative(queries),
    cumKeys: cumulative(keys),
    maxQueries: Math.max(...queries),
    maxKeys: Math.max(...keys),
  };
}

/** `[1, heads, rows, headDim]` to `[rows, heads * headDim]`. */
function byRow(x: Tensor): Tensor {
  const [, heads, rows, headDim] = x.shape as [number, number, number, number];
  return x.transpose(1, 2).reshape([rows, heads * headDim]);
}
