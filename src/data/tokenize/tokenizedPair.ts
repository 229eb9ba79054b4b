/** A preference pair in tokens: what packing, log-probs and the reference cache are fed with. */

/** One answer with its prompt: all ids, and where the completion begins. */
export interface TokenizedAnswer {
  /** Prompt and completion, laid end to end. */
  readonly ids: Int32Array;
  /** The completion is `ids.subarray(start)`; at least 1, since something has to predict its first token. */
  readonly start: number;
}

/** Two answers to a prompt. The two prompts may end differently: tokens do not end where texts do. */
export interface TokenizedPair {
  /** Place of the row in its data set, counted from 0. */
  readonly index: number;
  readonly chosen: TokenizedAnswer;
  readonly rejected: TokenizedAnswer;
}

/** Whether rows are in tokens already. */
export function areTokenized(rows: readonly unknown[]): rows is readonly TokenizedPair[] {
  return rows.every((row) => (row as Partial<TokenizedPair> | null)?.chosen?.ids instanceof Int32Array);
}
