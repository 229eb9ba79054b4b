/**
 * Supervised fine-tuning from random weights, which makes the reference. It stops by loss and not by a count of steps:
 * how long the model takes to see the pattern varies with the seed, and the paper's effect needs a reference that is
 * mostly right but still unsure.
 */

import { Random } from "../base/random";
import type { CausalLM } from "../models";
import { constantSchedule, linearSchedule } from "../optim";
import { collate, sequenceLogProbs } from "../preference";
import type { Tensor } from "../torch";
import { mean } from "./measure";
import { deviceOf } from "./model";
import type { Settings } from "./settings";
import type { Example } from "./task";
import { Trainer, batchIndices } from "./training";

export interface SftOutcome {
  readonly steps: number;
  /** Mean loss of the last steps, in nats a token. */
  readonly loss: number;
  /** Whether the goal was met before the limit of steps. */
  readonly reachedGoal: boolean;
}

/** Mean negative log-prob of the answers' tokens, a scalar. */
export function sftLoss(model: CausalLM, examples: readonly Example[]): Tensor {
  const tokens = examples.reduce((total, { completion }) => total + completion.length, 0);
  return sequenceLogProbs(model, collate(examples, deviceOf(model)))
    .sum()
    .neg()
    .div(tokens);
}

/**
 * Trains at a constant rate until the mean of the last losses is below the goal (or the limit of steps), then with the
 * rate falling linearly to 0.
 */
export function trainReference(
  model: CausalLM,
  examples: readonly Example[],
  { sft, optimizer }: Pick<Settings, "sft" | "optimizer">,
  seed: number,
  onStep: (step: number, meanLoss: number) => void,
): SftOutcome {
  using trainer = new Trainer(model, sft.learningRate, optimizer);
  const batches = batchIndices(examples.length, sft.batchSize, new Random(seed, "sft batches"));
  const losses: number[] = [];
  const meanLoss = () => mean(losses.slice(-sft.goalWindow));
  const step = (lrFactor: number) => {
    const batch = batches.next().value.map((i) => examples[i]!);
    losses.push(trainer.step(lrFactor, () => sftLoss(model, batch)));
    onStep(losses.length, meanLoss());
  };
  const metGoal = () => losses.length >= sft.goalWindow && meanLoss() < sft.goalLoss;

  const constant = constantSchedule({ warmupSteps: sft.warmupSteps });
  while (!metGoal() && losses.length < sft.maxSteps) step(constant(losses.length));
  const reachedGoal = metGoal();
  const decay = linearSchedule({ totalSteps: sft.decaySteps });
  for (let k = 0; k < sft.decaySteps; k++) step(decay(k));
  return { reachedGoal, steps: losses.length, loss: meanLoss() };
}
