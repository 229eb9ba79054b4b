/**
 * A preference pair in tokens: the input of batches, log-probs and the reference cache. Pairs are stored, in a file or on
 * their way from one thread to another, as one array of integers.
 */
import { InputError } from "../../base/errors";
import { commonPrefixLength } from "../../base/lists";

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

/** index, chosen length, chosen start, rejected length (0 without one), rejected start, ids in common. */
const HEADER = 6;
const NO_ANSWER: TokenizedAnswer = { ids: new Int32Array(), start: 0 };

/** Stores per pair its numbers, the ids of the chosen answer, and those of the rejected one after what they have in common. */
export function storePairs(pairs: readonly TokenizedPair[]): Int32Array {
  const common = pairs.map(({ chosen, rejected = NO_ANSWER }) => commonPrefixLength(chosen.ids, rejected.ids));
  const lengthOf = ({ chosen, rejected = NO_ANSWER }: TokenizedPair, i: number) =>
    HEADER + chosen.ids.length + rejected.ids.length - common[i]!;
  const stored = new Int32Array(pairs.reduce((sum, pair, i) => sum + lengthOf(pair, i), 0));
  let at = 0;
  for (const [i, { index, chosen, rejected = NO_ANSWER }] of pairs.entries()) {
    const shared = common[i]!;
    stored.set([index, chosen.ids.length, chosen.start, rejected.ids.length, rejected.start, shared], at);
    stored.set(chosen.ids, at + HEADER);
    stored.set(rejected.ids.subarray(shared), at + HEADER + chosen.ids.length);
    at += HEADER + chosen.ids.length + rejected.ids.length - shared;
  }
  return stored;
}

/** Reads back what {@link storePairs} made; each pair has memory of its own. */
export function readPairs(stored: Int32Array): TokenizedPair[] {
  const pairs: TokenizedPair[] = [];
  for (let at = 0; at < stored.length; ) {
    const [index, length, start, otherLength, otherStart, shared] = stored.subarray(at, at + HEADER) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const chosen = stored.slice(at + HEADER, (at += HEADER + length));
    const rejected = new Int32Array(otherLength);
    rejected.set(chosen.subarray(0, shared));
    rejected.set(stored.subarray(at, (at += otherLength - shared)), shared);
    pairs.push({
      index,
      chosen: { ids: chosen, start },
      ...(otherLength > 0 && { rejected: { ids: rejected, start: otherStart } }),
    });
  }
  return pairs;
}
