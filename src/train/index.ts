/** Training: the loop and what is around it. */
export { type TrainingArguments, trainingArguments } from "./arguments";
export { NonFiniteError } from "./nonFinite";
export { InterruptedError, type Preparation, type PreferenceTrainerOptions } from "./preparation";
export type { TrainerEvents, TrainingSummary } from "./run";
export { PreferenceTrainer } from "./trainer";
export type { LogLine, MetricName } from "./metricNames";
export type { TrainingStep } from "./trainingStep";
