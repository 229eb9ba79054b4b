/**
 * The paper's effect from nothing: a small model is trained on worked arithmetic (or a user's rows), then from that one
 * checkpoint DPO, DPOP and, as the control, SFT; all four are measured on the same pairs and held-out problems.
 *
 * One thread, because a model this small gains nothing from a second; the same seed gives the same numbers bit for bit.
 */

import { packageVersion } from "../base/package";
import type { PlainRow } from "../data/rows/preferences";
import type { RejectedRow } from "../data/rows/screening";
import type { LossConfig } from "../preference";
import { completionOf } from "../preference/difference";
import { sumOf } from "../preference/packed/step";
import { versions } from "../torch";
import { inShort, type ModelMeasurements, toMethodResult } from "./measure";
import { type Preset, presets } from "./settings";
import {
  byMethod,
  type ExperimentResult,
  METHOD_NAMES,
  METHODS,
  type Method,
  type SampleAnswer,
  type SampleScores,
} from "./summary";
import { arithmeticTask, type PaperTask, rowsTask } from "./task";
import { countWeights, modelConfig, SmallBench, trainReference, withOneThread } from "./training";

/** Shows how far a phase has come. */
export interface PhaseProgress {
  update(done: number, details: string): void;
  finish(details: string): void;
}

/** Starts a phase; `total` is its number of steps when that is known. */
export type StartPhase = (label: string, total?: number) => PhaseProgress;

export interface ExperimentOptions {
  readonly seed: number;
  readonly preset: Preset;
  /** The user's rows instead of generated problems, and the name of their file. */
  readonly data?: { readonly name: string; readonly rows: readonly PlainRow[] };
  readonly startPhase: StartPhase;
  /** Told before training about rows that cannot be trained on. */
  readonly onRejectedRows?: (refused: readonly RejectedRow[]) => void;
}

/**
 * Runs the experiment.
 *
 * @throws InputError when the rows cannot be used
 */
export function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  return withOneThread(() => run(options));
}

async function run({ seed, preset, data, startPhase, onRejectedRows }: ExperimentOptions): Promise<ExperimentResult> {
  const start = performance.now();
  const settings = presets[preset];
  const task = data ? rowsTask(data.rows, data.name, seed, settings.task) : arithmeticTask(seed, settings.task);
  if (task.refused.length > 0) onRejectedRows?.(task.refused);
  const { vocabulary, examples, pairs, heldOut } = task;

  const sftPhase = startPhase("reference");
  const { model: reference, outcome } = await trainReference({
    config: modelConfig(settings.model, vocabulary.size),
    seed,
    examples,
    settings,
    onStep: (step, loss) => sftPhase.update(step, `loss ${loss.toFixed(3)}, goal ${settings.sft.goalLoss}`),
  });
  try {
    using bench = await SmallBench.of(task, reference, settings, seed);
    const ofReference = await bench.measureReference();
    sftPhase.finish(`${outcome.steps} steps  loss ${outcome.loss.toFixed(3)}  ${inShort(ofReference)}`);

    const { steps, beta, lambda } = settings.preference;
    const train = async (method: Method, loss: LossConfig): Promise<ModelMeasurements> => {
      const phase = startPhase(METHOD_NAMES[method], steps);
      const output = await bench.train(loss, (step, value) => phase.update(step, `loss ${value.toFixed(3)}`));
      phase.finish(`${steps} steps  ${inShort(output)}`);
      return output;
    };
    const outputs: Record<Method, ModelMeasurements> = {
      reference: ofReference,
      sft: await train("sft", { lossType: "sft" }),
      dpo: await train("dpo", { lossType: "sigmoid", beta }),
      dpop: await train("dpop", { lossType: "dpop", beta, dpopLambda: lambda }),
    };
    return {
      seed,
      preset,
      data: data?.name ?? null,
      versions: { smaug: packageVersion(), node: process.versions.node, libtorch: versions().compiled },
      seconds: (performance.now() - start) / 1000,
      settings,
      counts: {
        vocabulary: vocabulary.size,
        weights: countWeights(reference),
        examples: examples.length,
        pairs: pairs.length,
        heldOut: heldOut.length,
        refused: task.refused.length,
      },
      editDistance: task.editDistance,
      reference: outcome,
      methods: byMethod((method) => toMethodResult(outputs[method], pairs)),
      samples: pickSamples(task, outputs),
      answers: pickAnswers(task, outputs),
    };
  } finally {
    reference.dispose();
  }
}

/** The pairs whose chosen answer DPO changed most for the worse, in the middle, and most for the better. */
function pickSamples({ pairs, vocabulary }: PaperTask, outputs: Record<Method, ModelMeasurements>): SampleScores[] {
  const change = (i: number) => sumOf(outputs.dpo.scores[i]!.chosen) - sumOf(outputs.reference.scores[i]!.chosen);
  const ranked = pairs.map((pair, i) => ({ pair, i, change: change(i) })).sort((a, b) => a.change - b.change);
  const ranks = { Lowest: 0, Median: Math.floor(ranked.length / 2), Highest: ranked.length - 1 };
  return Object.entries(ranks).map(([name, rank]) => {
    const { pair, i, change } = ranked[rank]!;
    const { chosen, rejected, difference } = pair;
    return {
      title: `${name} change of the chosen answer under DPO: ${change < 0 ? "" : "+"}${change.toFixed(2)} nats`,
      prompt: vocabulary.decode(chosen.ids.subarray(0, chosen.start)),
      chosen: Array.from(completionOf(chosen), (id) => vocabulary.piece(id)),
      rejected: Array.from(completionOf(rejected), (id) => vocabulary.piece(id)),
      difference,
      logps: byMethod((method) => outputs[method].scores[i]!.chosen),
    };
  });
}

/** The first held-out problems on which the models do not all come to the same verdict. */
function pickAnswers({ heldOut }: PaperTask, outputs: Record<Method, ModelMeasurements>): SampleAnswer[] {
  const verdicts = (i: number) => new Set(METHODS.map((method) => outputs[method].answers[i]!.correct));
  return heldOut
    .map(({ prompt, answer }, i) => ({ prompt, answer, i }))
    .filter(({ i }) => verdicts(i).size > 1)
    .slice(0, 3)
    .map(({ prompt, answer, i }) => {
      return { prompt, expected: answer, answers: byMethod((method) => outputs[method].answers[i]!) };
    });
}
