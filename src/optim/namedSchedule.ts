/**
 * A schedule from a run's configuration: `lr_scheduler_type` and `lr_scheduler_kwargs` with transformers' names and
 * defaults. Unlike there, a setting that the schedule does not read is an error, also for `constant` and
 * `constant_with_warmup`, and so is a rate that would end above the learning rate.
 *
 * What can be checked before the number of steps is known, `kwargsProblems` checks.
 */
import { type Argument, fits, integer, number } from "../base/arguments";
import { InputError } from "../base/errors";
import { checkOptions } from "../base/options";
import { conflict, type Problem, problemsError } from "../base/problems";
import { received, shown } from "../base/values";
import {
  constantSchedule,
  cosineSchedule,
  cosineWarmupWithMinLrSchedule,
  cosineWithMinLrSchedule,
  cosineWithRestartsSchedule,
  inverseSqrtSchedule,
  linearSchedule,
  polynomialSchedule,
  type Schedule,
  type ScheduleOptions,
  shapes,
  warmupStableDecaySchedule,
} from "./schedule";

/** The names that `lr_scheduler_type` may have. */
export const scheduleNames = [
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
  "constant",
  "constant_with_warmup",
  "inverse_sqrt",
  "cosine_with_min_lr",
  "cosine_warmup_with_min_lr",
  "warmup_stable_decay",
] as const;

export type ScheduleName = (typeof scheduleNames)[number];

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
    throw new RangeError(`Expected ${positive.says} for 'baseLr', which '${key}' needs, but received ${baseLr}`);
  return lowest / baseLr;
}

interface Setting<T> {
  says: string;
  read(value: unknown): T | undefined;
}

/** A finite number. */
const finite = (argument: Argument<number>, says = argument.expected): Setting<number> => ({
  says,
  read: (value) => (typeof value === "number" && Number.isFinite(value) && fits(value, argument) ? value : undefined),
});

const positive = finite(number(0, "", { above: 0 }));
const rate = finite(number(0, "", { min: 0 }), "a learning rate from 0");
const share = finite(number(0, "", { min: 0, max: 1 }));
const steps = finite(integer(0, "", { min: 0 }), "a number of steps from 0");
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

/** The values that a schedule takes in `lr_scheduler_kwargs`. */
type Kwargs<Name extends ScheduleName> = {
  readonly [Key in keyof Settings[Name]]?: Settings[Name][Key] extends Setting<infer T> ? T : never;
};

/** The default `lr_end` of a polynomial schedule in transformers. */
const POLYNOMIAL_END = 1e-7;

const KEY = "lr_scheduler_kwargs";

/**
 * The problems with a schedule's settings.
 *
 * @param baseLr the learning rate, above which no schedule may end; not checked when left out
 */
export function kwargsProblems(name: ScheduleName, kwargs: Readonly<Record<string, unknown>>, baseLr?: number): Problem[] {
  const known: Record<string, Setting<unknown>> = settings[name];
  const problems = Object.entries(kwargs).flatMap(([key, value]) => {
    if (!Object.hasOwn(known, key)) {
      const takes = Object.keys(known).join(", ") || "none";
      return [conflict(KEY, `settings of '${name}' (${takes}) in '${KEY}'`, `'${key}'`)];
    }
    if (isLeftOut(value) || known[key]!.read(value) !== undefined) return [];
    return [unfitKwarg(known[key]!.says, key, value)];
  });
  if (problems.length > 0) return problems;
  const {
    min_lr: lowest,
    min_lr_rate: share,
    num_decay_steps: decay,
  } = readKwargs(name, kwargs) as Kwargs<"cosine_with_min_lr"> & Kwargs<"warmup_stable_decay">;
  if (Object.hasOwn(known, "min_lr") && (lowest === undefined) === (share === undefined)) {
    const given = share === undefined ? "neither" : "both";
    problems.push(conflict(KEY, `one of 'min_lr' and 'min_lr_rate' in '${KEY}'`, given));
  }
  if (name === "warmup_stable_decay" && decay === undefined) problems.push(unfitKwarg(steps.says, "num_decay_steps", undefined));
  for (const key of ["min_lr", "lr_end"]) {
    const end = kwargs[key] ?? (name === "polynomial" && key === "lr_end" ? POLYNOMIAL_END : undefined);
    if (baseLr !== undefined && typeof end === "number" && end > baseLr)
      problems.push(unfitKwarg(`a rate no higher than the learning rate, ${baseLr},`, key, end));
  }
  return problems;
}

/** The settings that have a value. */
function readKwargs<Name extends ScheduleName>(name: Name, kwargs: Readonly<Record<string, unknown>>): Kwargs<Name> {
  const known: Record<string, Setting<unknown>> = settings[name];
  const given = Object.entries(kwargs).filter(([, value]) => !isLeftOut(value));
  return Object.fromEntries(given.map(([key, value]) => [key, known[key]!.read(value)])) as Kwargs<Name>;
}

/** Python's None counts as left out. */
function isLeftOut(value: unknown): boolean {
  return value === undefined || value === null;
}

/** An invalid setting. */
function unfitKwarg(expected: string, key: string, value: unknown): Problem {
  return conflict(KEY, `${expected} for '${key}' in '${KEY}'`, shown(value));
}
