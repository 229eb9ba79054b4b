/**
 * The same preference pairs under a reference and under what training runs made of it, token by token, with CHES scores
 * (Razin et al., arXiv 2410.08847) under the reference. A run is an adapter of the reference, or a model of its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { type CausalLM, FolderError, type LoadOptions, loadAdapter, loadModel } from "../models";
import { readAdapterJson } from "../models/modelSource";
import { InputError } from "../base/errors";
import { withAdapter } from "../nn";
import {
  type AnswerLogProbs,
  type PackedBatch,
  answerLogProbs,
  microBatches,
  packOptionsOf,
  scorePairs,
  upload,
} from "../preference";
import { predictingRows } from "../preference/packed/body";
import { scoreTokens } from "../preference/packed/tokenScores";
import type { Ches, Measurement } from "../report/diagnosis";
import { type Tensor, fromTypedArray, noGrad, tidy } from "../torch";

/** What a run left: an adapter, which is now on the reference, or a model. */
export interface TrainedRun {
  readonly name: string;
  /** The reference itself where the run is an adapter of it. */
  readonly model: CausalLM;
  /** What the adapter is called on it. */
  readonly adapter: string | undefined;
}

/**
 * The model that all of these runs started from, by what their adapters say.
 *
 * @throws InputError when a run holds no adapter, its adapter names no model, or the runs name several
 */
export function baseOf(folders: readonly string[]): string {
  const bases = folders.map((folder) => {
    const base = isAdapterFolder(folder) ? readAdapterJson(folder)["base_model_name_or_path"] : undefined;
    if (typeof base === "string" && base !== "") return base;
    throw new InputError(`Expected the name of its base model in '${folder}' but found none; name the reference with --model`);
  });
  const different = bases.findIndex((base) => base !== bases[0]);
  if (different < 0) return bases[0]!;
  throw new InputError(
    `Expected runs of one base model but '${folders[0]}' was made from ${bases[0]} and '${folders[different]}' from ` +
      `${bases[different]}; report them apart, or name the reference with --model if the two are the same`,
  );
}

/** Whether a run's folder holds an adapter or a model. @throws InputError when it holds neither */
export function isAdapterFolder(folder: string): boolean {
  if (existsSync(join(folder, "adapter_config.json"))) return true;
  if (existsSync(join(folder, "config.json"))) return false;
  throw new InputError(
    `Expected a trained model in '${folder}', adapter_config.json or config.json, but found neither; ` +
      "the run has not saved one, or only in its checkpoints: name one of those",
  );
}

/**
 * Loads what the runs left. What is not the reference's adapter is the caller's to dispose of.
 *
 * @throws InputError when a run holds no model, or one that was made from another
 */
export async function openRuns(
  reference: CausalLM,
  runs: readonly { readonly folder: string; readonly name: string }[],
  options: Pick<LoadOptions, "device" | "dtype"> = {},
): Promise<TrainedRun[]> {
  const opened: TrainedRun[] = [];
  try {
    for (const { folder, name } of runs) {
      if (isAdapterFolder(folder)) {
        const adapter = `run-${opened.length}`;
        await loadAdapter(reference, folder, { name: adapter });
        opened.push({ name, model: reference, adapter });
      } else {
        const model = await loadModel(folder, options);
        opened.push({ name, model, adapter: undefined });
        expectSameShape(model, reference, folder);
      }
    }
  } catch (error) {
    closeRuns(opened);
    throw error;
  }
  return opened;
}

export function closeRuns(runs: readonly TrainedRun[]): void {
  for (const { model, adapter } of runs) if (adapter === undefined) model.dispose();
}

function expectSameShape(model: CausalLM, reference: CausalLM, folder: string): void {
  for (const key of ["vocabSize", "hiddenSize"] as const)
    if (model.config[key] !== reference.config[key])
      throw new FolderError(
        `Expected a model made from ${reference.folder} in ${folder} but its ${key} is ${model.config[key]}, ` +
          `not ${reference.config[key]}; name its own base with --model`,
      );
}

export interface MeasureOptions {
  /** Tokens of a batch. Default: 2048 on the CPU, 16384 elsewhere. */
  maxTokens?: number;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Scores pairs under the reference and each run. The reference is used as it is, without the runs' adapters.
 *
 * @throws Error when a log-prob is no number, as weights with NaN give
 */
export async function measureRuns(
  reference: CausalLM,
  runs: readonly TrainedRun[],
  pairs: readonly TokenizedPair[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  const { device } = reference;
  const { maxTokens = device === "cpu" ? 2048 : 16384, onProgress } = options;
  const place = new Map(pairs.map((pair, i) => [pair, i]));
  const ches: Ches[] = [];
  const models: AnswerLogProbs[][] = [[], ...runs.map(() => [])];
  let done = 0;
  for (const packing of microBatches(pairs, { maxTokens, ...packOptionsOf(reference) })) {
    const at = packing.pairs.map((pair) => place.get(pair)!);
    tidy(() => {
      const batch = upload(packing, device);
      const rows = predictingRows(reference, batch); // [scored, hiddenSize]
      chesScores(batch, rows).forEach((score, i) => (ches[at[i]!] = score));
      const logProbs = [
        scoreTokens(reference, rows, batch.targets).logProbs,
        ...runs.map(({ model, adapter }) => {
          const score = () => scorePairs(model, batch).logProbs;
          return adapter === undefined ? score() : withAdapter(model, adapter, score);
        }),
      ];
      logProbs.forEach((each, model) =>
        answerLogProbs(batch, each).forEach((answers, i) => {
          expectNumbers(answers, packing.pairs[i]!, model === 0 ? "the reference" : runs[model - 1]!.name);
          models[model]![at[i]!] = answers;
        }),
      );
    });
    onProgress?.((done += packing.pairs.length), pairs.length);
    await setImmediate();
  }
  const [ofReference, ...ofRuns] = models;
  return { pairs, ches, reference: ofReference!, runs: runs.map(({ name }, i) => ({ name, scores: ofRuns[i]! })) };
}

/** ⟨Σ h_chosen, Σ h_rejected⟩ − ‖Σ h_chosen‖² over the rows that predict the answers' tokens, `[scored, hiddenSize]`. */
export function chesScores({ packing }: Pick<PackedBatch, "packing">, rows: Tensor): Ches[] {
  return packing.completions.map(({ chosen, rejected }) =>
    tidy(() =>
      noGrad(() => {
        const total = (scored: Int32Array) =>
          rows
            .indexSelect(0, fromTypedArray(scored, undefined, { device: rows.device }))
            .to("float64")
            .sum(0); // [hiddenSize]
        const [w, l] = [total(chosen), total(rejected)];
        const [both, own] = [Number(w.dot(l).item()), Number(w.dot(w).item())];
        return {
          plain: both - own,
          normalised: both / (chosen.length * rejected.length) - own / chosen.length ** 2,
        };
      }),
    ),
  );
}

function expectNumbers({ chosen, rejected }: AnswerLogProbs, { index }: TokenizedPair, name: string): void {
  for (const values of [chosen, rejected]) {
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong !== undefined)
      throw new Error(
        `Expected log-probs for row ${index} but ${name} gives ${wrong}; its weights or activations overflow or hold NaN`,
      );
  }
}
