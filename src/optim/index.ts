/** Training: the optimizer, gradient clipping, learning-rate schedules. */
export { AdamW, type AdamWOptions, type AdamWStateDict, type ParameterGroup } from "./adamw";
export { clipGradNorm_ } from "./clip";
export { type NamedScheduleOptions, type ScheduleName, getSchedule, scheduleNames } from "./namedSchedule";
export type { Optimizer, OptimizerGroup, OptimizerStateDict, StateKind, StateLayout } from "./optimizer";
export {
  type Schedule,
  type ScheduleOptions,
  constantSchedule,
  cosineSchedule,
  linearSchedule,
} from "./schedule";
