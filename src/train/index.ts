/** Training: the trainer, its settings and what it tells. */
export { type TrainingArguments, trainingArguments } from "./arguments";
export type { TrainingSummary } from "./loop";
export type { LogLine, MetricName, TrainingStep } from "./metrics/names";
export { NonFiniteError } from "./metrics/unread";
export type { PreferenceTrainerOptions } from "./options";
export type { Preparation } from "./prepare/prepare";
export { InterruptedError } from "./prepare/start";
export { PreferenceTrainer, type TrainerEvents } from "./trainer";
