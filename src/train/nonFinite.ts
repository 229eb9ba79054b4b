/** A loss or gradient that is no number: the run ends before it reaches the weights. */
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";

export class NonFiniteError extends Error {
  override name = "NonFiniteError";

  constructor(
    readonly step: number,
    pairs: readonly TokenizedPair[],
    { loss, norm }: { loss: number; norm: number },
  ) {
    const rows = pairs.map(({ index }) => index);
    const named = rows.length > 20 ? `${rows.slice(0, 20).join(", ")}, … (${rows.length})` : rows.join(", ");
    const what = Number.isFinite(loss) ? `a gradient with norm ${norm}` : `the loss ${loss}`;
    super(
      `Expected finite numbers but received ${what} in step ${step}, of the rows ${named}. The weights are as before it, ` +
        "and checkpoints are kept. Lower learning_rate, or look at these rows; weights that hold NaN give this in step 1",
    );
  }
}
