/**
 * The names of metrics in steps, logged lines and evaluations: TRL's and smaug's own. They are types, so that a misspelt
 * name does not compile. What a run measures, and when, is in stepMetrics.ts, differenceMetrics.ts and speed.ts.
 */
import type { LossMetric } from "../../preference/losses/configuration";

/** Metrics about rejected answers, which rows without one do not have. */
const COMPARING = ["rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/rejected"] as const;

/** Measured in every step and evaluation; means over pairs. */
const PAIRS = ["loss", "rewards/chosen", "logps/chosen", ...COMPARING] as const;
export const comparingMetrics: readonly string[] = COMPARING;
export type PairMetric = (typeof PAIRS)[number];

/**
 * The spread of the pairs' rewards, as the sample standard deviation (n − 1), and the number of pairs n. The standard
 * error of `rewards/chosen` is std / √n. A single pair has no standard deviation.
 */
const SPREAD = ["rewards/chosen_std", "rewards/chosen_pairs"] as const;
export type SpreadMetric = (typeof SPREAD)[number];

/** Measured on logged steps and in evaluations only; means over tokens, or by pair (`_macro`). */
const TOKENS = [
  "entropy",
  "mean_token_accuracy",
  "logits/chosen",
  "logits/rejected",
  "token_logps/chosen_before",
  "token_logps/chosen_before_macro",
  "token_logps/chosen_at",
  "token_logps/chosen_at_macro",
  "token_logps/chosen_after",
  "token_logps/chosen_after_macro",
  "token_logratios/chosen_before",
  "token_logratios/chosen_before_macro",
  "token_logratios/chosen_at",
  "token_logratios/chosen_at_macro",
  "token_logratios/chosen_after",
  "token_logratios/chosen_after_macro",
] as const;
export type TokenMetric = (typeof TOKENS)[number];

/** Of an evaluation itself. */
const COURSE = ["num_tokens", "runtime", "samples_per_second", "steps_per_second"] as const;

/** The metrics of an evaluation line, without `eval_`, not counting those of the loss. */
export const evaluationMetrics: readonly string[] = [...PAIRS, ...SPREAD, ...TOKENS, ...COURSE];

/** Of the optimizer step and of the machine. */
export type RunMetric =
  | "grad_norm"
  | "learning_rate"
  | "num_tokens"
  | `perf/${"tokens_per_second" | "prefix_sharing_saved" | "packing_saved" | "tflops" | "mfu" | "peak_memory_gib"}`;

/** What is measured over pairs and tokens, in training and in evaluations. */
export type Measured = PairMetric | SpreadMetric | LossMetric | TokenMetric;

/** In evaluation lines. */
export type EvaluationMetric = `eval_${Measured | (typeof COURSE)[number]}`;

/** In the line that closes a run. */
export type ClosingMetric = `train_${"runtime" | "samples_per_second" | "steps_per_second" | "loss"}` | "total_flos";

/** Every name in a logged line, except the metrics of a custom loss. */
export type MetricName = Measured | RunMetric | EvaluationMetric | ClosingMetric;

/**
 * A line of `log_history` and `metrics.jsonl`: a step's, an evaluation's, or the one that closes the run. Metrics of
 * a custom loss are included and can be read through another type:
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
 * The metrics of one step. Metrics over pairs are always present, except those about rejected answers where no row has
 * one; those of a particular loss only with that loss, and those over tokens only on logged steps.
 */
export type StepMetricValues = Readonly<Record<PairMetric | "grad_norm", number>> &
  Readonly<Partial<Record<SpreadMetric | LossMetric | TokenMetric, number>>>;

/**
 * A completed step. Metrics of a custom loss are included and can be read through another type:
 *
 * ```ts
 * const values: Readonly<Record<string, unknown>> = step;
 * console.log(values["mine/bonus"]);
 * ```
 */
export type TrainingStep = StepMetricValues & {
  /** Optimizer steps done, this one included. */
  readonly step: number;
  readonly epoch: number;
  readonly learning_rate: number;
  /** The line that was logged after it: means since the last one. Absent when none was. */
  readonly logged?: LogLine;
};
