/** A table of vectors looked up by id. */
import { noGrad, ops, type Tensor, tidy } from "../torch";
import { Module } from "./module";
import { type LayerOptions, newParameter } from "./parameter";

export interface EmbeddingOptions extends LayerOptions {
  /** A row that starts as zero and gets no gradient; negative counts from the end. */
  paddingIdx?: number;
}

export class Embedding extends Module {
  /** `[numEmbeddings, embeddingDim]`, drawn from N(0, 1) */
  readonly weight: Tensor;
  readonly paddingIdx: number | undefined;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    { paddingIdx, ...options }: EmbeddingOptions = {},
  ) {
    super();
    if (paddingIdx !== undefined && !(paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings))
      throw new RangeError(`Expected a row of ${numEmbeddings} for 'paddingIdx' but received ${paddingIdx}`);
    this.paddingIdx = paddingIdx !== undefined && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.weight = newParameter([numEmbeddings, embeddingDim], options, (weight, generator) =>
      this.zeroPadding_(weight.normal_(0, 1, { generator })),
    );
  }

  /** `[...]` int64 ids to `[..., embeddingDim]`. */
  forward(ids: Tensor): Tensor {
    return ops.embedding(this.weight, ids, this.paddingIdx ?? -1);
  }

  /** Zeroes the padding row, if there is one. */
  zeroPadding_(weight = this.weight): Tensor {
    const row = this.paddingIdx;
    if (row !== undefined) tidy(() => noGrad(() => void weight.narrow(0, row, 1).zero_()));
    return weight;
  }
}
