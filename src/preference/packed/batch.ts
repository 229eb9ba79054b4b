/** A packing on a device: all its integers in one transfer, and nothing read back from there. */
import { type Device, fromTypedArray, type Tensor } from "../../torch";
import { expectPacking, type Packing } from "./packing";

/** Tensors are int64. Its creator (or the creator's scope) owns them. */
export interface PackedBatch {
  readonly packing: Packing;
  /** Token of each row, `[1, rows]`. */
  readonly ids: Tensor;
  /** Position of each row in its sequence, `[1, rows]`. */
  readonly positions: Tensor;
  /** Row that predicts each scored token, `[scored]`. */
  readonly predictors: Tensor;
  /** Each scored token, `[scored]`. */
  readonly targets: Tensor;
  /** The scored token behind each completion token, answer after answer, `[completionTokens]`. */
  readonly scoredOf: Tensor;
  /** The answer of each completion token, `[completionTokens]`: 2 × pair for the chosen one, and 1 more for the rejected. */
  readonly answerOf: Tensor;
  /** Completion tokens of each answer, `[pairs, 2]`; 0 for a rejected answer that a row does not have. */
  readonly lengths: Tensor;
  /** Rows each branch sees, branch after branch, `[keys]`. */
  readonly keyRows: Tensor;
}

/**
 * Brings a packing to a device.
 *
 * ```ts
 * const batch = upload(pack(pairs), "cuda");
 * ```
 */
export function upload(packing: Packing, device: Device = "cpu"): PackedBatch {
  expectPacking(packing, "packing");
  const { pairs, ids, positions, predictors, targets, branches } = packing;
  const answers = packing.completions.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const parts = {
    ids,
    positions,
    predictors,
    targets,
    scoredOf: joined(answers),
    answerOf: joined(answers.map(({ length }, answer) => new Int32Array(length).fill(answer))),
    lengths: Int32Array.from(answers, ({ length }) => length),
    keyRows: joined(branches.map(({ sequence }) => sequence)),
  };
  const all = fromTypedArray(joined(Object.values(parts)), undefined, { dtype: "int64", device });
  let at = 0;
  const next = ({ length }: Int32Array): Tensor => all.narrow(0, (at += length) - length, length);
  return {
    packing,
    ids: next(parts.ids).unsqueeze(0),
    positions: next(parts.positions).unsqueeze(0),
    predictors: next(parts.predictors),
    targets: next(parts.targets),
    scoredOf: next(parts.scoredOf),
    answerOf: next(parts.answerOf),
    lengths: next(parts.lengths).view([pairs.length, 2]),
    keyRows: next(parts.keyRows),
  };
}

function joined(arrays: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
