/** Training: the loop and what is around it. */
export { type TrainingArguments, trainingArguments } from "./arguments";
export { NonFiniteError } from "./nonFinite";
export { InterruptedError, type Preparation, type PreferenceTrainerOptions } from "./prepare/prepare";
export type { TrainerEvents, TrainingSummary } from "./loop";
export { PreferenceTrainer } from "./trainer";
export type { LogLine, MetricName } from "./metrics/names";
export type { TrainingStep } from "./metrics/trainingStep";
