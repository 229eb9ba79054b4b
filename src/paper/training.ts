/** What the stages of the experiment share: one optimizer step, and the order of rows. */

import type { Random } from "../base/random";
import type { CausalLM } from "../models";
import { AdamW, clipGradNorm_ } from "../optim";
import { type Tensor, getNumThreads, setNumThreads, tidy } from "../torch";
import type { Settings } from "./settings";

/** An optimizer over all weights of a model, with gradient clipping. */
export class Trainer {
  private readonly optimizer: AdamW;

  constructor(
    private readonly model: CausalLM,
    lr: number,
    private readonly settings: Settings["optimizer"],
  ) {
    const { betas, weightDecay } = settings;
    this.optimizer = new AdamW(model.parameters(), { lr, betas, weightDecay });
  }

  /**
   * One step down the gradient of a scalar loss.
   *
   * @param lrFactor the schedule's value
   * @returns the loss before the step
   * @throws when the loss or its gradient is not finite; the weights are then those of the step before
   */
  step(lrFactor: number, computeLoss: () => Tensor): number {
    return tidy(() => {
      const loss = computeLoss();
      const value = loss.item() as number;
      expectFinite("loss", value);
      loss.backward();
      expectFinite("gradient norm", clipGradNorm_(this.model.parameters(), this.settings.maxGradNorm).item() as number);
      this.optimizer.step(lrFactor);
      this.optimizer.zeroGrad();
      return value;
    });
  }

  dispose(): void {
    this.optimizer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Runs synchronous work on one thread: a model this small gains nothing from a second. */
export function withOneThread<T>(work: () => T): T {
  const threads = getNumThreads();
  setNumThreads(1);
  try {
    return work();
  } finally {
    setNumThreads(threads);
  }
}

function expectFinite(name: string, value: number): void {
  if (!Number.isFinite(value)) throw new Error(`Expected a finite ${name} but received ${value}; try another seed`);
}

/** Endless batches of indices below `count`: every index once in random order, then again in another order. */
export function* batchIndices(count: number, batchSize: number, random: Random): Generator<number[], never> {
  const all = Array.from({ length: count }, (_, i) => i);
  let queue: number[] = [];
  for (;;) {
    while (queue.length < batchSize) queue.push(...random.shuffled(all));
    yield queue.slice(0, batchSize);
    queue = queue.slice(batchSize);
  }
}
