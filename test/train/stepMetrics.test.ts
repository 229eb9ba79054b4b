import { expect, test, vi } from "vitest";
import { StepMetrics, joinTotals, means } from "../../src/train/stepMetrics";
import { Tensor, memory, tensor, tidy } from "../../src/torch";

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
  expect(steps.map((step) => step.read()["loss"])).toEqual([{ sum: 4, count: 8 }, { sum: 2, count: 4 }, { sum: 6, count: 2 }]);
  StepMetrics.readAll(steps);
  expect(read).toHaveBeenCalledTimes(1);
  read.mockRestore();
  expect(memory().tensors).toBe(before);
});

test("steps of different sizes add up to a mean over pairs", () => {
  const totals = [measured(1, 4), measured(6, 2)].map((step) => step.read());
  expect(means(joinTotals(totals[0]!, totals[1]!))).toEqual({ loss: 7 / 6, grad_norm: 2 });
});
