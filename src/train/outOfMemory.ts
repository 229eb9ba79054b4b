/** Passes without gradient where memory may run out: a batch that does not fit is run in halves. */
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { OutOfMemoryError } from "../native/errors";
import { type MicroBatchOptions, type Packing, microBatches } from "../preference";

/** Runs `pass` over the batches of `pairs`, smaller ones where memory does not do; a pair alone has to fit. */
export async function inBatchesThatFit(
  pairs: readonly TokenizedPair[],
  options: MicroBatchOptions,
  pass: (packing: Packing) => Promise<void> | void,
): Promise<void> {
  for (const packing of microBatches(pairs, options)) {
    try {
      await pass(packing);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || packing.pairs.length === 1) throw error;
      await inBatchesThatFit(packing.pairs, { ...options, maxTokens: Math.ceil(packing.ids.length / 2) }, pass);
    }
  }
}
