/**
 * Rows of prompt and completion as one padded batch, and where in it each completion token is predicted. Padding is on
 * the right: under causal attention no real token sees it, so no mask is needed.
 */
import { received } from "../base/received";
import { type Device, type Tensor, fromTypedArray } from "../torch";

/** Token ids of one row. The completion ends with EOS where the answer does. */
export interface Row {
  prompt: readonly number[];
  completion: readonly number[];
}

export interface Batch {
  /** `[rows, length]` int64, padded with 0. */
  ids: Tensor;
  /** `[tokens]` int64: the flat index into `[rows * length]` whose hidden state predicts each completion token. */
  predictors: Tensor;
  /** `[tokens]` int64: the completion tokens, row after row. */
  targets: Tensor;
  /** `[tokens]` int64: the flat index of each completion token in `[rows * longest]`. */
  places: Tensor;
  rows: number;
  /** The largest token id. */
  largestId: number;
  /** Tokens of the longest completion. */
  longest: number;
}

/** Lays rows out for `completionLogProbs`. The caller (or its scope) owns the batch's tensors. */
export function collate(rows: readonly Row[], device: Device = "cpu"): Batch {
  expectTokenRows(rows);
  if (rows.length === 0) throw new RangeError("Expected at least one row for 'rows' but received none");
  rows.forEach(({ prompt, completion }, at) => {
    // The first completion token is predicted from the last prompt token.
    if (prompt.length === 0)
      throw new RangeError(`Expected at least one token for 'prompt' of row ${at} but received none; begin it with BOS`);
    if (completion.length === 0)
      throw new RangeError(`Expected at least one token for 'completion' of row ${at} but received none`);
    for (const id of [...prompt, ...completion])
      if (!Number.isSafeInteger(id) || id < 0)
        throw new RangeError(`Expected token ids from 0 on in row ${at} but received ${id}`);
  });
  const length = Math.max(...rows.map(({ prompt, completion }) => prompt.length + completion.length));
  const longest = Math.max(...rows.map(({ completion }) => completion.length));
  const tokens = rows.reduce((sum, { completion }) => sum + completion.length, 0);

  const ids = new BigInt64Array(rows.length * length);
  const predictors = new BigInt64Array(tokens);
  const targets = new BigInt64Array(tokens);
  const places = new BigInt64Array(tokens);
  let token = 0;
  rows.forEach(({ prompt, completion }, row) => {
    const start = row * length;
    [...prompt, ...completion].forEach((id, at) => (ids[start + at] = BigInt(id)));
    completion.forEach((id, at) => {
      predictors[token] = BigInt(start + prompt.length + at - 1);
      targets[token] = BigInt(id);
      places[token] = BigInt(row * longest + at);
      token++;
    });
  });

  const onDevice = (values: BigInt64Array, shape: number[]): Tensor => fromTypedArray(values, shape, { device });
  return {
    ids: onDevice(ids, [rows.length, length]),
    predictors: onDevice(predictors, [tokens]),
    targets: onDevice(targets, [tokens]),
    places: onDevice(places, [tokens]),
    rows: rows.length,
    largestId: rows.reduce((largest, { prompt, completion }) => Math.max(largest, ...prompt, ...completion), 0),
    longest,
  };
}

function expectTokenRows(rows: unknown): asserts rows is readonly Row[] {
  const isRow = (row: Partial<Row> | null) => Array.isArray(row?.prompt) && Array.isArray(row.completion);
  if (Array.isArray(rows) && rows.every(isRow)) return;
  throw new TypeError(
    `Expected a list of { prompt, completion }, each a list of token ids, for 'rows' but received ${received(rows)}`,
  );
}
