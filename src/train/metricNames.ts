/**
 * The names of metrics, in steps, logged lines and evaluations: TRL's, and ours beside them, so that a name that no run has
 * does not compile. What a run measures, and when, is in stepMetrics.ts, differenceMetrics.ts and speed.ts.
 */

/** Measured in every step and evaluation; means over pairs. */
const PAIRS = [
  "loss", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected",
] as const;
export type PairMetric = (typeof PAIRS)[number];

/**
 * How far the pairs' rewards are spread, the standard deviation of the sample (n − 1), and the pairs n they are of. The
 * standard error of `rewards/chosen` is std / √n. There is no deviation of a single pair.
 */
const SPREAD = ["rewards/chosen_std", "rewards/chosen_pairs"] as const;
export type SpreadMetric = (typeof SPREAD)[number];

/** Of single losses; means over pairs. */
export type LossMetric = "dpop/penalty_mean" | "dpop/penalty_active" | "nll_loss" | "log_odds_ratio" | "log_odds_chosen";

/** Measured on logged steps and in evaluations only; means over tokens, or by pair (`_macro`). */
const TOKENS = [
  "entropy", "mean_token_accuracy", "logits/chosen", "logits/rejected",
  "token_logps/chosen_before", "token_logps/chosen_before_macro", "token_logps/chosen_at", "token_logps/chosen_at_macro",
  "token_logps/chosen_after", "token_logps/chosen_after_macro",
  "token_logratios/chosen_before", "token_logratios/chosen_before_macro", "token_logratios/chosen_at",
  "token_logratios/chosen_at_macro", "token_logratios/chosen_after", "token_logratios/chosen_after_macro",
] as const;
export type TokenMetric = (typeof TOKENS)[number];

/** Of an evaluation itself. */
const COURSE = ["num_tokens", "runtime", "samples_per_second", "steps_per_second"] as const;

/** What the line of an evaluation has, without `eval_`; the metrics of the loss come on top. */
export const evaluationMetrics: readonly string[] = [...PAIRS, ...SPREAD, ...TOKENS, ...COURSE];

/** Of the optimizer step and of the machine. */
export type RunMetric =
  | "grad_norm" | "learning_rate" | "num_tokens"
  | `perf/${"tokens_per_second" | "prefix_sharing_saved" | "packing_saved" | "tflops" | "mfu" | "peak_memory_gib"}`;

/** What is measured of pairs and tokens, in training and in evaluations. */
export type Measured = PairMetric | SpreadMetric | LossMetric | TokenMetric;

/** In lines of evaluations. */
export type EvaluationMetric = `eval_${Measured | (typeof COURSE)[number]}`;

/** In the line that closes a run. */
export type ClosingMetric = `train_${"runtime" | "samples_per_second" | "steps_per_second" | "loss"}` | "total_flos";

/** Every name of a logged line, but for the metrics of a loss of your own. */
export type MetricName = Measured | RunMetric | EvaluationMetric | ClosingMetric;

/**
 * A line of `log_history` and `metrics.jsonl`: a step's, an evaluation's, or the one that closes the run. Metrics of a
 * loss of your own are in it, and can be read through another type:
 *
 * ```ts
 * const values: Readonly<Record<string, number | undefined>> = line;
 * console.log(values["mine/bonus"]);
 * ```
 */
export type LogLine = Readonly<Partial<Record<MetricName, number>>> & {
  /** Optimizer steps done. */
  readonly step: number;
  readonly epoch: number;
};

/**
 * The metrics of one step. Those of pairs are always there; those of a loss only with it, and what is measured by token on
 * logged steps alone.
 */
export type StepMetricValues = Readonly<Record<PairMetric | "grad_norm", number>> &
  Readonly<Partial<Record<SpreadMetric | LossMetric | TokenMetric, number>>>;
