/** Training: the trainer, its settings and what it tells. */
export { type TrainingArguments, trainingArguments } from "./arguments";
export type { TrainingSummary } from "./loop";
export type { LogLine, MetricName } from "./metrics/names";
export type { TrainingStep } from "./metrics/trainingStep";
export { NonFiniteError } from "./metrics/unread";
export type { TrainerEvents } from "./observers/events";
export type { PreferenceTrainerOptions } from "./options";
export type { Preparation } from "./prepare/prepare";
export { InterruptedError } from "./prepare/start";
export { PreferenceTrainer } from "./trainer";
