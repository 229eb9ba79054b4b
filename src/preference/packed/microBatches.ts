/**
 * Which pairs go through the model together. Pairs with the same prompt stay together, so that it is computed once. There
 * are as few batches as the limits allow, with about the same number of tokens each.
 */
import { checkOptions } from "../../base/options";
import { expectTokenized } from "../../data/rows/givenRows";
import type { TokenizedPair } from "../../data/tokenize/tokenizedPair";
import type { CausalLM } from "../../models";
import { type Packing, type PackOptions, pack } from "./packing";

export interface MicroBatchOptions extends PackOptions {
  /** Tokens a batch may have after sharing. A pair that has more gets a batch of its own. No limit when left out. */
  maxTokens?: number;
  /** Pairs a batch may have. No limit when left out. */
  maxPairs?: number;
}

/** How a model wants its sequences laid out: where angles depend on a text's length, beginnings cannot be shared. */
export function packOptionsOf(model: CausalLM): PackOptions {
  return { sharePrefixes: !model.model.dependsOnLength };
}

interface Unit {
  readonly pairs: readonly TokenizedPair[];
  readonly tokens: number;
}

/**
 * Divides the pairs of an optimizer step (or of a part of a data set) into batches. The same pairs in the same order
 * give the same batches. A batch over `maxTokens` holds one pair, which is too long for the limit by itself.
 *
 * ```ts
 * for (const batch of microBatches(pairs, { maxTokens: 4096 })) forwardBackward(model, upload(batch), lossOf);
 * ```
 */
export function microBatches(pairs: readonly TokenizedPair[], options: MicroBatchOptions = {}): Packing[] {
  expectTokenized(pairs, "pairs");
  checkOptions("microBatches", options, ["maxTokens", "maxPairs", "sharePrefixes"]);
  const { maxTokens = Infinity, maxPairs = Infinity, ...packing } = options;
  checkLimit("maxTokens", maxTokens);
  checkLimit("maxPairs", maxPairs);
  if (pairs.length === 0) return [];
  const units = byPrompt(pairs)
    .flatMap((group) => divide(group, maxTokens, maxPairs, packing))
    .sort((a, b) => b.tokens - a.tokens);
  const tooLong = units.filter((unit) => unit.tokens > maxTokens);
  const tokens = units.slice(tooLong.length).reduce((sum, unit) => sum + unit.tokens, 0);
  let count = Math.max(1, tooLong.length + Math.ceil(tokens / maxTokens), Math.ceil(pairs.length / maxPairs));
  for (;;) {
    const bins = distribute(units, count, maxTokens, maxPairs);
    if (bins) return bins.map((bin) => pack(bin, packing));
    count++; // as many as there are units always fit
  }
}

/** Longest first, each to the bin with the fewest tokens that has room; undefined when one fits nowhere. */
function distribute(units: readonly Unit[], count: number, maxTokens: number, maxPairs: number): TokenizedPair[][] | undefined {
  const bins = Array.from({ length: count }, () => ({ tokens: 0, pairs: [] as TokenizedPair[] }));
  for (const { pairs, tokens } of units) {
    let best: (typeof bins)[number] | undefined;
    for (const bin of bins) {
      const fits = bin.pairs.length === 0 || (bin.tokens + tokens <= maxTokens && bin.pairs.length + pairs.length <= maxPairs);
      if (fits && (!best || bin.tokens < best.tokens)) best = bin;
    }
    if (!best) return undefined;
    best.tokens += tokens;
    best.pairs.push(...pairs);
  }
  return bins.filter((bin) => bin.pairs.length > 0).map((bin) => bin.pairs);
}

/** Pairs with the same prompt tokens, groups and pairs in the order given. */
function byPrompt(pairs: readonly TokenizedPair[]): TokenizedPair[][] {
  const groups = new Map<string, TokenizedPair[]>();
  for (const pair of pairs) {
    const { ids, start } = pair.chosen;
    const key = ids.subarray(0, start).join();
    const group = groups.get(key);
    if (group) group.push(pair);
    else groups.set(key, [pair]);
  }
  return [...groups.values()];
}

/** A group as it is or, over a limit, halved until it fits; a lone pair is left as it is. */
function divide(pairs: readonly TokenizedPair[], maxTokens: number, maxPairs: number, options: PackOptions): Unit[] {
  const tokens = pack(pairs, options).ids.length;
  if (pairs.length === 1 || (tokens <= maxTokens && pairs.length <= maxPairs)) return [{ pairs, tokens }];
  const middle = Math.ceil(pairs.length / 2);
  return [pairs.slice(0, middle), pairs.slice(middle)].flatMap((half) => divide(half, maxTokens, maxPairs, options));
}

function checkLimit(name: string, value: number): void {
  if (value !== Infinity && !(Number.isSafeInteger(value) && value > 0))
    throw new RangeError(`Expected a positive integer for '${name}' but received ${value}`);
}
