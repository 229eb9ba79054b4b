/** The reference of a run before its first step: its values, the model's distance from it, and the tolerance for rounding. */
import type { TokenizedPair } from "../../data/tokenize/tokenizedPair";
import type { CausalLM } from "../../models";
import { hasAdapter } from "../../nn";
import {
  answerLogProbs,
  lossNeeds,
  microBatches,
  type PreferenceLoss,
  packOptionsOf,
  scorePairs,
  upload,
} from "../../preference";
import { sumOf } from "../../preference/packed/step";
import { tidy } from "../../torch";
import type { TrainingArguments } from "../arguments";
import type { MemoryPlan } from "../memory";
import { REFERENCE_ADAPTER, type ReferenceValues, referencePass } from "../reference";
import type { Sampler } from "../schedule";
import type { TrainableModel } from "./model";
import { longestCompletion, type RunRows } from "./rows";

/** The check of the start looks at this many pairs or, if there are fewer, at all. */
const CHECKED_PAIRS = 64;
/** |ρ| at the start, in nats, above which the reference cannot be the model that is trained. Rounding stays below. */
const START_LIMIT = 3e-3;
/** The same for 16-bit models, times √(tokens of the longest answer). */
const START_LIMIT_16_BIT = 0.1;
/** The least tolerance that `auto` chooses, in nats. */
const LEAST_TOLERANCE = 1e-6;

/** The reference of a run. */
export interface RunReference {
  readonly reference: ReferenceValues;
  /** Number of pairs whose reference was computed now. */
  readonly referenceComputed: number;
  /** Absent for a loss without a reference, and for a resumed run. */
  readonly start: StartCheck | undefined;
  /** Whether the reference is the model at its start; otherwise it is another adapter. */
  readonly startIsReference: boolean;
}

/** How far the model is from the reference before the first step: ρ, the log-ratio of an answer, in nats. */
export interface StartCheck {
  readonly pairs: number;
  /** Largest |ρ| of either answer. */
  readonly maxAbs: number;
  /** 99th percentile of the chosen answers' |ρ|. */
  readonly chosenP99: number;
}

/** What the reference is computed from. */
export interface ReferenceInputs extends TrainableModel, RunRows {
  readonly settings: TrainingArguments;
  readonly loss: PreferenceLoss;
  readonly sampler: Sampler;
  readonly plan: MemoryPlan;
}

/** Callbacks for progress and warnings, and the check for a stop. */
export interface PreparationHooks {
  onReference(done: number, total: number): void;
  onWarning(message: string): void;
  /** Checked between batches of the reference pass. */
  isStopped(): boolean;
}

/** The user stopped a run before its first step. The reference values computed so far are kept. */
export class InterruptedError extends Error {
  override name = "InterruptedError";

  constructor() {
    super("Stopped before the first step; the reference values computed so far are kept");
  }
}

/**
 * Computes the reference values that are not in the cache and, unless the run is resumed, checks that training starts at
 * the reference.
 *
 * @throws InterruptedError
 * @throws Error if the model is its own reference and yet differs from it
 */
export async function prepareReference(
  inputs: ReferenceInputs,
  hooks: PreparationHooks,
  { isResumed }: { isResumed: boolean },
): Promise<RunReference> {
  const { model, settings, loss, train, evaluation, plan } = inputs;
  const startIsReference = !hasAdapter(model, REFERENCE_ADAPTER);
  if (!lossNeeds(loss, "reference")) return { reference: new Map(), referenceComputed: 0, start: undefined, startIsReference };
  const { values, computed } = await referencePass(model, [...train, ...evaluation], {
    maxTokens: plan.maxTokens,
    cacheFolder: settings.referenceCache,
    onProgress: hooks.onReference,
    onWarning: hooks.onWarning,
    checkInterrupted: () => {
      if (hooks.isStopped()) throw new InterruptedError();
    },
  });
  const start = isResumed ? undefined : checkStart(inputs, values);
  if (start && startIsReference) expectStartIsReference(start, loss, model, longestCompletion(train));
  return { reference: values, referenceComputed: computed, start, startIsReference };
}

/** Runs the pairs of the first steps through the model in the batches of training, and compares with the reference. */
function checkStart({ model, plan, sampler, train }: ReferenceInputs, reference: ReferenceValues): StartCheck {
  const steps: TokenizedPair[][] = [];
  for (let step = 0, pairs = 0; step < sampler.stepsPerEpoch && pairs < CHECKED_PAIRS; step++) {
    steps.push(sampler.rowsOf(step).map((row) => train[row]!));
    pairs += steps[step]!.length;
  }
  const limits = { maxTokens: plan.maxTokens, ...packOptionsOf(model) };
  const chosen: number[] = [];
  let maxAbs = 0;
  for (const packing of steps.flatMap((pairs) => microBatches(pairs, limits))) {
    const scored = tidy(() => {
      const batch = upload(packing, model.device);
      return answerLogProbs(batch, scorePairs(model, batch).logProbs);
    });
    for (const [i, pair] of packing.pairs.entries()) {
      const values = reference.get(pair)!;
      const rho = (side: "chosen" | "rejected") => Math.abs(sumOf(scored[i]![side]) - sumOf(values[side]));
      chosen.push(rho("chosen"));
      maxAbs = Math.max(maxAbs, rho("chosen"), rho("rejected"));
    }
  }
  chosen.sort((a, b) => a - b);
  return { pairs: chosen.length, maxAbs, chosenP99: chosen[Math.ceil(0.99 * chosen.length) - 1]! };
}

function expectStartIsReference(
  { maxAbs, pairs }: StartCheck,
  loss: PreferenceLoss,
  model: CausalLM,
  longestAnswer: number,
): void {
  const is16Bit = ["bfloat16", "float16"].includes(model.dtype);
  const limit = is16Bit ? START_LIMIT_16_BIT * Math.sqrt(longestAnswer) : START_LIMIT;
  if (maxAbs <= limit) return;
  throw new Error(
    `Expected |ρ| of about 0 before the first step, as the model is its own reference, but received ${maxAbs.toPrecision(3)} ` +
      `nats (limit ${limit.toPrecision(2)}, ${pairs} pairs, |β ρ| ${((loss.beta ?? 1) * maxAbs).toPrecision(3)}). The cached ` +
      "reference is not this model's: please report it, and train with another reference_cache meanwhile",
  );
}

/** The warning that the reference is another adapter than the one the run starts from, if so. */
export function startWarnings({ start, startIsReference }: RunReference): string[] {
  if (!start || startIsReference) return [];
  return [
    `the start is not the reference: before the first step the answers differ from it by up to ` +
      `${start.maxAbs.toPrecision(2)} nats. That is as ref_adapter_name_or_path asks; rewards begin there`,
  ];
}

/**
 * DPOP's tolerance in nats; null for a loss without one. `auto` is twice the 99th percentile of |ρ|, which is rounding
 * noise, where the start is the reference, and 0 elsewhere.
 */
export function chooseTolerance(
  setting: number | "auto",
  loss: PreferenceLoss,
  { start, startIsReference }: RunReference,
): number | null {
  if (!loss.withTolerance) return null;
  if (setting !== "auto") return setting;
  return start && startIsReference ? Math.max(LEAST_TOLERANCE, 2 * start.chosenP99) : 0;
}
