/**
 * `lr_scheduler_kwargs`: which settings each schedule takes, and the checks that can be made before the number of steps
 * is known. Does not load libtorch.
 */
import { type Problem, conflict } from "../base/problems";
import { shown } from "../base/values";
import { shapes } from "./schedule";
import type { ScheduleName } from "./scheduleNames";

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

/** The values that a schedule takes in `lr_scheduler_kwargs`. */
export type Kwargs<Name extends ScheduleName> = {
  readonly [Key in keyof Settings[Name]]?: Settings[Name][Key] extends Setting<infer T> ? T : never;
};

/** The default `lr_end` of a polynomial schedule in transformers. */
export const POLYNOMIAL_END = 1e-7;

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
  if (name === "warmup_stable_decay" && decay === undefined)
    problems.push(unfitKwarg("a number of steps from 0", "num_decay_steps", undefined));
  for (const key of ["min_lr", "lr_end"]) {
    const end = kwargs[key] ?? (name === "polynomial" && key === "lr_end" ? POLYNOMIAL_END : undefined);
    if (baseLr !== undefined && typeof end === "number" && end > baseLr)
      problems.push(unfitKwarg(`a rate no higher than the learning rate, ${baseLr},`, key, end));
  }
  return problems;
}

/** The settings that have a value. */
export function readKwargs<Name extends ScheduleName>(name: Name, kwargs: Readonly<Record<string, unknown>>): Kwargs<Name> {
  const known: Record<string, Setting<unknown>> = settings[name];
  const given = Object.entries(kwargs).filter(([, value]) => !isLeftOut(value));
  return Object.fromEntries(given.map(([key, value]) => [key, known[key]!.read(value)])) as Kwargs<Name>;
}

/** Python's None counts as left out. */
function isLeftOut(value: unknown): boolean {
  return value === undefined || value === null;
}

/** An invalid setting. */
export function unfitKwarg(expected: string, key: string, value: unknown): Problem {
  return conflict(KEY, `${expected} for '${key}' in '${KEY}'`, shown(value));
}
