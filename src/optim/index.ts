/** Training: the optimizer, gradient clipping, learning-rate schedules. */
export { AdamW, type AdamWOptions, type AdamWStateDict, type ParameterGroup } from "./adamw";
export { clipGradNorm_ } from "./clip";
export {
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
  constantSchedule,
  cosineSchedule,
  getSchedule,
  linearSchedule,
} from "./schedule";
