/** Which metrics of a run are drawn, in which groups, and how: noisy ones behind their running mean, long ones thinned. */
import type { Line, Point } from "./figures";
import type { LoggedRun, RunLine } from "./run";

/** A picture of one metric. */
export interface Picture {
  readonly metric: string;
  readonly label: string;
  /** What it shows, where the label alone does not say it. */
  readonly subject?: string;
  /** Divides rewards by each run's β. */
  readonly inNats?: boolean;
  readonly ruleY?: number;
  /** Logarithmic where the values are positive and far apart. */
  readonly mayBeLog?: boolean;
  /** Has no noise that a running mean would take out. */
  readonly isExact?: boolean;
  /** Is in the table of numbers and not drawn. */
  readonly isInTableOnly?: boolean;
}

/** Pictures that belong together, with their numbers as one table. */
export interface MetricGroup {
  readonly title: string;
  readonly note: string;
  readonly pictures: readonly Picture[];
  /** Pictures as wide as the page, not two in a row. */
  readonly isLarge?: boolean;
}

const AGAINST_REFERENCE: MetricGroup = {
  title: "Against the reference",
  note:
    "Log-prob of the whole answer minus the reference's, in nats, mean over the pairs of each logged step: rewards/chosen " +
    "and rewards/rejected divided by β. The rule at 0 is the reference. A chosen curve below it says that the model has " +
    "become less likely to give the preferred answer.",
  isLarge: true,
  pictures: [
    {
      metric: "rewards/chosen",
      label: "chosen answer, nats against the reference",
      subject: "Chosen answers, nats against the reference",
      inNats: true,
      ruleY: 0,
    },
    {
      metric: "rewards/rejected",
      label: "rejected answer, nats against the reference",
      subject: "Rejected answers, nats against the reference",
      inNats: true,
      ruleY: 0,
    },
  ],
};

const AROUND_DIFFERENCE: MetricGroup = {
  title: "Around the first difference, against the reference",
  note:
    "Log-prob of a token of the chosen answer minus the reference's, in nats: mean over the tokens before, at and after the " +
    "first one in which the two answers differ; by pair: mean of the pairs' means. A curve that falls below 0 after the " +
    "difference, whatever it does at it, is what the paper finds of DPO.",
  pictures: stages("token_logratios", "nats from the reference", 0),
};

const REWARDS: MetricGroup = {
  title: "Rewards",
  note:
    "rewards/chosen and rewards/rejected as they were logged. Not every run here says what its β and its reference are, so " +
    "they cannot be given in nats against the reference.",
  isLarge: true,
  pictures: [
    { metric: "rewards/chosen", label: "reward of the chosen answer", subject: "Reward of the chosen answers", ruleY: 0 },
    { metric: "rewards/rejected", label: "reward of the rejected answer", subject: "Reward of the rejected answers", ruleY: 0 },
  ],
};

const GROUPS: readonly MetricGroup[] = [
  {
    title: "Log-probs",
    note: "Of whole answers, in nats, mean over the pairs of each logged step: other pairs in every step, so these vary more.",
    pictures: [
      { metric: "logps/chosen", label: "logps/chosen, nats" },
      { metric: "logps/rejected", label: "logps/rejected, nats" },
    ],
  },
  {
    title: "Log-probs of tokens around the first difference",
    note:
      "Of a token of the chosen answer, in nats: mean over the tokens before, at and after the first one in which the two " +
      "answers differ; by pair: mean of the pairs' means.",
    pictures: stages("token_logps", "log-prob of a token"),
  },
  {
    title: "Margin and accuracy",
    note: "Reward of the chosen minus that of the rejected answer (with β), and the share of pairs where it is above 0.",
    pictures: [
      { metric: "rewards/margins", label: "rewards/margins", ruleY: 0 },
      { metric: "rewards/accuracies", label: "rewards/accuracies" },
    ],
  },
  {
    title: "DPOP's penalty",
    note: "By how many nats chosen answers are below the reference, mean over pairs without λ and β, and the share of pairs where it counts.",
    pictures: [
      { metric: "dpop/penalty_mean", label: "dpop/penalty_mean, nats" },
      { metric: "dpop/penalty_active", label: "dpop/penalty_active" },
    ],
  },
  {
    title: "Optimisation",
    note: "The gradient's norm is that before clipping. Losses of different kinds are not to be compared.",
    pictures: [
      { metric: "loss", label: "loss", mayBeLog: true },
      { metric: "grad_norm", label: "grad_norm", mayBeLog: true },
      { metric: "learning_rate", label: "learning_rate", isExact: true },
    ],
  },
  {
    title: "Tokens",
    note: "Entropy of the next token in nats, over the tokens of both answers; share of chosen tokens that are the likeliest; means of the logits.",
    pictures: [
      { metric: "entropy", label: "entropy, nats" },
      { metric: "mean_token_accuracy", label: "mean_token_accuracy" },
      { metric: "logits/chosen", label: "logits/chosen" },
      { metric: "logits/rejected", label: "logits/rejected" },
    ],
  },
  {
    title: "Speed and memory",
    note: "Tokens are those of both answers with their prompts, whatever packing made of them.",
    pictures: [
      { metric: "perf/tokens_per_second", label: "tokens per second" },
      { metric: "perf/peak_memory_gib", label: "peak memory, GiB", isExact: true },
      { metric: "perf/mfu", label: "model FLOP utilisation" },
      { metric: "perf/prefix_sharing_saved", label: "tokens saved by shared prefixes" },
    ],
  },
];

/** Metrics that are not drawn. */
const UNSEEN = new Set([
  // One token a pair: the same as the mean over tokens.
  "token_logps/chosen_at_macro",
  "token_logratios/chosen_at_macro",
  // The verdict's standard error comes from these.
  "rewards/chosen_std",
  "rewards/chosen_pairs",
  "step",
  "epoch",
  "num_tokens",
  "perf/packing_saved",
  "perf/tflops",
  "runtime",
  "samples_per_second",
  "steps_per_second",
]);

const named = (metric: string): Picture => ({ metric, label: metric });

/** What the table of ends and beginnings shows. */
export const ENDS: readonly Picture[] = [
  ...["before", "at", "after"].map((stage) => ({
    metric: `token_logratios/chosen_${stage}`,
    label: `chosen token ${stage} the first difference, nats against the reference`,
  })),
  ...["rewards/margins", "rewards/accuracies", "loss", "dpop/penalty_mean", "grad_norm", "entropy", "mean_token_accuracy"].map(
    named,
  ),
];

/** What a report of these runs draws, in order. */
export function groupsOf(runs: readonly LoggedRun[]): MetricGroup[] {
  return [firstGroup(runs), AROUND_DIFFERENCE, ...GROUPS, otherMetrics(runs)];
}

/** Answers against the reference, in nats where every run tells what turns its rewards into them. */
export function firstGroup(runs: readonly LoggedRun[]): MetricGroup {
  return runs.every(({ beta }) => beta !== undefined) ? AGAINST_REFERENCE : REWARDS;
}

/** What was logged and is in no group. */
function otherMetrics(runs: readonly LoggedRun[]): MetricGroup {
  const known = new Set(
    [AGAINST_REFERENCE, AROUND_DIFFERENCE, ...GROUPS].flatMap(({ pictures }) => pictures).map(({ metric }) => metric),
  );
  const logged = new Set(
    runs.flatMap(({ lines, evaluations }) => [...lines, ...evaluations].flatMap((line) => Object.keys(line))),
  );
  const rest = [...logged].filter((metric) => !known.has(metric) && !UNSEEN.has(metric)).sort();
  return { title: "More", note: "Whatever else was logged.", pictures: rest.map(named) };
}

/** Pictures of a metric by stage. At the difference there is one token a pair, and both means are one. */
function stages(metric: string, what: string, ruleY?: number): Picture[] {
  const picture = (stage: string, place: string, changes: Partial<Picture> = {}): Picture => ({
    metric: `${metric}/chosen_${stage}`,
    label: `${place}, ${what}`,
    subject: `Chosen tokens ${place}, ${what}`,
    ...(ruleY === undefined ? {} : { ruleY }),
    ...changes,
  });
  return [
    picture("before", "before the difference"),
    picture("at", "at the difference"),
    picture("after", "after the difference"),
    picture("after_macro", "after the difference by pair"),
    picture("before_macro", "before the difference by pair", { isInTableOnly: true }),
  ];
}

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
