/**
 * The stage the paper is about: from one reference, a few steps of a preference loss, or of SFT on the same chosen
 * answers. All weights train; each loss sees the same pairs in the same order.
 */

import { Random } from "../base/random";
import type { CausalLM } from "../models";
import { linearSchedule } from "../optim";
import { type LossConfig, collate, createLoss, sequenceLogProbs } from "../preference";
import { type Tensor, tensor } from "../torch";
import { type CurvePoint, type PairScores, curvePoint, sum } from "./measure";
import { deviceOf } from "./model";
import { scorePairs } from "./scoring";
import type { Settings } from "./settings";
import { sftLoss } from "./sft";
import type { Pair } from "./task";
import { Trainer, batchIndices } from "./training";

interface Phase {
  /** `sft` takes the chosen answers alone; the rejected ones are then not run. */
  readonly loss: LossConfig;
  readonly pairs: readonly Pair[];
  /** Of the pairs, in their order. */
  readonly referenceScores: readonly PairScores[];
  readonly settings: Pick<Settings, "preference" | "optimizer">;
  readonly seed: number;
  readonly onStep: (step: number, loss: number) => void;
}

/** Trains a copy of the reference in place and returns its curve over the steps. */
export function trainPreference(model: CausalLM, phase: Phase): CurvePoint[] {
  const {
    pairs,
    settings: { preference, optimizer },
  } = phase;
  using trainer = new Trainer(model, preference.learningRate, optimizer);
  const batches = batchIndices(pairs.length, preference.batchSize, new Random(phase.seed, "preference batches"));
  const schedule = linearSchedule({ warmupSteps: preference.warmupSteps, totalSteps: preference.steps });
  const computeLoss = lossOf(model, phase);

  const curve = [curvePoint(0, phase.referenceScores.slice(0, preference.curvePairs))];
  for (let step = 1; step <= preference.steps; step++) {
    const batch = batches.next().value;
    phase.onStep(
      step,
      trainer.step(schedule(step - 1), () => computeLoss(batch)),
    );
    if (step % preference.curveEvery === 0 || step === preference.steps) {
      curve.push(curvePoint(step, scorePairs(model, pairs.slice(0, preference.curvePairs))));
    }
  }
  return curve;
}

/** The loss of a batch, given as indices of pairs: a scalar. */
function lossOf(model: CausalLM, phase: Phase): (batch: readonly number[]) => Tensor {
  const { pairs, referenceScores } = phase;
  const rows = (batch: readonly number[], side: "chosen" | "rejected") =>
    batch.map((i) => ({ prompt: pairs[i]!.prompt, completion: pairs[i]![side] }));
  if (phase.loss.lossType === "sft") return (batch) => sftLoss(model, rows(batch, "chosen"));

  const loss = createLoss(phase.loss);
  const device = deviceOf(model);
  const lengths = (batch: readonly number[], side: "chosen" | "rejected") =>
    tensor(
      batch.map((i) => pairs[i]![side].length),
      { device },
    );
  const reference = referenceScores.map(({ chosen, rejected }) => ({ chosen: sum(chosen), rejected: sum(rejected) }));
  return (batch) => {
    // The chosen rows, then the rejected ones: [2 * pairs].
    const sums = sequenceLogProbs(model, collate([...rows(batch, "chosen"), ...rows(batch, "rejected")], device));
    return loss({
      policyChosen: sums.narrow(0, 0, batch.length),
      policyRejected: sums.narrow(0, batch.length, batch.length),
      referenceChosen: tensor(
        batch.map((i) => reference[i]!.chosen),
        { device },
      ),
      referenceRejected: tensor(
        batch.map((i) => reference[i]!.rejected),
        { device },
      ),
      chosenTokens: lengths(batch, "chosen"),
      rejectedTokens: lengths(batch, "rejected"),
    }).mean();
  };
}
