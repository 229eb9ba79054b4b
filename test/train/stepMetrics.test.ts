import { describe, expect, test, vi } from "vitest";
import { sigmoid } from "../../src/preference";
import { memory, Tensor, tensor, tidy, zeros } from "../../src/torch";
import { joinTotals, means, StepMetrics } from "../../src/train/metrics/stepMetrics";

function measured(loss: number, pairs: number): StepMetrics {
  const metrics = new StepMetrics();
  tidy(() => {
    metrics.add("loss", tensor(loss), pairs);
    metrics.add("grad_norm", tensor(2), 1);
  });
  return metrics;
}

test("the metrics of many steps come from the device in one read, and leave nothing there", () => {
  const before = memory().tensors;
  const steps = [measured(1, 4), measured(2, 4), measured(6, 2)];
  tidy(() => steps[0]!.add("loss", tensor(3), 4)); // a second micro-batch
  const read = vi.spyOn(Tensor.prototype, "toArray");
  StepMetrics.readAll(steps);
  expect(steps.map((step) => step.read()["loss"])).toEqual([
    { sum: 4, count: 8 },
    { sum: 2, count: 4 },
    { sum: 6, count: 2 },
  ]);
  StepMetrics.readAll(steps);
  expect(read).toHaveBeenCalledTimes(1);
  read.mockRestore();
  expect(memory().tensors).toBe(before);
});

test("steps of different sizes add up to a mean over pairs", () => {
  const totals = [measured(1, 4), measured(6, 2)].map((step) => step.read());
  expect(means(joinTotals(totals[0]!, totals[1]!))).toEqual({ loss: 7 / 6, grad_norm: 2 });
});

describe("the spread of the chosen answers' rewards", () => {
  /** A micro-batch of pairs with chosen answers the given nats above the reference; β is 1. */
  const add = (metrics: StepMetrics, nats: readonly number[]) =>
    tidy(() => {
      const none = zeros([nats.length]);
      const logProbs = { policyChosen: tensor([...nats]), policyRejected: none, referenceChosen: none, referenceRejected: none };
      metrics.addPairs(sigmoid({ beta: 1 }), none, logProbs);
    });
  const spreadOf = (totals: ReturnType<StepMetrics["read"]>) => {
    const { "rewards/chosen": mean, "rewards/chosen_std": std, "rewards/chosen_pairs": pairs } = means(totals);
    return { mean, std, pairs };
  };

  test("is the sample's, however pairs are split into batches and steps", () => {
    const [one, two] = [new StepMetrics(), new StepMetrics()];
    add(one, [1, 2]);
    add(one, [4]);
    expect(one.names).toEqual(expect.arrayContaining(["rewards/chosen", "rewards/chosen_std", "rewards/chosen_pairs"]));
    // By hand: 1, 2, 4 are 4/3, 1/3, 5/3 from 7/3; the squares add up to 42/9, over n - 1 = 2.
    expect(spreadOf(one.read())).toEqual({ mean: 7 / 3, std: expect.closeTo(Math.sqrt(42 / 18), 12), pairs: 3 });
    add(two, [-7]);
    // 1, 2, 4, -7 around 0: 1 + 4 + 16 + 49 = 70, over 3.
    expect(spreadOf(joinTotals(one.read(), two.read()))).toEqual({
      mean: 0,
      std: expect.closeTo(Math.sqrt(70 / 3), 12),
      pairs: 4,
    });
  });

  test("of a single pair is not defined", () => {
    const metrics = new StepMetrics();
    add(metrics, [3]);
    expect(metrics.names).not.toContain("rewards/chosen_std");
    expect(spreadOf(metrics.read())).toEqual({ mean: 3, std: undefined, pairs: 1 });
  });

  test("is left out of a line that started before it was measured", () => {
    const metrics = new StepMetrics();
    add(metrics, [3, 5]);
    const older = { "rewards/chosen": { sum: 8, count: 2 } };
    expect(means(joinTotals(older, metrics.read()))).toMatchObject({ "rewards/chosen": 4 });
    expect(means(joinTotals(older, metrics.read()))).not.toHaveProperty("rewards/chosen_std");
  });
});
