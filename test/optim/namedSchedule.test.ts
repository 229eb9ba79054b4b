import { expect, test } from "vitest";
import { getSchedule, type NamedScheduleOptions, type ScheduleName } from "../../src/optim";

const options = { totalSteps: 8, baseLr: 2e-4 };

const take = (name: ScheduleName, more: Partial<NamedScheduleOptions>) => {
  const schedule = getSchedule(name, { ...options, ...more });
  return Array.from({ length: 9 }, (_, step) => Number(schedule(step).toFixed(12)));
};

test("cosine_with_restarts falls anew in each cycle", () => {
  expect(take("cosine_with_restarts", { kwargs: { num_cycles: 4 } })).toEqual([1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5, 0]);
});

test("polynomial goes to lr_end, a rate, with a power", () => {
  const half = take("polynomial", { kwargs: { lr_end: 1e-4, power: 2 } });
  expect([half[0], half[4], half[8]]).toEqual([1, 0.625, 0.5]); // 1/2 + 1/2 of 1, 1/4, 0
  expect(take("polynomial", {})[8]).toBe(5e-4); // 1e-7 when not told
});

test("min_lr is a rate and min_lr_rate its share of the learning rate", () => {
  const byRate = take("cosine_with_min_lr", { kwargs: { min_lr: 5e-5 } });
  expect([byRate[0], byRate[4], byRate[8]]).toEqual([1, 0.625, 0.25]);
  expect(take("cosine_with_min_lr", { kwargs: { min_lr_rate: 0.25, min_lr: null } })).toEqual(byRate);
});

test("cosine_warmup_with_min_lr has a rate in its first step and its lowest in the last", () => {
  const schedule = take("cosine_warmup_with_min_lr", { warmupSteps: 4, kwargs: { min_lr_rate: 0.5 } });
  expect([schedule[0], schedule[3], schedule[5], schedule[7]]).toEqual([0.25, 1, 0.75, 0.5]);
  const from = take("cosine_warmup_with_min_lr", { warmupSteps: 3, kwargs: { min_lr_rate: 0, warmup_lr_rate: 0.5 } });
  expect(from.slice(0, 3)).toEqual([0.5, 0.75, 1]);
});

test("warmup_stable_decay is at the full rate until the decay steps that end the run", () => {
  const kwargs = { num_decay_steps: 4, decay_type: "linear" };
  expect(take("warmup_stable_decay", { warmupSteps: 2, kwargs })).toEqual([0, 0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0]);
});

test("inverse_sqrt is at half its rate three timescales after the warm-up", () => {
  expect(take("inverse_sqrt", { warmupSteps: 2 })[8]).toBe(0.5);
  expect(take("inverse_sqrt", { kwargs: { timescale: 1 } })[3]).toBe(0.5);
});

test.each<[ScheduleName, Partial<NamedScheduleOptions>, string]>([
  ["plateau" as "linear", {}, "one of linear, cosine, cosine_with_restarts, polynomial, constant, "],
  ["linear", { kwargs: { power: 2 } }, "settings of 'linear' (none) in 'lr_scheduler_kwargs' but received 'power'"],
  ["cosine", { kwargs: { cycles: 2 } }, "of 'cosine' (num_cycles) in 'lr_scheduler_kwargs' but received 'cycles'"],
  ["cosine", { kwargs: { num_cycles: "2" } }, "a number above 0 for 'num_cycles' in 'lr_scheduler_kwargs'"],
  ["cosine_with_min_lr", {}, "one of 'min_lr' and 'min_lr_rate' in 'lr_scheduler_kwargs' but received neither"],
  ["cosine_with_min_lr", { kwargs: { min_lr: 0, min_lr_rate: 0 } }, "but received both"],
  ["cosine_with_min_lr", { kwargs: { min_lr: 1e-3 } }, "a rate no higher than the learning rate, 0.0002, for 'min_lr'"],
  ["cosine_warmup_with_min_lr", { kwargs: { min_lr_rate: 2 } }, "a number from 0 to 1 for 'min_lr_rate'"],
  ["warmup_stable_decay", {}, "a number of steps from 0 for 'num_decay_steps'"],
  ["warmup_stable_decay", { kwargs: { num_decay_steps: 1.5 } }, "for 'num_decay_steps' in 'lr_scheduler_kwargs'"],
  ["warmup_stable_decay", { warmupSteps: 3, kwargs: { num_decay_steps: 6 } }, "at most 5, the number of steps after the"],
  ["warmup_stable_decay", { kwargs: { num_decay_steps: 1, decay_type: "sqrt" } }, "one of linear, cosine, 1-sqrt"],
])("%s with %j is refused", (name, more, message) => {
  expect(() => getSchedule(name, { ...options, ...more })).toThrow(message);
  expect(() => getSchedule(name, { ...options, ...more })).toThrow(expect.objectContaining({ name: "InputError" }));
});

test.each([
  [{ totalSteps: 8 }, "'baseLr', which 'lr_end' needs, but received undefined"],
  [{ totalSteps: Number.NaN, baseLr: 1 }, "'totalSteps' but received NaN"],
  [{ totalSteps: 8, warmup: 2 } as never, "but received 'warmup'"],
])("options that do not do are refused (%#)", (wrong, message) => {
  expect(() => getSchedule("polynomial", wrong)).toThrow(message);
});
