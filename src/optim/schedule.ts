/**
 * Learning-rate schedules as pure functions of the step, counted from 0, to the factor that multiplies the base rate.
 * Formulas are those of `transformers.optimization` (5.24). Left out: `reduce_lr_on_plateau` and `greedy`, which follow
 * a metric and so are not functions of the step. By name and with `lr_scheduler_kwargs`: namedSchedule.ts.
 */
import { checkOptions } from "../base/options";
import { received } from "../base/values";

/** The factor of the learning rate in step k. */
export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  /** Steps over which the rate rises linearly from 0; step `warmupSteps` is the first at the full rate. */
  warmupSteps?: number;
  /** The step at which the rate reaches its end, mostly 0. */
  totalSteps: number;
}

export interface CosineOptions extends ScheduleOptions {
  /** Waves between the warm-up and the end; one half, the default, goes down once. */
  numCycles?: number;
}

export interface PolynomialOptions extends ScheduleOptions {
  /** The end's factor: `lr_end` by the base rate. */
  end: number;
  /** Of the share of steps that is left; default 1, a straight line. */
  power?: number;
}

export interface MinLrOptions extends CosineOptions {
  /** The end's factor: `min_lr` by the base rate. */
  end: number;
}

export interface StableOptions {
  warmupSteps?: number;
  /** Steps at the full rate after the warm-up. */
  stableSteps: number;
  /** Steps after these down to `end`, which then stays. */
  decaySteps: number;
  /** The factor the warm-up starts from and the decay goes to; default 0. */
  end?: number;
  warmupType?: Shape;
  decayType?: Shape;
  /** Of a cosine decay, as in `CosineOptions`. */
  numCycles?: number;
}

export const shapes = ["linear", "cosine", "1-sqrt"] as const;

/** How a rate goes from one value to another. */
type Shape = (typeof shapes)[number];

/** Full rate, after the warm-up if there is one. */
export function constantSchedule(options: Partial<ScheduleOptions> = {}): Schedule {
  checkOptions("constantSchedule", options, ["warmupSteps", "totalSteps"]);
  const { warmupSteps = 0 } = options;
  return withWarmup(warmupSteps, () => 1);
}

/** From the full rate in a straight line to 0. */
export function linearSchedule(options: ScheduleOptions): Schedule {
  checkOptions("linearSchedule", options, ["warmupSteps", "totalSteps"]);
  const { warmupSteps = 0, totalSteps } = options;
  checkSteps("totalSteps", totalSteps);
  return withWarmup(warmupSteps, (step) => Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)));
}

/** From the full rate along half a cosine to 0. */
export function cosineSchedule(options: CosineOptions): Schedule {
  checkOptions("cosineSchedule", options, ["warmupSteps", "totalSteps", "numCycles"]);
  return cosineWithMinLrSchedule({ ...options, end: 0 });
}

/** From the full rate along a cosine to `end`. */
export function cosineWithMinLrSchedule(options: MinLrOptions): Schedule {
  const { warmupSteps = 0, numCycles = 0.5, end } = options;
  const progress = progressOf(options);
  return withWarmup(warmupSteps, (step) => Math.max(0, between(end, cosine(progress(step), numCycles))));
}

/**
 * As `cosineWithMinLrSchedule`, but a step further on at any time: the first step has a rate already, `warmupStart` or
 * one step's rise, and the last has `end`.
 */
export function cosineWarmupWithMinLrSchedule(options: MinLrOptions & { warmupStart?: number }): Schedule {
  const { warmupSteps = 0, numCycles = 0.5, end, warmupStart } = options;
  const progress = progressOf(options);
  return (step) => {
    if (step >= warmupSteps) return Math.max(0, between(end, cosine(progress(step + 1), numCycles)));
    if (warmupStart === undefined) return (step + 1) / Math.max(1, warmupSteps);
    return between(warmupStart, step / Math.max(1, warmupSteps - 1));
  };
}

/** `numCycles` times from the full rate along half a cosine to 0; default once. */
export function cosineWithRestartsSchedule(options: CosineOptions): Schedule {
  const { warmupSteps = 0, numCycles = 1 } = options;
  const progress = progressOf(options);
  return withWarmup(warmupSteps, (step) => (progress(step) >= 1 ? 0 : cosine((numCycles * progress(step)) % 1, 0.5)));
}

/** From the full rate to `end`, as a power of the share of steps that is left. */
export function polynomialSchedule(options: PolynomialOptions): Schedule {
  const { warmupSteps = 0, totalSteps, power = 1, end } = options;
  const progress = progressOf(options);
  return withWarmup(warmupSteps, (step) => (step > totalSteps ? end : between(end, (1 - progress(step)) ** power)));
}

/** Falls with the square root of the step, to half at `3 * timescale` steps after the warm-up. */
export function inverseSqrtSchedule(options: { warmupSteps?: number; timescale?: number } = {}): Schedule {
  const { warmupSteps = 0, timescale = warmupSteps || 10_000 } = options;
  return withWarmup(warmupSteps, (step) => 1 / Math.sqrt((step + timescale - warmupSteps) / timescale));
}

/** Warm-up, full rate, decay. */
export function warmupStableDecaySchedule(options: StableOptions): Schedule {
  const { warmupSteps = 0, stableSteps, decaySteps, end = 0, numCycles = 0.5 } = options;
  const { warmupType = "linear", decayType = "cosine" } = options;
  checkSteps("warmupSteps", warmupSteps);
  checkSteps("stableSteps", stableSteps);
  checkSteps("decaySteps", decaySteps);
  const decayFrom = warmupSteps + stableSteps;
  return (step) => {
    if (step < warmupSteps) return between(end, rise(warmupType, step / Math.max(1, warmupSteps)));
    if (step < decayFrom) return 1;
    if (step >= decayFrom + decaySteps) return end;
    return Math.max(0, between(end, fall(decayType, (step - decayFrom) / Math.max(1, decaySteps), numCycles)));
  };
}

/** 0 to 1 as `progress` goes from 0 to 1. */
function rise(shape: Shape, progress: number): number {
  switch (shape) {
    case "linear":
      return progress;
    case "cosine":
      return 0.5 * (1 - Math.cos(Math.PI * progress));
    case "1-sqrt":
      return 1 - Math.sqrt(1 - progress);
  }
}

/** 1 to 0 as `progress` goes from 0 to 1, a cosine with half a cycle. */
function fall(shape: Shape, progress: number, numCycles: number): number {
  switch (shape) {
    case "linear":
      return 1 - progress;
    case "cosine":
      return cosine(progress, numCycles);
    case "1-sqrt":
      return 1 - Math.sqrt(progress);
  }
}

function cosine(progress: number, numCycles: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress));
}

/** From `low` to 1 as `share` goes from 0 to 1. */
function between(low: number, share: number): number {
  return share * (1 - low) + low;
}

/** The share of the steps after the warm-up that is over. */
function progressOf({ warmupSteps = 0, totalSteps }: ScheduleOptions): Schedule {
  checkSteps("warmupSteps", warmupSteps);
  checkSteps("totalSteps", totalSteps);
  return (step) => (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
}

function withWarmup(warmupSteps: number, after: Schedule): Schedule {
  checkSteps("warmupSteps", warmupSteps);
  return (step) => (step < warmupSteps ? step / Math.max(1, warmupSteps) : after(step));
}

function checkSteps(name: string, steps: number): void {
  if (!(Number.isFinite(steps) && steps >= 0))
    throw new RangeError(`Expected a number of steps from 0 for '${name}' but received ${received(steps)}`);
}
