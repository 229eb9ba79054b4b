/**
 * The same preference pairs under a reference and under what training runs made of it, token by token, with CHES scores
 * (Razin et al., arXiv 2410.08847) under the reference.
 */
import { setImmediate } from "node:timers/promises";
import { type AnswerPair, expectBothAnswers, type TokenizedPair } from "../../data/tokenize/tokenizedPair";
import type { CausalLM } from "../../models";
import { withAdapter } from "../../nn";
import {
  type AnswerLogProbs,
  answerLogProbs,
  microBatches,
  type PackedBatch,
  packOptionsOf,
  scorePairs,
  upload,
} from "../../preference";
import { predictingRows } from "../../preference/packed/body";
import { scoreTokens } from "../../preference/packed/tokenScores";
import { deviceProperties, fromTypedArray, noGrad, type Tensor, tidy } from "../../torch";
import type { TrainedRun } from "./runs";

/** Log-probs of the same pairs under several models. */
export interface Measurement {
  readonly pairs: readonly AnswerPair[];
  /** By pair, under the reference. */
  readonly ches: readonly Ches[];
  /** By pair. */
  readonly reference: readonly AnswerLogProbs[];
  readonly runs: readonly { readonly name: string; readonly scores: readonly AnswerLogProbs[] }[];
}

/** High where the two answers look alike to the model: training them apart is then likely to lower the chosen one. */
export interface Ches {
  readonly plain: number;
  /** Each sum of hidden states divided by the answer's tokens. */
  readonly normalised: number;
}

export interface MeasureOptions {
  /** Tokens of a batch. Default: 2048 on the CPU, 16384 elsewhere. */
  maxTokens?: number;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Scores pairs under the reference and each run. The reference is used as it is, without the runs' adapters.
 *
 * @throws InputError for a row without a rejected answer; Error for a log-prob that is NaN or infinite
 */
export async function measureRuns(
  reference: CausalLM,
  runs: readonly TrainedRun[],
  pairs: readonly TokenizedPair[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  expectBothAnswers(pairs, "the diagnosis");
  const { device } = reference;
  const { maxTokens = deviceProperties(device).limits.forwardRows, onProgress } = options;
  const place = new Map<TokenizedPair, number>(pairs.map((pair, i) => [pair, i]));
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
function chesScores({ packing }: Pick<PackedBatch, "packing">, rows: Tensor): Ches[] {
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
