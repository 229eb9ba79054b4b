/**
 * Steps whose metrics are still on the device, so that a step need not wait for the one before it. A step that is not
 * finite ends the run when it is read; until then a flag on the device keeps it from the weights.
 */
import type { TokenizedPair } from "../../data/tokenize/tokenizedPair";
import { keep, type Tensor } from "../../torch";
import type { TrainerState } from "../checkpoint/state";
import { joinTotals, means, StepMetrics } from "./stepMetrics";

interface UnreadStep {
  readonly step: number;
  readonly pairs: readonly TokenizedPair[];
  readonly metrics: StepMetrics;
}

/** A NaN or infinite loss or gradient: the run ends before it reaches the weights. */
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

export class UnreadSteps {
  private steps: UnreadStep[] = [];
  private nonFinite: Tensor | undefined;

  get length(): number {
    return this.steps.length;
  }

  /** Takes over a step's metrics, of which `loss` and `grad_norm` have to be finite. */
  add(step: UnreadStep): void {
    this.steps.push(step);
  }

  /** A float32 scalar on the device: 1 from the first step on whose gradient is not finite, until then 0. */
  flagNonFinite(gradNorm: Tensor): Tensor {
    const now = gradNorm.isfinite().logicalNot().to("float32");
    const flag = keep(this.nonFinite ? this.nonFinite.maximum(now) : now);
    this.nonFinite?.dispose();
    this.nonFinite = flag;
    return flag;
  }

  /**
   * Brings the metrics to the host in one transfer, and adds them to the state's sums.
   *
   * @throws NonFiniteError at the first step that is not finite
   */
  readInto(state: Pick<TrainerState, "lossSum" | "pending">): void {
    StepMetrics.readAll(this.steps.map(({ metrics }) => metrics));
    for (const { step, pairs, metrics } of this.steps) {
      const totals = metrics.read();
      const { loss, grad_norm: norm } = means(totals) as { loss: number; grad_norm: number };
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw new NonFiniteError(step, pairs, { loss, norm });
      state.lossSum += loss;
      state.pending = joinTotals(state.pending, totals);
    }
    this.steps = [];
  }

  dispose(): void {
    for (const { metrics } of this.steps) metrics.dispose();
    this.nonFinite?.dispose();
  }
}
