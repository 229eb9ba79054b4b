/**
 * Where training moved the answers' log-probs, token by token: before, at and after the first difference between chosen
 * and rejected, the paper's explanation of why DPO lowers the chosen answer (its figure 4). And what the change of the
 * chosen answer correlates with: the edit distance, as in the paper, or the CHES score (arXiv 2410.08847).
 *
 * Only arithmetic: measure.ts takes the log-probs from the models, and src/report draws the result.
 */
import { mean, standardError, sum } from "../../base/samples";
import { normalisedDistance } from "../../data/rows/editDistance";
import type { AnswerLogProbs } from "../../preference";
import {
  completionOf,
  differenceOf,
  type PositionMean,
  positionMeans,
  stageMeans,
  type TokenMean,
} from "../../preference/difference";
import type { Ches, Measurement } from "./measure";

export interface SideDiagnosis {
  /** Means over the pairs of the answers' sums, in nats. */
  readonly logp: number;
  /** The mean relative to the reference and its standard error, s / √n over the pairs; null for a single pair. */
  readonly change: number;
  readonly error: number | null;
  /** Share of answers that are less likely than under the reference. */
  readonly fell: number;
  /** Tokens before, at and after the first difference. */
  readonly before: TokenMean;
  readonly at: TokenMean;
  readonly after: TokenMean;
}

/** How two columns go together, from -1 to 1; null where one of them does not vary. */
export interface Correlation {
  readonly pearson: number | null;
  /** Of the ranks. */
  readonly spearman: number | null;
}

export interface ModelDiagnosis {
  readonly name: string;
  readonly chosen: SideDiagnosis;
  readonly rejected: SideDiagnosis;
  /** Mean log-prob of chosen tokens by their place, 0 being the first difference. */
  readonly positions: readonly PositionMean[];
  /** What the change of the chosen answer's sum goes with. */
  readonly distance: Correlation;
  readonly ches: Correlation;
}

export interface PairDiagnosis {
  readonly index: number;
  /** Place of the first difference, in tokens of the answers. */
  readonly difference: number;
  /** Normalised edit distance over tokens. */
  readonly distance: number;
  readonly ches: Ches;
  /** By run: change of the answer's sum against the reference, in nats. */
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
}

export interface Diagnosis {
  /** The reference, then the runs. */
  readonly models: readonly ModelDiagnosis[];
  readonly pairs: readonly PairDiagnosis[];
}

/** Positions that fewer than this share of the pairs reach are left out of the curve. */
const LEAST_SHARE = 0.25;

/** What the log-probs say. There is at least one pair. */
export function diagnose({ pairs, ches, reference, runs }: Measurement): Diagnosis {
  const changes = (scores: readonly AnswerLogProbs[], side: keyof AnswerLogProbs) =>
    scores.map((score, i) => sum(score[side]) - sum(reference[i]![side]));
  const byRun = runs.map(({ scores }) => ({ chosen: changes(scores, "chosen"), rejected: changes(scores, "rejected") }));
  const pairDiagnoses = pairs.map((pair, i) => {
    const { index, chosen, rejected } = pair;
    return {
      index,
      difference: differenceOf(pair),
      distance: normalisedDistance(completionOf(chosen), completionOf(rejected)),
      ches: ches[i]!,
      chosen: byRun.map((run) => run.chosen[i]!),
      rejected: byRun.map((run) => run.rejected[i]!),
    };
  });
  const differences = pairDiagnoses.map(({ difference }) => difference);
  const models = [{ name: "reference", scores: reference }, ...runs].map(({ name, scores }, model): ModelDiagnosis => {
    const side = (side: keyof AnswerLogProbs): SideDiagnosis => {
      const moved = changes(scores, side);
      return {
        logp: mean(scores.map((score) => sum(score[side]))),
        change: mean(moved),
        error: standardError(moved),
        fell: moved.filter((change) => change < 0).length / moved.length,
        ...stageMeans(
          scores.map((score) => score[side]),
          differences,
        ),
      };
    };
    const moved = model === 0 ? [] : byRun[model - 1]!.chosen;
    return {
      name,
      chosen: side("chosen"),
      rejected: side("rejected"),
      positions: positionMeans(
        scores.map(({ chosen }) => chosen),
        differences,
        LEAST_SHARE,
      ),
      distance: correlation(
        pairDiagnoses.map(({ distance }) => distance),
        moved,
      ),
      ches: correlation(
        ches.map(({ normalised }) => normalised),
        moved,
      ),
    };
  });
  return { models, pairs: pairDiagnoses };
}

/** Pearson's of the values and Spearman's, which is Pearson's of their ranks; equal values share the mean of theirs. */
export function correlation(x: readonly number[], y: readonly number[]): Correlation {
  return { pearson: pearson(x, y), spearman: pearson(ranks(x), ranks(y)) };
}

function pearson(x: readonly number[], y: readonly number[]): number | null {
  if (y.length < 2) return null;
  const [centreX, centreY] = [mean(x), mean(y)];
  let [both, ofX, ofY] = [0, 0, 0];
  y.forEach((value, i) => {
    const [dx, dy] = [x[i]! - centreX, value - centreY];
    both += dx * dy;
    ofX += dx * dx;
    ofY += dy * dy;
  });
  return ofX > 0 && ofY > 0 ? both / Math.sqrt(ofX * ofY) : null;
}

function ranks(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  sorted.forEach((value, rank) => {
    if (!first.has(value)) first.set(value, rank);
    last.set(value, rank);
  });
  return values.map((value) => (first.get(value)! + last.get(value)!) / 2);
}
