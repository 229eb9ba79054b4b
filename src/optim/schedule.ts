/**
 * Learning-rate schedules as pure functions of the step, counted from 0, to the factor that multiplies the base rate.
 * Formulas and names are those of `transformers.get_scheduler`; its other schedules are left out.
 */

/** The factor of the learning rate in step k. */
export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  /** Steps over which the rate rises linearly from 0; step `warmupSteps` is the first at the full rate. */
  warmupSteps?: number;
  /** The step at which the rate reaches 0. */
  totalSteps: number;
}

const schedules = {
  constant: () => constantSchedule(),
  constant_with_warmup: constantSchedule,
  linear: linearSchedule,
  cosine: cosineSchedule,
};

export type ScheduleName = keyof typeof schedules;

/** The schedule of a name, as `lr_scheduler_type` gives it; `constant` takes no warm-up. */
export function getSchedule(name: ScheduleName, options: ScheduleOptions): Schedule {
  if (!Object.hasOwn(schedules, name))
    throw new RangeError(
      `Expected one of ${Object.keys(schedules).join(", ")} for 'lr_scheduler_type' but received ${String(name)}`,
    );
  return schedules[name](options);
}

/** Full rate, after the warm-up if there is one. */
export function constantSchedule({ warmupSteps = 0 }: Partial<ScheduleOptions> = {}): Schedule {
  return withWarmup(warmupSteps, () => 1);
}

/** From the full rate in a straight line to 0. */
export function linearSchedule({ warmupSteps = 0, totalSteps }: ScheduleOptions): Schedule {
  checkSteps("totalSteps", totalSteps);
  return withWarmup(warmupSteps, (step) => Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)));
}

/** From the full rate along half a cosine to 0. */
export function cosineSchedule({ warmupSteps = 0, totalSteps }: ScheduleOptions): Schedule {
  checkSteps("totalSteps", totalSteps);
  return withWarmup(warmupSteps, (step) => {
    const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  });
}

function withWarmup(warmupSteps: number, after: Schedule): Schedule {
  checkSteps("warmupSteps", warmupSteps);
  return (step) => (step < warmupSteps ? step / Math.max(1, warmupSteps) : after(step));
}

function checkSteps(name: string, steps: number): void {
  if (!(steps >= 0 && Number.isFinite(steps)))
    throw new RangeError(`Expected a number of steps from 0 for '${name}' but received ${steps}`);
}
