/**
 * Which rows each optimizer step takes. A pure function of the seed and the step, so that a run that goes on in the middle
 * of an epoch takes the rows it would have taken.
 */
import { Random } from "../base/random";

export interface SamplerOptions {
  rows: number;
  /** Rows of one optimizer step: batch size times accumulation. The last step of an epoch may have fewer. */
  rowsPerStep: number;
  /** Rows per batch, if an epoch's last batch is dropped unless it is full. Default: every row is used. */
  wholeBatches?: number;
  /** Each epoch in an order of its own, or always as the data has them. */
  strategy: "random" | "sequential";
  seed: number;
}

export class Sampler {
  readonly stepsPerEpoch: number;
  private readonly rowsPerEpoch: number;
  private shuffled: { epoch: number; order: readonly number[] } | undefined;

  constructor(private readonly options: SamplerOptions) {
    const { rows, rowsPerStep, wholeBatches = 1 } = options;
    this.rowsPerEpoch = rows - (rows % wholeBatches);
    this.stepsPerEpoch = Math.ceil(this.rowsPerEpoch / rowsPerStep);
  }

  /** The row numbers of a step, counted from 0 through all epochs. */
  rowsOf(step: number): readonly number[] {
    const { rowsPerStep } = this.options;
    const from = (step % this.stepsPerEpoch) * rowsPerStep;
    return this.order(Math.floor(step / this.stepsPerEpoch)).slice(from, Math.min(from + rowsPerStep, this.rowsPerEpoch));
  }

  private order(epoch: number): readonly number[] {
    if (this.shuffled?.epoch === epoch) return this.shuffled.order;
    const { rows, strategy, seed } = this.options;
    const all = Array.from({ length: rows }, (_, row) => row);
    const order = strategy === "random" ? new Random(seed, `epoch ${epoch}`).shuffled(all) : all;
    this.shuffled = { epoch, order };
    return order;
  }
}
