/**
 * Log-probs of preference pairs, by the same packed pass as training. Pairs are batched to suit the model, and come back
 * in the order given.
 */
import { setImmediate } from "node:timers/promises";
import { checkOptions, expectCallback } from "../base/options";
import { received } from "../base/values";
import { expectTokenized } from "../data/rows/givenRows";
import { answersOf, type TokenizedPair } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import { deviceProperties, tidy } from "../torch";
import { upload } from "./packed/batch";
import { microBatches, packOptionsOf } from "./packed/microBatches";
import { type AnswerLogProbs, answerLogProbs, type LogProbs, scorePairs, sumOf } from "./packed/step";

export interface ScorePreferencesOptions {
  /** Tokens of a batch, those that its sequences share counted once. Default: 2048 on the CPU, 16384 elsewhere. */
  maxTokens?: number;
  /** Called after each batch with the number of pairs scored so far. */
  onProgress?: (done: number, total: number) => void;
}

/** The log-probs of a pair's answers under the model. */
export interface PairScore {
  /** Place of the row in its data set, counted from 0. */
  readonly index: number;
  /** Log-probs of whole completions in nats: sums over their tokens, EOS included. */
  readonly chosenLogp: number;
  /** 0, a sum over no tokens, for a row without a rejected answer. */
  readonly rejectedLogp: number;
  /** Log-prob of each completion token, in nats; none for an answer that a row does not have. */
  readonly chosenTokenLogps: LogProbs;
  readonly rejectedTokenLogps: LogProbs;
}

/** Batches that are laid out together: enough to find pairs that share a prompt, few enough for memory. */
const BATCHES_AHEAD = 32;

/**
 * Scores pairs one by one, in their order. Scores already given are not kept, and the event loop runs between batches.
 * The model is used as it is: with its adapter, and with dropout if it is in training mode.
 *
 * ```ts
 * const model = await loadModel("models/SmolLM2-135M-Instruct");
 * const { pairs } = await tokenizePairs(await loadPreferences("pairs.jsonl"), await loadTokenizer(model.folder!));
 * for await (const { index, chosenLogp, rejectedLogp } of scorePreferences(model, pairs))
 *   console.log(index, chosenLogp - rejectedLogp);
 * ```
 *
 * @throws TypeError when an argument has the wrong type
 * @throws RangeError when `maxTokens` is not a positive integer, or a token id is beyond the model's vocabulary
 * @throws Error when a log-prob is NaN or infinite, as with weights that hold NaN
 */
export async function* scorePreferences(
  model: CausalLM,
  pairs: readonly TokenizedPair[],
  options: ScorePreferencesOptions = {},
): AsyncGenerator<PairScore, void> {
  expectModel(model);
  expectTokenized(pairs, "pairs");
  checkOptions("scorePreferences", options, ["maxTokens", "onProgress"]);
  const { device } = model;
  const { maxTokens = deviceProperties(device).limits.forwardRows, onProgress } = options;
  if (!(Number.isSafeInteger(maxTokens) && maxTokens > 0))
    throw new RangeError(`Expected a positive integer for 'maxTokens' but received ${received(maxTokens)}`);
  expectCallback(onProgress, "onProgress");
  let done = 0;
  for (const window of windows(pairs, BATCHES_AHEAD * maxTokens)) {
    const byPair = new Map<TokenizedPair, PairScore>();
    for (const packing of microBatches(window, { maxTokens, ...packOptionsOf(model) })) {
      const answers = tidy(() => {
        const batch = upload(packing, device);
        return answerLogProbs(batch, scorePairs(model, batch).logProbs);
      });
      packing.pairs.forEach((pair, i) => byPair.set(pair, scoreOf(pair, answers[i]!)));
      onProgress?.((done += packing.pairs.length), pairs.length);
      await setImmediate();
    }
    for (const pair of window) yield byPair.get(pair)!;
  }
}

/** Splits pairs into runs of about `tokens` tokens. */
function* windows(pairs: readonly TokenizedPair[], tokens: number): Generator<readonly TokenizedPair[]> {
  let [start, sum] = [0, 0];
  for (const [i, pair] of pairs.entries()) {
    for (const { ids } of answersOf(pair)) sum += ids.length;
    if (sum < tokens && i < pairs.length - 1) continue;
    yield pairs.slice(start, i + 1);
    [start, sum] = [i + 1, 0];
  }
}

function scoreOf({ index }: TokenizedPair, { chosen, rejected }: AnswerLogProbs): PairScore {
  const [chosenLogp, rejectedLogp] = [sumOf(chosen), sumOf(rejected)];
  for (const logp of [chosenLogp, rejectedLogp])
    if (!Number.isFinite(logp))
      throw new Error(
        `Expected a log-prob for row ${index} but the model gives ${logp}; its weights or activations overflow or hold NaN`,
      );
  return { index, chosenLogp, rejectedLogp, chosenTokenLogps: chosen, rejectedTokenLogps: rejected };
}
