import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnswerPair, answersOf, type TokenizedPair } from "../../src/data/tokenize/tokenizedPair";
import { microBatches, type Packing, pack, packingStatistics } from "../../src/preference";
import { answerOf } from "./padded";

const pair = (index: number, prompt: number[], chosen: number[], rejected: number[]): AnswerPair => ({
  index,
  chosen: answerOf(prompt, chosen),
  rejected: answerOf(prompt, rejected),
});

/** Few tokens and few prompts, so that sequences often begin alike. */
const tokens = (min: number, max: number) => fc.array(fc.integer({ min: 0, max: 2 }), { minLength: min, maxLength: max });
const prompts = fc.array(tokens(1, 6), { minLength: 1, maxLength: 3 });
const somePairs = prompts.chain((known) =>
  fc
    .array(fc.tuple(fc.constantFrom(...known), tokens(1, 5), tokens(1, 5)), { minLength: 1, maxLength: 8 })
    .map((rows) => rows.map(([prompt, chosen, rejected], index) => pair(index, prompt, chosen, rejected))),
);

/** What each row's branch says it sees, up to itself: its context, as tokens. */
function contexts({ ids, branches }: Packing): Map<number, number[]> {
  return new Map(
    branches.flatMap(({ first, length, sequence }) =>
      Array.from({ length }, (_, at): [number, number[]] => [
        first + at,
        [...sequence.subarray(0, sequence.length - length + at + 1)].map((row) => ids[row]!),
      ]),
    ),
  );
}

function expectFaithful(packing: Packing): void {
  const seen = contexts(packing);
  expect([...seen.keys()]).toEqual([...packing.ids.keys()]); // each row belongs to one branch, in order
  for (const [row, context] of seen) expect(packing.positions[row]).toBe(context.length - 1);
  packing.pairs.forEach((each, i) => {
    const { chosen, rejected } = each;
    if (!rejected) expect(packing.completions[i]!.rejected).toHaveLength(0);
    for (const [side, { ids, start }] of Object.entries({ chosen, ...(rejected && { rejected }) }) as Sides) {
      const scored = packing.completions[i]![side];
      expect([...scored].map((at) => packing.targets[at])).toEqual([...ids.subarray(start)]);
      // Each completion token is predicted by a row that has seen exactly what comes before it.
      scored.forEach((at, k) => expect(seen.get(packing.predictors[at]!)).toEqual([...ids.subarray(0, start + k)]));
    }
  });
}

type Sides = [side: "chosen" | "rejected", answer: TokenizedPair["chosen"]][];

const unique = (lists: number[][]) => new Set(lists.map((list) => list.join())).size;

describe("pack", () => {
  test("lays what sequences begin with in common once, also beyond the prompt", () => {
    const packing = pack([pair(0, [5, 6], [7, 8, 1], [7, 9, 1])]);
    expect([...packing.ids]).toEqual([5, 6, 7, 8, 9]);
    expect([...packing.positions]).toEqual([0, 1, 2, 3, 3]);
    expect(packing.branches).toEqual([
      { first: 0, length: 4, sequence: Int32Array.of(0, 1, 2, 3) },
      { first: 4, length: 1, sequence: Int32Array.of(0, 1, 2, 4) },
    ]);
    // 7 is scored once for both, row 2 predicts 8 and 9; 1 follows different contexts.
    expect([...packing.predictors]).toEqual([1, 2, 3, 2, 4]);
    expect([...packing.targets]).toEqual([7, 8, 1, 9, 1]);
    expect(packing.completions).toEqual([{ chosen: Int32Array.of(0, 1, 2), rejected: Int32Array.of(0, 3, 4) }]);
  });

  test("shares a prompt and an answer among several pairs", () => {
    const packing = pack([1, 2, 3].map((wrong, i) => pair(i, [9, 8, 7], [4, 5], [wrong, 5])));
    expect(packing.ids).toHaveLength(3 + 4); // the prompt, and the first token of each distinct answer
    expect(packing.targets).toHaveLength(8);
    expect(packing.completions[2]!.chosen).toEqual(packing.completions[0]!.chosen);
  });

  test("keeps every sequence and scores every completion token, once for each context", () => {
    fc.assert(
      fc.property(somePairs, (pairs) => {
        const packing = pack(pairs);
        expectFaithful(packing);
        const inputs = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]).map(({ ids }) => [...ids.subarray(0, -1)]);
        const prefixes = inputs.flatMap((input) => input.map((_, at) => input.slice(0, at + 1)));
        expect(packing.ids).toHaveLength(unique(prefixes));
        expect(unique([...packing.targets].map((target, i) => [target, packing.predictors[i]!]))).toBe(packing.targets.length);
      }),
    );
  });

  test("takes rows without a rejected answer, alone and among others", () => {
    const packing = pack([{ index: 0, chosen: answerOf([5, 6], [7, 8, 1]) }]);
    expect([...packing.ids]).toEqual([5, 6, 7, 8]);
    expect([...packing.targets]).toEqual([7, 8, 1]);
    expect(packing.completions).toEqual([{ chosen: Int32Array.of(0, 1, 2), rejected: new Int32Array() }]);
    fc.assert(
      fc.property(somePairs, fc.func(fc.boolean()), (pairs, isSingle) => {
        const rows = pairs.map((each, i): TokenizedPair => (isSingle(i) ? { index: each.index, chosen: each.chosen } : each));
        const packing = pack(rows);
        expectFaithful(packing);
        const { plainTokens, completionTokens } = packingStatistics([packing]);
        const answers = rows.flatMap(answersOf);
        expect(plainTokens).toBe(answers.reduce((sum, { ids }) => sum + ids.length, 0));
        expect(completionTokens).toBe(answers.reduce((sum, { ids, start }) => sum + ids.length - start, 0));
      }),
    );
  });

  test("lays every sequence out whole when asked", () => {
    fc.assert(
      fc.property(somePairs, (pairs) => {
        const packing = pack(pairs, { sharePrefixes: false });
        expectFaithful(packing);
        const { tokens, plainTokens, completionTokens, scoredTokens } = packingStatistics([packing]);
        expect(tokens).toBe(plainTokens - 2 * pairs.length); // the last tokens predict nothing
        expect(scoredTokens).toBe(completionTokens);
      }),
    );
  });

  test.each<[string, TokenizedPair[], string]>([
    ["no pairs", [], "at least one pair"],
    [
      "an empty prompt",
      [{ ...pair(3, [1], [2], [2]), chosen: { ids: Int32Array.of(1, 2), start: 0 } }],
      "'chosen' of row 3 but received 0",
    ],
    [
      "an empty completion",
      [{ ...pair(3, [1], [2], [2]), rejected: { ids: Int32Array.of(1, 2), start: 2 } }],
      "from 1 to 1 for 'rejected' of row 3",
    ],
    ["a negative id", [pair(4, [1], [-2], [2])], "'chosen' of row 4 but received -2"],
  ])("refuses %s", (_, pairs, message) => {
    expect(() => pack(pairs)).toThrow(message);
  });
});

describe("microBatches", () => {
  const indices = (batches: readonly Packing[]) => batches.map(({ pairs }) => pairs.map(({ index }) => index));

  test("hold every pair once, keep the limits, and are the same each time", () => {
    fc.assert(
      fc.property(somePairs, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5 }), (pairs, maxTokens, maxPairs) => {
        const batches = microBatches(pairs, { maxTokens, maxPairs });
        expect(indices(batches).flat().sort()).toEqual(pairs.map(({ index }) => index));
        for (const batch of batches) {
          expectFaithful(batch);
          expect(batch.pairs.length).toBeLessThanOrEqual(maxPairs);
          if (batch.pairs.length > 1) expect(batch.ids.length).toBeLessThanOrEqual(maxTokens);
        }
        expect(indices(microBatches(pairs, { maxTokens, maxPairs }))).toEqual(indices(batches));
      }),
    );
  });

  test("keep the pairs of a prompt together", () => {
    const pairs = [0, 1, 2, 3].map((i) => pair(i, i % 2 === 0 ? [1, 1, 1, 1] : [2, 2, 2, 2], [5, i + 6], [6, i + 6]));
    expect(indices(microBatches(pairs, { maxPairs: 2 }))).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  test("are even in tokens", () => {
    const of = (length: number, index: number) => pair(index, Array<number>(length).fill(index + 10), [1], [2]);
    const batches = microBatches([30, 10, 20, 20, 10, 30].map(of), { maxTokens: 60 });
    expect(batches.map(({ ids }) => ids.length)).toEqual([60, 60]);
  });

  test("give a pair over the limit a batch of its own", () => {
    const long = pair(0, Array<number>(20).fill(1), [2], [3]);
    const batches = microBatches([long, pair(1, [4], [5], [6]), pair(2, [7], [8], [9])], { maxTokens: 10 });
    expect(indices(batches)).toEqual([[0], [1, 2]]);
  });

  test.each([0, -1, 1.5])("refuse a limit of %s", (limit) => {
    expect(() => microBatches([], { maxTokens: limit })).toThrow("positive integer for 'maxTokens'");
    expect(() => microBatches([], { maxPairs: limit })).toThrow("positive integer for 'maxPairs'");
  });
});

test("statistics compare with plain and with padded rows", () => {
  const long = pair(0, [1, 2, 3], [4, 5], [6, 5]);
  const short = pair(1, [7], [8, 5], [9, 5]);
  expect(packingStatistics([pack([long, short])])).toEqual({
    tokens: 5 + 3,
    plainTokens: 5 + 5 + 3 + 3,
    paddedTokens: 4 * 5,
    completionTokens: 8,
    scoredTokens: 8,
  });
});
