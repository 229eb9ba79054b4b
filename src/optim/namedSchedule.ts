/**
 * A schedule from a run's configuration: `lr_scheduler_type` and `lr_scheduler_kwargs` with transformers' names and
 * defaults. Unlike there, a setting that the schedule does not read is an error, also for `constant` and
 * `constant_with_warmup`, and so is a rate that would end above the learning rate.
 */
import { problemsError } from "../base/problems";
import { InputError } from "../base/errors";
import { received } from "../base/received";
import { checkOptions } from "../base/options";
import {
  type Schedule,
  type ScheduleOptions,
  constantSchedule,
  cosineSchedule,
  cosineWarmupWithMinLrSchedule,
  cosineWithMinLrSchedule,
  cosineWithRestartsSchedule,
  inverseSqrtSchedule,
  linearSchedule,
  polynomialSchedule,
  warmupStableDecaySchedule,
} from "./schedule";
import { type Kwargs, POLYNOMIAL_END, kwargsProblems, readKwargs, unfitKwarg } from "./scheduleKwargs";
import { type ScheduleName, scheduleNames } from "./scheduleNames";

export interface NamedScheduleOptions extends ScheduleOptions {
  /** The learning rate that factors multiply; `lr_end` and `min_lr`, which are rates, need it. */
  baseLr?: number;
  /** The schedule's own settings, `lr_scheduler_kwargs`. */
  kwargs?: Readonly<Record<string, unknown>>;
}

type Context = Omit<NamedScheduleOptions, "kwargs">;
type Makers = { readonly [Name in ScheduleName]: (options: Context, kwargs: Kwargs<Name>) => Schedule };

const makers: Makers = {
  linear: ({ baseLr: _, ...options }) => linearSchedule(options),
  cosine: ({ baseLr: _, ...options }, { num_cycles: numCycles }) => cosineSchedule({ ...options, numCycles }),
  cosine_with_restarts: (options, { num_cycles: numCycles }) => cosineWithRestartsSchedule({ ...options, numCycles }),
  polynomial: (options, { lr_end: lrEnd = POLYNOMIAL_END, power }) =>
    polynomialSchedule({ ...options, end: factorOf("lr_end", lrEnd, options), power }),
  constant: () => constantSchedule(),
  constant_with_warmup: ({ warmupSteps }) => constantSchedule({ warmupSteps }),
  inverse_sqrt: ({ warmupSteps }, { timescale }) => inverseSqrtSchedule({ warmupSteps, timescale }),
  cosine_with_min_lr: (options, kwargs) =>
    cosineWithMinLrSchedule({ ...options, numCycles: kwargs.num_cycles, end: minFactor(kwargs, options) }),
  cosine_warmup_with_min_lr: (options, kwargs) =>
    cosineWarmupWithMinLrSchedule({
      ...options,
      numCycles: kwargs.num_cycles,
      end: minFactor(kwargs, options),
      warmupStart: kwargs.warmup_lr_rate,
    }),
  warmup_stable_decay: stableSchedule,
};

/**
 * The schedule of a name, as `lr_scheduler_type` gives it. All but `constant` start with the warm-up.
 *
 * | name | its `kwargs` |
 * |---|---|
 * | `cosine` | `num_cycles` 0.5 |
 * | `cosine_with_restarts` | `num_cycles` 1 |
 * | `polynomial` | `lr_end` 1e-7, `power` 1 |
 * | `inverse_sqrt` | `timescale` (the warm-up's steps, or 10,000) |
 * | `cosine_with_min_lr` | `min_lr` or `min_lr_rate` (one is needed), `num_cycles` 0.5 |
 * | `cosine_warmup_with_min_lr` | the same, and `warmup_lr_rate` |
 * | `warmup_stable_decay` | `num_decay_steps` (needed), `num_stable_steps` (what is left), `min_lr_ratio` 0, |
 * | | `warmup_type` linear, `decay_type` cosine (or 1-sqrt), `num_cycles` 0.5 |
 *
 * ```ts
 * const schedule = getSchedule("cosine_with_min_lr", { totalSteps: 100, baseLr: 5e-5, kwargs: { min_lr: 5e-6 } });
 * schedule(100); // 0.1
 * ```
 *
 * @throws InputError for an unknown name, and for kwargs that are unknown, missing or do not fit
 */
export function getSchedule(name: ScheduleName, options: NamedScheduleOptions): Schedule {
  if (!scheduleNames.includes(name))
    throw new InputError(`Expected one of ${scheduleNames.join(", ")} for 'lr_scheduler_type' but received ${received(name)}`);
  checkOptions("getSchedule", options, ["warmupSteps", "totalSteps", "baseLr", "kwargs"]);
  const { kwargs = {}, ...context } = options;
  return make(name, context, kwargs);
}

function make<Name extends ScheduleName>(name: Name, context: Context, kwargs: Readonly<Record<string, unknown>>): Schedule {
  const problems = kwargsProblems(name, kwargs, context.baseLr);
  if (problems.length > 0) throw problemsError(problems);
  return makers[name](context, readKwargs(name, kwargs));
}

function stableSchedule({ warmupSteps = 0, totalSteps }: Context, kwargs: Kwargs<"warmup_stable_decay">): Schedule {
  const { num_decay_steps: decaySteps = 0, num_stable_steps: given } = kwargs;
  const left = Math.max(0, totalSteps - warmupSteps);
  if (given === undefined && decaySteps > left)
    throw problemsError([unfitKwarg(`at most ${left}, the number of steps after the warm-up,`, "num_decay_steps", decaySteps)]);
  return warmupStableDecaySchedule({
    warmupSteps,
    stableSteps: given ?? left - decaySteps,
    decaySteps,
    end: kwargs.min_lr_ratio,
    warmupType: kwargs.warmup_type,
    decayType: kwargs.decay_type,
    numCycles: kwargs.num_cycles,
  });
}

/** The final factor, from `min_lr` or `min_lr_rate`. */
function minFactor({ min_lr: lowest, min_lr_rate: share }: Kwargs<"cosine_with_min_lr">, context: Context): number {
  return share ?? factorOf("min_lr", lowest!, context);
}

/** A rate as a share of the base rate. */
function factorOf(key: string, lowest: number, { baseLr }: Context): number {
  if (!(typeof baseLr === "number" && baseLr > 0))
    throw new RangeError(`Expected a positive number for 'baseLr', which '${key}' needs, but received ${baseLr}`);
  return lowest / baseLr;
}
