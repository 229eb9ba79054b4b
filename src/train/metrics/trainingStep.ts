/** What a step of training tells: where it is, and its metrics, brought from the device when they are read. */
import type { LogLine, StepMetricValues } from "./names";
import { type StepMetrics, means } from "./stepMetrics";

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

/** Metrics are read lazily: reading one on CUDA waits for the step. */
export function trainingStep(
  place: { step: number; epoch: number; learning_rate: number; logged?: LogLine },
  metrics: StepMetrics,
): TrainingStep {
  const step = { ...place };
  for (const name of metrics.names)
    Object.defineProperty(step, name, { enumerable: true, get: () => means(metrics.read())[name] });
  return step as unknown as TrainingStep;
}
