/**
 * Where a run left its chosen answers relative to the reference, if that can be told: the mean ρ̄ of
 * ρ_w = log π(y_w|x) − log π_ref(y_w|x), in nats per answer, with its standard error.
 *
 *   error = s / √n,   s the standard deviation of ρ_w over n pairs (`rewards/chosen_std` ÷ β, `rewards/chosen_pairs`)
 *
 * They fell (rose) if there are at least 30 pairs and ρ̄ is more than two errors below (above) 0, and by more than
 * rounding; they stayed if the whole interval of two errors around ρ̄ is within rounding of 0. Otherwise there are too
 * few pairs to tell.
 *
 * An evaluation in the last quarter of the run is used if it has that many pairs: it measures one model, on rows that are
 * not trained on. Otherwise the last logged training lines are pooled: the lines that "at the end" is the mean of, and as
 * many more as it takes to reach 100 pairs, within the last quarter of the run. A repeated pair does not count twice: n is
 * at most the number of rows. If a run did not log the spread of its pairs, the scatter of its last five lines is used
 * instead: s and n are those of the lines' means, and ρ̄ must be three errors away, which is as rare by chance.
 */
import { ERRORS, LEAST_PAIRS, pooled, type Sample } from "../base/samples";
import { WINDOW_LINES } from "../train/failures";
import type { LoggedRun, RunLine } from "./run";

/** Nats per answer that count as rounding. */
const NOTHING = 0.01;
/** The number of pairs to pool. */
const ENOUGH = 100;
/** The share of a run that counts as its end. */
const END = 0.25;
const ERRORS_OF_LINES = 3;

export interface ChosenAnswers {
  /** Mean relative to the reference, in nats per answer. */
  readonly nats: number;
  /** Its standard error; undefined if it cannot be computed. */
  readonly error: number | undefined;
  readonly verdict: "fell" | "rose" | "stayed" | "unclear";
  /** What the mean is over: "160 pairs of the last 5 logged lines". It says so where an evaluation has too few pairs. */
  readonly over: string;
  /** The evaluation that the mean is from; undefined for training lines. */
  readonly evaluation?: RunLine;
}

/** Undefined if the run does not state its β, has no reference, or has logged no rewards. */
export function chosenAnswers(run: LoggedRun): ChosenAnswers | undefined {
  const { beta } = run;
  const lines = run.lines.filter((line) => line[REWARD] !== undefined);
  if (beta === undefined || lines.length === 0) return undefined;
  const evaluation = lastEvaluation(run);
  const judge = (sample: Sample, over: string) => judged(run, scaled(sample, 1 / beta), over);
  if (evaluation && evaluation.sample.count >= LEAST_PAIRS)
    return {
      ...judge(evaluation.sample, `${pairs(evaluation.sample.count)} of the evaluation at step ${evaluation.step}`),
      evaluation: evaluation.line,
    };

  const end = lastLines(lines);
  const samples = end.map(sampleOf);
  const ofTraining = end.length === 1 ? "the last logged line" : `the last ${end.length} logged lines`;
  const place = evaluation ? `${ofTraining}, since the evaluation has only ${pairs(evaluation.sample.count)}` : ofTraining;
  if (samples.every((sample) => sample !== undefined)) {
    const sample = pooled(samples);
    const { rows } = run.header;
    const count = typeof rows === "number" ? Math.min(sample.count, rows) : sample.count;
    return judge({ ...sample, count }, `${pairs(count)} of ${place}`);
  }
  const means = pooled(end.map((line) => ({ mean: line[REWARD]!, std: 0, count: 1 })));
  return judged(run, scaled(means, 1 / beta), place, { least: WINDOW_LINES, errors: ERRORS_OF_LINES });
}

const REWARD = "rewards/chosen";

function judged(
  { header }: LoggedRun,
  { mean, std, count }: Sample,
  over: string,
  { least, errors } = { least: LEAST_PAIRS, errors: ERRORS },
): ChosenAnswers {
  const { dpop_tolerance: tolerance } = header;
  const rounding = Math.max(NOTHING, typeof tolerance === "number" ? tolerance : 0);
  const error = count > 1 ? std / Math.sqrt(count) : undefined;
  const verdict = (): ChosenAnswers["verdict"] => {
    if (error === undefined || count < least) return "unclear";
    if (Math.abs(mean) + errors * error <= rounding) return "stayed";
    if (Math.abs(mean) <= errors * error) return "unclear";
    // The tolerance applies to falls only: a rise within it is still a rise.
    return mean < -rounding ? "fell" : mean > NOTHING ? "rose" : "stayed";
  };
  return { nats: mean, error, verdict: verdict(), over };
}

/** The last lines: those that "at the end" is the mean of, and more while they have few pairs. */
function lastLines(lines: readonly RunLine[]): readonly RunLine[] {
  const most = Math.max(1, Math.floor(lines.length * END));
  let count = averagedLines(lines);
  const pairsOf = (some: readonly RunLine[]) => some.reduce((sum, line) => sum + (line[`${REWARD}_pairs`] ?? Infinity), 0);
  while (count < most && pairsOf(lines.slice(-count)) < ENOUGH) count++;
  return lines.slice(-count);
}

/** How many lines "at the start" and "at the end" average: at most a quarter of the run. */
export const averagedLines = ({ length }: readonly RunLine[]): number =>
  Math.max(1, Math.min(WINDOW_LINES, Math.floor(length / 4)));

function lastEvaluation({ evaluations, lines }: LoggedRun): { sample: Sample; step: number; line: RunLine } | undefined {
  const last = evaluations.filter((line) => line[REWARD] !== undefined).at(-1);
  const sample = last && sampleOf(last);
  const step = last?.["step"] ?? 0;
  return sample && step >= (1 - END) * lines.at(-1)!["step"]! ? { sample, step, line: last } : undefined;
}

/** The rewards of a line's pairs; undefined if the line does not have their spread. */
function sampleOf(line: RunLine): Sample | undefined {
  const { [REWARD]: mean, [`${REWARD}_std`]: std, [`${REWARD}_pairs`]: count } = line;
  if (count === 1) return { mean: mean!, std: 0, count };
  return std === undefined || count === undefined || !(count > 1) ? undefined : { mean: mean!, std, count };
}

const scaled = ({ mean, std, count }: Sample, scale: number): Sample => ({ mean: mean * scale, std: std * scale, count });
const pairs = (count: number): string => `${count} pair${count === 1 ? "" : "s"}`;
