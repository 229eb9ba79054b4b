/** What a step of training tells: where it is, and its metrics, brought from the device when they are read. */
import { type StepMetrics, means } from "./stepMetrics";
import type { LogLine } from "./trainerState";

/** Names that every step has; those of the loss, and what is measured on logged steps only, come on top. */
type MetricName =
  | "loss" | "grad_norm" | "rewards/chosen" | "rewards/rejected" | "rewards/accuracies" | "rewards/margins"
  | "logps/chosen" | "logps/rejected";

export interface TrainingStep extends Readonly<Record<MetricName, number>> {
  /** Optimizer steps done, this one included. */
  readonly step: number;
  readonly epoch: number;
  readonly learning_rate: number;
  /** The line that was logged after it: means since the last one. Absent when none was. */
  readonly logged?: LogLine;
  readonly [metric: string]: number | LogLine | undefined;
}

/** Metrics are read lazily: reading one on CUDA waits for the step. */
export function trainingStep(place: { step: number; epoch: number; learning_rate: number; logged?: LogLine }, metrics: StepMetrics): TrainingStep {
  const step = { ...place };
  for (const name of metrics.names)
    Object.defineProperty(step, name, { enumerable: true, get: () => means(metrics.read())[name] });
  return step as TrainingStep;
}
