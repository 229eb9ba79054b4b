/**
 * A schedule from a run's configuration: `lr_scheduler_type` and `lr_scheduler_kwargs` with transformers' names and
 * defaults. Unlike there, a setting that the schedule does not read is an error, also for `constant` and
 * `constant_with_warmup`, and so is a rate that would end above the learning rate.
 */
import { InputError } from "../native/errors";
import { describeValue } from "../torch/operators";
import { checkOptions } from "../torch/options";
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
  shapes,
  warmupStableDecaySchedule,
} from "./schedule";
import { type ScheduleName, scheduleNames } from "./scheduleNames";

export interface NamedScheduleOptions extends ScheduleOptions {
  /** The learning rate that factors multiply; `lr_end` and `min_lr`, which are rates, need it. */
  baseLr?: number;
  /** The schedule's own settings, `lr_scheduler_kwargs`. */
  kwargs?: Readonly<Record<string, unknown>>;
}

interface Setting<T> {
  says: string;
  read(value: unknown): T | undefined;
}

const number = (says: string, holds: (value: number) => boolean): Setting<number> => ({
  says,
  read: (value) => (typeof value === "number" && Number.isFinite(value) && holds(value) ? value : undefined),
});

const positive = number("a positive number", (value) => value > 0);
const rate = number("a learning rate from 0", (value) => value >= 0);
const share = number("a number from 0 to 1", (value) => value >= 0 && value <= 1);
const steps = number("a number of steps from 0", (value) => value >= 0 && Number.isInteger(value));
const shape: Setting<(typeof shapes)[number]> = {
  says: `one of ${shapes.join(", ")}`,
  read: (value) => shapes.find((each) => each === value),
};

const minLr = { num_cycles: positive, min_lr: rate, min_lr_rate: share };

const settings = {
  linear: {},
  cosine: { num_cycles: positive },
  cosine_with_restarts: { num_cycles: positive },
  polynomial: { lr_end: rate, power: positive },
  constant: {},
  constant_with_warmup: {},
  inverse_sqrt: { timescale: positive },
  cosine_with_min_lr: minLr,
  cosine_warmup_with_min_lr: { ...minLr, warmup_lr_rate: share },
  warmup_stable_decay: {
    num_decay_steps: steps,
    num_stable_steps: steps,
    warmup_type: shape,
    decay_type: shape,
    min_lr_ratio: share,
    num_cycles: positive,
  },
} satisfies Record<ScheduleName, Record<string, Setting<unknown>>>;

type Settings = typeof settings;
type Kwargs<Name extends ScheduleName> = {
  readonly [Key in keyof Settings[Name]]?: Settings[Name][Key] extends Setting<infer T> ? T : never;
};

type Context = Omit<NamedScheduleOptions, "kwargs">;
type Makers = { readonly [Name in ScheduleName]: (options: Context, kwargs: Kwargs<Name>) => Schedule };

const makers: Makers = {
  linear: ({ baseLr: _, ...options }) => linearSchedule(options),
  cosine: ({ baseLr: _, ...options }, { num_cycles: numCycles }) => cosineSchedule({ ...options, numCycles }),
  cosine_with_restarts: (options, { num_cycles: numCycles }) => cosineWithRestartsSchedule({ ...options, numCycles }),
  polynomial: (options, { lr_end: lrEnd = 1e-7, power }) =>
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
  if (!Object.hasOwn(settings, name))
    throw new InputError(
      `Expected one of ${scheduleNames.join(", ")} for 'lr_scheduler_type' but received ${describeValue(name)}`,
    );
  checkOptions("getSchedule", options, ["warmupSteps", "totalSteps", "baseLr", "kwargs"]);
  const { kwargs = {}, ...context } = options;
  return make(name, context, kwargs);
}

function make<Name extends ScheduleName>(name: Name, context: Context, kwargs: Readonly<Record<string, unknown>>) {
  return makers[name](context, readKwargs(name, kwargs));
}

function readKwargs<Name extends ScheduleName>(name: Name, kwargs: Readonly<Record<string, unknown>>): Kwargs<Name> {
  const known: Record<string, Setting<unknown>> = settings[name];
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(kwargs)) {
    if (!Object.hasOwn(known, key)) {
      const takes = Object.keys(known).join(", ") || "none";
      throw new InputError(`Expected settings of '${name}' (${takes}) in 'lr_scheduler_kwargs' but received '${key}'`);
    }
    if (value === undefined || value === null) continue; // Python's None: as if left out
    read[key] = known[key]!.read(value);
    if (read[key] === undefined) throw unfit(known[key]!.says, key, value);
  }
  return read as Kwargs<Name>;
}

function stableSchedule({ warmupSteps = 0, totalSteps }: Context, kwargs: Kwargs<"warmup_stable_decay">): Schedule {
  const { num_decay_steps: decaySteps, num_stable_steps: given } = kwargs;
  if (decaySteps === undefined) throw unfit("a number of steps from 0", "num_decay_steps", undefined);
  const left = Math.max(0, totalSteps - warmupSteps);
  if (given === undefined && decaySteps > left)
    throw unfit(`at most the ${left} steps that the warm-up leaves`, "num_decay_steps", decaySteps);
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

/** The end's factor from `min_lr` or `min_lr_rate`, of which there has to be one. */
function minFactor({ min_lr: lowest, min_lr_rate: share }: Kwargs<"cosine_with_min_lr">, context: Context): number {
  if ((lowest === undefined) === (share === undefined)) {
    const given = share === undefined ? "neither" : "both";
    throw new InputError(`Expected one of 'min_lr' and 'min_lr_rate' in 'lr_scheduler_kwargs' but received ${given}`);
  }
  return share ?? factorOf("min_lr", lowest!, context);
}

/** A rate as a share of the base rate. */
function factorOf(key: string, lowest: number, { baseLr }: Context): number {
  if (!(typeof baseLr === "number" && baseLr > 0))
    throw new RangeError(`Expected a positive number for 'baseLr', which '${key}' needs, but received ${baseLr}`);
  if (lowest > baseLr) throw unfit(`a rate up to the learning rate, ${baseLr},`, key, lowest);
  return lowest / baseLr;
}

function unfit(expected: string, key: string, value: unknown): InputError {
  const received = describeValue(value);
  return new InputError(`Expected ${expected} for '${key}' in 'lr_scheduler_kwargs' but received ${received}`);
}
