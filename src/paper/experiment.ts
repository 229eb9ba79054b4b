/**
 * The paper's effect from nothing: a small model is trained on worked arithmetic (or a user's rows), then from that one
 * checkpoint DPO, DPOP and, as the control, SFT; all four are measured on the same pairs and held-out problems.
 *
 * One thread, because a model this small gains nothing from a second; the same seed gives the same numbers bit for bit.
 */

import type { PlainRow } from "../data/rows/preferences";
import type { Refusal } from "../data/rows/screening";
import type { CausalLM } from "../models";
import { packageVersion } from "../native/paths";
import type { LossConfig } from "../preference";
import { versions } from "../torch";
import { curvePoint } from "./measure";
import { type Measured, inShort, toMethodResult } from "./methodResult";
import { copyModel, countWeights, createModel, modelConfig } from "./model";
import { trainPreference } from "./preferencePhase";
import { type ExperimentResult, METHOD_NAMES, type Method, byMethod } from "./result";
import { pickAnswers, pickSamples } from "./samples";
import { answerQuestions, scorePairs } from "./scoring";
import { type Preset, presets } from "./settings";
import { trainReference } from "./sft";
import { arithmeticTask, longestAnswer, rowsTask } from "./task";
import { withOneThread } from "./training";

/** Shows how far a phase has come. */
export interface PhaseProgress {
  update(done: number, details: string): void;
  finish(details: string): void;
}

export interface ExperimentOptions {
  readonly seed: number;
  readonly preset: Preset;
  /** The user's rows instead of generated problems, and the name of their file. */
  readonly data?: { readonly name: string; readonly rows: readonly PlainRow[] };
  /** Starts a phase; `total` is its number of steps when that is known. */
  readonly startPhase: (label: string, total?: number) => PhaseProgress;
  /** Told before training about rows that cannot be trained on. */
  readonly onRefusals?: (refused: readonly Refusal[]) => void;
}

type Trained = Exclude<Method, "reference">;

/**
 * Runs the experiment.
 *
 * @throws InputError when the rows cannot be used
 */
export function runExperiment(options: ExperimentOptions): ExperimentResult {
  return withOneThread(() => run(options));
}

function run({ seed, preset, data, startPhase, onRefusals }: ExperimentOptions): ExperimentResult {
  const start = performance.now();
  const settings = presets[preset];
  const task = data ? rowsTask(data.rows, data.name, seed, settings.task) : arithmeticTask(seed, settings.task);
  if (task.refused.length > 0) onRefusals?.(task.refused);
  const { vocabulary, examples, pairs, heldOut } = task;
  const maxNewTokens = longestAnswer(task) + 1;
  const ask = (model: CausalLM) => answerQuestions(model, heldOut, vocabulary, maxNewTokens);

  const config = modelConfig(settings.model, vocabulary.size);
  using reference = createModel(config, seed);
  const sftPhase = startPhase("reference");
  const sft = trainReference(reference, examples, settings, seed, (step, loss) =>
    sftPhase.update(step, `loss ${loss.toFixed(3)}, goal ${settings.sft.goalLoss}`),
  );
  const referenceScores = scorePairs(reference, pairs);
  const atStart = curvePoint(0, referenceScores.slice(0, settings.preference.curvePairs));
  const ofReference = { scores: referenceScores, answers: ask(reference), curve: [atStart] };
  sftPhase.finish(`${sft.steps} steps  loss ${sft.loss.toFixed(3)}  ${inShort(ofReference)}`);

  const { beta, lambda, tolerance } = settings.preference;
  const losses: Record<Trained, LossConfig> = {
    sft: { lossType: "sft" },
    dpo: { lossType: "sigmoid", beta },
    dpop: { lossType: "dpop", beta, dpopLambda: lambda, dpopTolerance: tolerance },
  };
  const train = (method: Trained): Measured => {
    using model = copyModel(config, reference);
    const phase = startPhase(METHOD_NAMES[method], settings.preference.steps);
    const onStep = (step: number, loss: number) => phase.update(step, `loss ${loss.toFixed(3)}`);
    const curve = trainPreference(model, { loss: losses[method], pairs, referenceScores, settings, seed, onStep });
    const measured = { scores: scorePairs(model, pairs), answers: ask(model), curve };
    phase.finish(`${settings.preference.steps} steps  ${inShort(measured)}`);
    return measured;
  };
  const measured = { reference: ofReference, sft: train("sft"), dpo: train("dpo"), dpop: train("dpop") };

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
    reference: sft,
    methods: byMethod((method) => toMethodResult(measured[method], pairs)),
    samples: pickSamples(task, measured),
    answers: pickAnswers(task, measured),
  };
}
