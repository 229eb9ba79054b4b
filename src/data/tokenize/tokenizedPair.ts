/** A preference pair in tokens: what packing, log-probs and the reference cache are fed with. */
import { InputError } from "../../base/errors";

/** One answer with its prompt: all ids, and where the completion begins. */
export interface TokenizedAnswer {
  /** Prompt and completion, laid end to end. */
  readonly ids: Int32Array;
  /** The completion is `ids.subarray(start)`; at least 1, since something has to predict its first token. */
  readonly start: number;
}

/**
 * Two answers to a prompt, or only the chosen one, which is enough for a loss such as `sft`. The two prompts may end
 * differently: tokens do not end where texts do.
 */
export interface TokenizedPair {
  /** Place of the row in its data set, counted from 0. */
  readonly index: number;
  readonly chosen: TokenizedAnswer;
  readonly rejected?: TokenizedAnswer | undefined;
}

/** The answers that a row has: the chosen one, then the rejected one. */
export function answersOf({ chosen, rejected }: TokenizedPair): readonly TokenizedAnswer[] {
  return rejected ? [chosen, rejected] : [chosen];
}

/** A row with both answers. */
export interface AnswerPair extends TokenizedPair {
  readonly rejected: TokenizedAnswer;
}

export function hasRejected(pair: TokenizedPair): pair is AnswerPair {
  return pair.rejected !== undefined;
}

/**
 * Throws unless every row has a rejected answer.
 *
 * @param purpose what needs both answers, such as "the diagnosis"
 * @throws InputError that names the first row without one
 */
export function expectBothAnswers(pairs: readonly TokenizedPair[], purpose: string): asserts pairs is readonly AnswerPair[] {
  const single = pairs.find((pair) => !hasRejected(pair));
  if (single)
    throw new InputError(
      `Expected a rejected answer in row ${single.index} but received none; ${purpose} compares both answers of a row`,
    );
}

/** Whether rows are in tokens already. */
export function areTokenized(rows: readonly unknown[]): rows is readonly TokenizedPair[] {
  return rows.every((row) => (row as Partial<TokenizedPair> | null)?.chosen?.ids instanceof Int32Array);
}
