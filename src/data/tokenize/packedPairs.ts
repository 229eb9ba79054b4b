/** Pairs as one array of integers, to be kept in a file or handed from one thread to another. */
import type { TokenizedAnswer, TokenizedPair } from "./tokenizedPair";

/** index, chosen length, chosen start, rejected length (0 without one), rejected start, ids in common. */
const HEADER = 6;
const NO_ANSWER: TokenizedAnswer = { ids: new Int32Array(), start: 0 };

/** Per pair its numbers, the ids of the chosen answer, and those of the rejected one after what they have in common. */
export function packPairs(pairs: readonly TokenizedPair[]): Int32Array {
  const common = pairs.map(({ chosen, rejected = NO_ANSWER }) => commonLength(chosen.ids, rejected.ids));
  const lengthOf = ({ chosen, rejected = NO_ANSWER }: TokenizedPair, i: number) =>
    HEADER + chosen.ids.length + rejected.ids.length - common[i]!;
  const packed = new Int32Array(pairs.reduce((sum, pair, i) => sum + lengthOf(pair, i), 0));
  let at = 0;
  for (const [i, { index, chosen, rejected = NO_ANSWER }] of pairs.entries()) {
    const shared = common[i]!;
    packed.set([index, chosen.ids.length, chosen.start, rejected.ids.length, rejected.start, shared], at);
    packed.set(chosen.ids, at + HEADER);
    packed.set(rejected.ids.subarray(shared), at + HEADER + chosen.ids.length);
    at += HEADER + chosen.ids.length + rejected.ids.length - shared;
  }
  return packed;
}

/** The pairs, each with memory of its own. */
export function unpackPairs(packed: Int32Array): TokenizedPair[] {
  const pairs: TokenizedPair[] = [];
  for (let at = 0; at < packed.length; ) {
    const [index, length, start, otherLength, otherStart, shared] = packed.subarray(at, at + HEADER) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const chosen = packed.slice(at + HEADER, (at += HEADER + length));
    const rejected = new Int32Array(otherLength);
    rejected.set(chosen.subarray(0, shared));
    rejected.set(packed.subarray(at, (at += otherLength - shared)), shared);
    pairs.push({
      index,
      chosen: { ids: chosen, start },
      ...(otherLength > 0 && { rejected: { ids: rejected, start: otherStart } }),
    });
  }
  return pairs;
}

function commonLength(a: Int32Array, b: Int32Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
