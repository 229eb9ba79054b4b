/** Training: the optimizer, gradient clipping, learning-rate schedules. */
export { AdamW, type AdamWOptions, type AdamWStateDict, type ParameterGroup } from "./adamw";
export { clipGradNorm_ } from "./clip";
export { type NamedScheduleOptions, getSchedule } from "./namedSchedule";
export { type ScheduleName, scheduleNames } from "./scheduleNames";
export {
  type Schedule,
  type ScheduleOptions,
  constantSchedule,
  cosineSchedule,
  linearSchedule,
} from "./schedule";
