/** Lengths and distances of many rows: their summary, and their histogram. */

export interface LengthSummary {
  readonly min: number;
  readonly mean: number;
  readonly median: number;
  /** 95 of 100 are not longer. */
  readonly p95: number;
  readonly max: number;
  readonly total: number;
}

/** All zero when there are none. */
export function summarise(values: readonly number[]): LengthSummary {
  if (values.length === 0) return { min: 0, mean: 0, median: 0, p95: 0, max: 0, total: 0 };
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  const total = sorted.reduce((sum, value) => sum + value, 0);
  return { min: sorted[0]!, mean: total / sorted.length, median: at(0.5), p95: at(0.95), max: sorted.at(-1)!, total };
}

/** How many values lie in each of the ranges [from, to); the last one includes its end. */
export interface HistogramBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Up to 12 ranges of whole numbers, all of one width that reads well: 1, 2 or 5 times a power of ten. */
export function lengthHistogram(values: readonly number[]): HistogramBin[] {
  if (values.length === 0) return [];
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) [min, max] = [Math.min(min, value), Math.max(max, value)];
  const width = niceWidth((max - min + 1) / 10);
  const first = Math.floor(min / width) * width;
  return histogram(values, first, width, Math.floor((max - first) / width) + 1);
}

/** Ten ranges of shares from 0 to 1. */
export function shareHistogram(values: readonly number[]): HistogramBin[] {
  return values.length === 0
    ? []
    : histogram(
        values.map((value) => value * 10),
        0,
        1,
        10,
      ).map(({ from, to, count }) => ({ from: from / 10, to: to / 10, count }));
}

function histogram(values: readonly number[], first: number, width: number, count: number): HistogramBin[] {
  const counts = new Array<number>(count).fill(0);
  for (const value of values) counts[Math.min(count - 1, Math.floor((value - first) / width))]!++;
  return counts.map((each, i) => ({ from: first + i * width, to: first + (i + 1) * width, count: each }));
}

function niceWidth(least: number): number {
  for (let power = 1; ; power *= 10) for (const step of [1, 2, 5]) if (step * power >= least) return step * power;
}
