/**
 * The metrics of a step, summed on the device and read by the host in one transfer, on demand: a step that is not logged
 * reads nothing. Each metric is a sum and a count, so that micro-batches and steps of any size add up to means over pairs,
 * or over tokens for token metrics.
 */
import {
  answerSums,
  type PackedBatch,
  type PairLogProbs,
  type PreferenceLoss,
  pairRewards,
  type TokenScores,
} from "../../preference";
import { cat, dispose, keep, noGrad, stack, type Tensor, tidy } from "../../torch";
import { tensor } from "../../torch/create";
import { comparingMetrics, type LogLine, type TrainingStep } from "./names";

/** Measured on logged steps only, since they cost passes over the vocabulary. */
export const LOGGED_STATISTICS = ["entropy", "hits", "meanLogits"] as const;

/** A sum, how many values it is over, and the sum of their squares if their spread is measured. */
interface Total {
  sum: number;
  count: number;
  squares?: number;
}

/** Sums by metric. */
export type Totals = Record<string, Total>;

/** What is logged besides the mean for a metric whose spread is measured. */
const [STD, PAIRS] = ["_std", "_pairs"];

/** Metrics of one step, added up over its micro-batches. */
export class StepMetrics {
  private totals: Totals | undefined;
  /** For each metric `[sum]`, or `[sum, sum of squares]`. */
  private readonly sums = new Map<string, { tensor: Tensor; count: number }>();

  /** Adds a sum over `count` pairs or tokens; a scalar tensor. */
  add(name: string, sum: Tensor, count: number): void {
    this.addSums(name, sum, count);
  }

  /** Adds values per pair, `[pairs]`, and measures their spread too. */
  private addSpread(name: string, values: Tensor): void {
    const exact = values.detach().to("float64");
    this.addSums(name, stack([exact.sum(), exact.square().sum()]), values.size(0));
  }

  private addSums(name: string, sums: Tensor, count: number): void {
    const held = this.sums.get(name);
    const tensor = keep(
      tidy(() => noGrad(() => (held ? held.tensor.add(sums) : sums.detach().to("float64").reshape([-1]).clone()))),
    );
    held?.tensor.dispose();
    this.sums.set(name, { tensor, count: (held?.count ?? 0) + count });
  }

  /**
   * Adds a micro-batch's pairs: TRL's metrics and the loss's own.
   *
   * @param losses of each pair, `[pairs]`
   * @param compared the places of the pairs that have a rejected answer, over which metrics about rejected answers are
   * measured; default: all
   */
  addPairs(loss: PreferenceLoss, losses: Tensor, logProbs: PairLogProbs, compared?: readonly number[]): void {
    tidy(() =>
      noGrad(() => {
        const { chosen, rejected } = pairRewards(loss, logProbs);
        const perPair: Record<string, Tensor> = {
          loss: losses,
          "rewards/rejected": rejected,
          "rewards/accuracies": chosen.gt(rejected), // strict: 0 at the start
          "rewards/margins": chosen.sub(rejected),
          "logps/chosen": logProbs.policyChosen, // with ld_alpha the weighted sums, as in TRL
          "logps/rejected": logProbs.policyRejected,
          ...loss.metrics?.(logProbs),
        };
        const places = compared?.length ? tensor(compared, { dtype: "int64", device: losses.device }) : undefined;
        this.addSpread("rewards/chosen", chosen);
        for (const [name, values] of Object.entries(perPair)) {
          const measured = values.detach();
          if (!compared || !comparingMetrics.includes(name)) this.add(name, measured.sum(), losses.size(0));
          else if (places) this.add(name, measured.indexSelect(0, places).sum(), compared.length);
        }
      }),
    );
  }

  /** Adds token metrics: the entropy over both answers, and how many chosen tokens were the likeliest. */
  addTokens(batch: PackedBatch, { entropy, hits, meanLogits }: TokenScores): void {
    const tokensOf = (side: "chosen" | "rejected") =>
      batch.packing.completions.reduce((sum, completion) => sum + completion[side].length, 0);
    const [chosen, rejected] = [tokensOf("chosen"), tokensOf("rejected")];
    tidy(() =>
      noGrad(() => {
        const bySide = (values: Tensor) => answerSums(batch, values).sum(0); // [chosen, rejected]
        if (entropy) this.add("entropy", bySide(entropy).sum(), chosen + rejected);
        if (hits) this.add("mean_token_accuracy", bySide(hits).select(0, 0), chosen);
        if (!meanLogits) return;
        const logits = bySide(meanLogits);
        this.add("logits/chosen", logits.select(0, 0), chosen);
        if (rejected > 0) this.add("logits/rejected", logits.select(0, 1), rejected);
      }),
    );
  }

  /** The names that `means` of the totals will have. */
  get names(): string[] {
    const totals =
      this.totals ??
      Object.fromEntries(
        [...this.sums].map(([name, { tensor, count }]) => [
          name,
          { sum: 0, count, ...(tensor.size(0) > 1 ? { squares: 0 } : {}) },
        ]),
      );
    return Object.keys(means(totals));
  }

  /** The totals. The first call reads them from the device. */
  read(): Totals {
    StepMetrics.readAll([this]);
    return this.totals!;
  }

  /** Reads several at once, in one transfer, and frees what they held on the device. */
  static readAll(all: readonly StepMetrics[]): void {
    const unread = all.filter(({ totals }) => totals === undefined);
    const tensors = unread.flatMap(({ sums }) => [...sums.values()].map(({ tensor }) => tensor));
    if (tensors.length === 0) return;
    const values = tidy(() => cat(tensors).toArray()) as Float64Array;
    let at = 0;
    for (const metrics of unread)
      metrics.totals = Object.fromEntries(
        [...metrics.sums].map(([name, { tensor, count }]) => [
          name,
          { sum: values[at++]!, count, ...(tensor.size(0) > 1 ? { squares: values[at++]! } : {}) },
        ]),
      );
    unread.forEach((metrics) => metrics.dispose());
  }

  dispose(): void {
    dispose([...this.sums.values()].map(({ tensor }) => tensor));
    this.sums.clear();
  }
}

/** Adds two totals. A metric's spread is lost if either lacks it, as in a checkpoint of an older version. */
export function joinTotals(a: Totals, b: Totals): Totals {
  const joined = { ...a };
  for (const [name, more] of Object.entries(b)) {
    const held = a[name] ?? { sum: 0, count: 0, squares: 0 };
    const { squares } = more;
    joined[name] = {
      sum: held.sum + more.sum,
      count: held.count + more.count,
      ...(squares === undefined || held.squares === undefined ? {} : { squares: held.squares + squares }),
    };
  }
  return joined;
}

/**
 * Each sum divided by its count. Where there is a sum of squares, also the sample standard deviation, `<name>_std`, and
 * the number of values, `<name>_pairs`.
 */
export function means(totals: Totals): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, { sum, count, squares }] of Object.entries(totals)) {
    values[name] = sum / count;
    if (squares === undefined) continue;
    if (count > 1) values[name + STD] = Math.sqrt(Math.max(0, squares - (sum * sum) / count) / (count - 1));
    values[name + PAIRS] = count;
  }
  return values;
}

/** A completed step whose metrics are read from the device on access: on CUDA, that waits for the step. */
export function trainingStep(
  place: { step: number; epoch: number; learning_rate: number; logged?: LogLine },
  metrics: StepMetrics,
): TrainingStep {
  const step = { ...place };
  for (const name of metrics.names)
    Object.defineProperty(step, name, { enumerable: true, get: () => means(metrics.read())[name] });
  return step as unknown as TrainingStep;
}
