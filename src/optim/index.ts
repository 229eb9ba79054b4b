/** Training: the optimizer, gradient clipping, learning-rate schedules. */
export { AdamW, type AdamWOptions, type AdamWStateDict, type ParameterGroup } from "./adamw";
export { clipGradNorm_ } from "./clip";
export { getSchedule, type NamedScheduleOptions, type ScheduleName, scheduleNames } from "./namedSchedule";
export type { Optimizer, OptimizerGroup, OptimizerStateDict, StateKind, StateLayout } from "./optimizer";
export {
  constantSchedule,
  cosineSchedule,
  linearSchedule,
  type Schedule,
  type ScheduleOptions,
} from "./schedule";
