/** AdamW, clipping and schedules against PyTorch and transformers (scripts/parity/optim.py). */
import { describe, expect, test } from "vitest";
import { parameter } from "../../src/nn";
import {
  AdamW,
  type AdamWStateDict,
  clipGradNorm_,
  getSchedule,
  type NamedScheduleOptions,
  type ScheduleName,
} from "../../src/optim";
import { type DType, type Tensor, tidy, zeros } from "../../src/torch";
import { expectClose, fixture, wave } from "./fixture";

const expected = fixture<{
  adamwFloat32: number[][][];
  adamwFloat64: number[][][];
  clip: { maxNorm: number; norm: number; grads: number[][] }[];
  schedules: (Required<NamedScheduleOptions> & { name: ScheduleName; rates: number[] })[];
}>("optim");

const shapes = [[3, 4], [4], [2, 2]];

function setUp(dtype: DType): { parameters: Tensor[]; optimizer: AdamW } {
  const parameters = shapes.map((shape, i) => parameter(wave(shape, 1, i, dtype)));
  const groups = [
    { params: parameters.slice(0, 2), weightDecay: 0.1 },
    { params: parameters.slice(2), weightDecay: 0, lr: 3e-3, betas: [0.8, 0.95] as const, eps: 1e-6 },
  ];
  return { parameters, optimizer: new AdamW(groups, { lr: 1e-2, betas: [0.9, 0.98] }) };
}

/** Step k of the fixture: the second parameter has no gradient in every third. */
function take(step: number, parameters: readonly Tensor[], optimizer: AdamW): void {
  tidy(() => {
    for (const [i, p] of parameters.entries())
      p.grad = i === 1 && step % 3 === 2 ? null : wave(p.shape, 1, 10 * step + i, p.dtype);
  });
  optimizer.step();
}

describe("AdamW", () => {
  test.each([
    { dtype: "float32" as const, path: expected.adamwFloat32, tolerance: 1e-6 },
    { dtype: "float64" as const, path: expected.adamwFloat64, tolerance: 1e-13 },
  ])("takes torch.optim.AdamW's 20 steps in $dtype", ({ dtype, path, tolerance }) => {
    const { parameters, optimizer } = setUp(dtype);
    expect(path).toHaveLength(20);
    for (const [step, after] of path.entries()) {
      take(step, parameters, optimizer);
      for (const [i, p] of parameters.entries()) expectClose(p, after[i]!, tolerance, `parameter ${i} after step ${step}`);
    }
  });

  test("goes on from a saved state bit for bit", () => {
    const whole = setUp("float32");
    const before = setUp("float32");
    for (let step = 0; step < 8; step++) take(step, before.parameters, before.optimizer);
    const saved = before.optimizer.stateDict();

    const after = setUp("float32");
    after.optimizer.groups[0]!.lr = 1; // the saved settings win
    tidy(() => after.parameters.forEach((p, i) => p.detach().copy_(before.parameters[i]!.detach())));
    after.optimizer.loadStateDict(saved);
    for (let step = 0; step < 20; step++) take(step, whole.parameters, whole.optimizer);
    for (let step = 8; step < 20; step++) take(step, after.parameters, after.optimizer);
    for (const [i, p] of whole.parameters.entries()) expect(after.parameters[i]!.toArray()).toEqual(p.toArray());
    expect(plain(after.optimizer.stateDict())).toEqual(plain(whole.optimizer.stateDict()));
  });

  const plain = ({ groups, state }: AdamWStateDict) => ({
    groups,
    state: Object.entries(state).map(([i, { step, expAvg, expAvgSq }]) => [i, step.item(), expAvg.toList(), expAvgSq.toList()]),
  });
});

test.each(expected.clip)("clipGradNorm_ matches PyTorch's, maxNorm $maxNorm", ({ maxNorm, norm, grads }) => {
  const parameters = shapes.map((shape) => parameter(zeros(shape)));
  tidy(() => parameters.forEach((p, i) => void (p.grad = wave(p.shape, 1, i))));
  expectClose(clipGradNorm_(parameters, maxNorm), [norm], 1e-6, "norm");
  for (const [i, p] of parameters.entries()) expectClose(p.grad!, grads[i]!, 1e-6, `gradient ${i}`);
});

test.each(expected.schedules)(
  "$name with $kwargs and $warmupSteps of $totalSteps steps of warm-up is transformers'",
  ({ name, rates, ...options }) => {
    const schedule = getSchedule(name, options);
    rates.forEach((rate, step) => expect(schedule(step) * options.baseLr).toBeCloseTo(rate, 14));
  },
);
