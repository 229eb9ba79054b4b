/**
 * Lays out preference pairs for one forward pass without computing anything twice. A common prefix is laid out once: the
 * prompt of a pair, tokens that both answers begin with, the prompt of several pairs, a system prompt of all of them. There
 * is no padding, and the last token of a sequence, which predicts nothing, is left out. microBatches.ts decides which batch a
 * pair goes to; batch.ts holds the tensors.
 *
 * The sequences are sorted, so that each has the longest common prefix with the one before it, and adds only the rest: a
 * prefix tree, whose branches are the sequences' own tails.
 */
import { commonPrefixLength } from "../../base/lists";
import { isObject, received } from "../../base/values";
import { expectList, expectTokenized } from "../../data/rows/givenRows";
import { answersOf, type TokenizedAnswer, type TokenizedPair } from "../../data/tokenize/tokenizedPair";

/** The tokens that one sequence adds: a run of rows. Each attends to the shared rows and the branch's rows up to its own. */
export interface Branch {
  /** Row of its first token. */
  readonly first: number;
  /** Tokens of its own, at least 1. */
  readonly length: number;
  /** Rows of the whole sequence in order: those it shares with others, then its own. */
  readonly sequence: Int32Array;
}

/**
 * Which scored tokens make up the completion of each answer, in order: indices into `predictors` and `targets`. A row
 * without a rejected answer has none for it.
 */
export interface PairCompletions {
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
}

/** Sequences laid out in rows, one a token. */
export interface RowLayout {
  /** Token of each row. */
  readonly ids: Int32Array;
  /** Position of each row in its sequence. */
  readonly positions: Int32Array;
  readonly branches: readonly Branch[];
  /** Row whose output predicts each scored token. A row where sequences part predicts several. */
  readonly predictors: Int32Array;
  /** Each scored token; those that sequences share in both context and token appear once. */
  readonly targets: Int32Array;
  readonly largestId: number;
}

/** Pairs laid out. */
export interface Packing extends RowLayout {
  readonly pairs: readonly TokenizedPair[];
  /** By pair. */
  readonly completions: readonly PairCompletions[];
}

export interface PackOptions {
  /** `false` lays every sequence out whole: for comparison. */
  sharePrefixes?: boolean;
}

/** What packing saves, in tokens that go through the model. */
export interface PackingStatistics {
  /** Rows laid out. */
  tokens: number;
  /** Each answer of each pair with its prompt. */
  plainTokens: number;
  /** The same padded to the longest sequence of their batch, as TRL lays them out. */
  paddedTokens: number;
  /** Completion tokens, EOS included. */
  completionTokens: number;
  /** Tokens the head runs for. */
  scoredTokens: number;
}

/**
 * Lays pairs out in rows.
 *
 * ```ts
 * const ids = Int32Array.of(5, 6, 7, 8);
 * const pair = { index: 0, chosen: { ids, start: 2 }, rejected: { ids: Int32Array.of(5, 6, 9), start: 2 } };
 * pack([pair]).ids; // 5, 6, 7: row 1 predicts both 7 and 9, row 2 predicts 8
 * ```
 */
export function pack(pairs: readonly TokenizedPair[], { sharePrefixes = true }: PackOptions = {}): Packing {
  expectTokenized(pairs, "pairs");
  if (pairs.length === 0) throw new RangeError("Expected at least one pair for 'pairs' but received none");
  pairs.forEach(checkPair);
  const { scored, ...layout } = layOut(pairs.flatMap(answersOf), sharePrefixes);
  const next = scored.values();
  const completions = pairs.map(({ rejected }) => ({
    chosen: next.next().value!,
    rejected: rejected ? next.next().value! : new Int32Array(),
  }));
  return { pairs, ...layout, completions };
}

/** Lays any sequences out; `scored` are for each of them the scored tokens from its `start` on, as in `PairCompletions`. */
export function layOut(answers: readonly TokenizedAnswer[], sharePrefixes = true): RowLayout & { scored: Int32Array[] } {
  const order = answers.map((_, answer) => answer);
  if (sharePrefixes) order.sort((a, b) => compareIds(answers[a]!.ids, answers[b]!.ids) || a - b);

  const ids: number[] = [];
  const positions: number[] = [];
  const branches: Branch[] = [];
  const rowsOf: Int32Array[] = Array.from({ length: answers.length });
  let before: Int32Array = new Int32Array();
  let beforeRows: Int32Array = new Int32Array();
  for (const answer of order) {
    const sequence = answers[answer]!.ids.subarray(0, -1);
    const shared = sharePrefixes ? commonPrefixLength(before, sequence) : 0;
    const rows = new Int32Array(sequence.length);
    rows.set(beforeRows.subarray(0, shared));
    for (let at = shared; at < sequence.length; at++) {
      rows[at] = ids.length;
      ids.push(sequence[at]!);
      positions.push(at);
    }
    const length = sequence.length - shared;
    if (length > 0) branches.push({ first: rows[shared]!, length, sequence: rows });
    rowsOf[answer] = rows;
    before = sequence;
    beforeRows = rows;
  }

  const predictors: number[] = [];
  const targets: number[] = [];
  const scored = new Map<number, number>();
  const completion = (answer: number): Int32Array => {
    const { ids: tokens, start } = answers[answer]!;
    return Int32Array.from(tokens.subarray(start), (target, at) => {
      const row = rowsOf[answer]![start + at - 1]!;
      const key = row * 2 ** 31 + target;
      let entry = scored.get(key);
      if (entry === undefined) {
        scored.set(key, (entry = targets.length));
        predictors.push(row);
        targets.push(target);
      }
      return entry;
    });
  };
  return {
    scored: answers.map((_, answer) => completion(answer)),
    ids: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    branches,
    predictors: Int32Array.from(predictors),
    targets: Int32Array.from(targets),
    largestId: answers.reduce((largest, answer) => answer.ids.reduce((a, b) => Math.max(a, b), largest), 0),
  };
}

/** The statistics of the given batches, summed. */
export function packingStatistics(batches: readonly Packing[]): PackingStatistics {
  const total: PackingStatistics = { tokens: 0, plainTokens: 0, paddedTokens: 0, completionTokens: 0, scoredTokens: 0 };
  expectList(batches, "batches", "batches from microBatches or pack");
  batches.forEach((batch, i) => expectPacking(batch, `batches[${i}]`));
  for (const { pairs, ids, targets, completions } of batches) {
    const lengths = pairs.flatMap(answersOf).map(({ ids }) => ids.length);
    total.tokens += ids.length;
    total.plainTokens += lengths.reduce((a, b) => a + b, 0);
    total.paddedTokens += lengths.length * lengths.reduce((a, b) => Math.max(a, b), 0);
    for (const { chosen, rejected } of completions) total.completionTokens += chosen.length + rejected.length;
    total.scoredTokens += targets.length;
  }
  return total;
}

function checkPair({ index, chosen, rejected }: TokenizedPair): void {
  const check = (name: string, { ids, start }: TokenizedAnswer): void => {
    // Something has to predict the first completion token, and there has to be one.
    if (!(Number.isSafeInteger(start) && start >= 1 && start < ids.length))
      throw new RangeError(`Expected a start from 1 to ${ids.length - 1} for '${name}' of row ${index} but received ${start}`);
    const bad = ids.find((id) => id < 0);
    if (bad !== undefined) throw new RangeError(`Expected token ids from 0 on for '${name}' of row ${index} but received ${bad}`);
  };
  check("chosen", chosen);
  if (rejected) check("rejected", rejected);
}

/** Compares sequences in lexicographic order. */
export function compareIds(a: Int32Array, b: Int32Array): number {
  const at = commonPrefixLength(a, b);
  return (a[at] ?? -1) - (b[at] ?? -1);
}

/**
 * Throws unless `value` is a batch from `pack` or `microBatches`.
 *
 * @throws TypeError
 */
export function expectPacking(value: unknown, name: string): asserts value is Packing {
  if (isObject(value) && "branches" in value && "completions" in value) return;
  throw new TypeError(`Expected a batch from microBatches or pack for '${name}' but received ${received(value)}`);
}
