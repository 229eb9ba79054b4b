/** Metrics over steps, made fit to be drawn: noisy ones beside their running mean, long ones thinned. */
import type { Line, Point } from "./figures";
import type { RunLine } from "./run";

/** More points than this on a line cannot be told apart. */
const MOST_POINTS = 300;
/** A metric logged less often than this is drawn as it is. */
const FEW = 30;
/** Share of all points that a running mean is over. */
const WINDOW = 0.1;

export function pointsOf(lines: readonly RunLine[], metric: string, scale = 1): Point[] {
  return lines.flatMap((line) => (line[metric] === undefined ? [] : [{ x: line["step"]!, y: line[metric] * scale }]));
}

/** What to draw of a metric: its points, or their running mean with the points behind it. */
export function curve(points: readonly Point[]): Pick<Line, "points" | "behind"> {
  if (points.length < FEW) return { points };
  const half = Math.floor((points.length * WINDOW) / 2);
  return { points: thinned(runningMean(points, half)), behind: thinned(points) };
}

/** Each point's mean with up to `half` points on either side; at the ends one side has fewer. */
export function runningMean(points: readonly Point[], half: number): Point[] {
  const sums = [0];
  for (const { y } of points) sums.push(sums.at(-1)! + y);
  return points.map(({ x }, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(points.length, i + half + 1)];
    return { x, y: (sums[to]! - sums[from]!) / (to - from) };
  });
}

/** At most `most` points, each the mean of as many neighbours; first and last stay. */
export function thinned(points: readonly Point[], most = MOST_POINTS): Point[] {
  if (points.length <= most) return [...points];
  const inner = points.slice(1, -1);
  const size = inner.length / (most - 2);
  const groups = Array.from({ length: most - 2 }, (_, i) => inner.slice(Math.floor(i * size), Math.floor((i + 1) * size)));
  const mean = (group: readonly Point[], key: "x" | "y") => group.reduce((sum, point) => sum + point[key], 0) / group.length;
  return [points[0]!, ...groups.map((group) => ({ x: mean(group, "x"), y: mean(group, "y") })), points.at(-1)!];
}
