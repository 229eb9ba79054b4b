/** What a model makes of many prompts: the log-likelihoods of given continuations, or answers in its own words. */

import { setImmediate } from "node:timers/promises";
import { InputError } from "../base/errors";
import { commonPrefixLength } from "../base/lists";
import { generate } from "../generate";
import type { CausalLM } from "../models";
import { upload } from "../preference/packed/batch";
import { compareIds, layOut } from "../preference/packed/packing";
import { scorePairs } from "../preference/packed/step";
import type { Tokenizer } from "../text";
import { deviceProperties, tidy } from "../torch";
import type { ScoredSequence } from "./requests";

export interface Likelihood {
  /** Sum over the scored tokens, in nats. */
  logLikelihood: number;
  /** Whether each of them is the model's likeliest. */
  isGreedy: boolean;
}

export interface ScoringOptions {
  /** Tokens of a batch, those that its sequences share counted once. Default: 2048 on the CPU, 16384 elsewhere. */
  maxTokens?: number | undefined;
  onProgress?: ((done: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Log-likelihoods in the order of the sequences. What they share is computed once: sequences are sorted, so that the choices
 * of a question, and questions with the same examples, are adjacent, and each batch is one prefix tree through the packed
 * pass of training. Yields to other work between batches.
 */
export async function logLikelihoods(
  model: CausalLM,
  sequences: readonly ScoredSequence[],
  { maxTokens, onProgress, signal }: ScoringOptions = {},
): Promise<Likelihood[]> {
  const { device } = model;
  const { vocabSize } = model.config;
  for (const { ids } of sequences) {
    const beyond = ids.find((id) => id >= vocabSize);
    if (beyond !== undefined)
      throw new InputError(
        `Expected token ids below the model's ${vocabSize} but the tokenizer gave ${beyond}; it is not this model's`,
      );
  }
  const found: Likelihood[] = Array.from({ length: sequences.length });
  let done = 0;
  for (const batch of sequenceBatches(sequences, maxTokens ?? deviceProperties(device).limits.forwardRows)) {
    signal?.throwIfAborted();
    const { scored, ...layout } = layOut(batch.map((at) => sequences[at]!));
    const [logProbs, hits] = tidy(() => {
      const scores = scorePairs(model, upload({ ...layout, pairs: [], completions: [] }, device), {
        statistics: ["hits"],
      });
      return [scores.logProbs.toArray(), scores.hits!.toArray()] as [Float32Array, Float32Array];
    });
    for (const [i, at] of batch.entries()) {
      let logLikelihood = 0;
      for (const token of scored[i]!) logLikelihood += logProbs[token]!;
      if (!Number.isFinite(logLikelihood))
        throw new Error(
          `Expected a log-likelihood but the model gives ${logLikelihood}; ` + "its weights or activations overflow or hold NaN",
        );
      found[at] = { logLikelihood, isGreedy: scored[i]!.every((token) => hits[token] === 1) };
    }
    onProgress?.((done += batch.length));
    await setImmediate();
  }
  return found;
}

/**
 * Indices of sequences that go through the model together. A batch that is full is ended where little is shared; where
 * most of the next sequence is there already, it may grow to twice its size.
 */
export function sequenceBatches(sequences: readonly ScoredSequence[], maxTokens: number): number[][] {
  const order = sequences.map((_, at) => at).sort((a, b) => compareIds(sequences[a]!.ids, sequences[b]!.ids) || a - b);
  const batches: number[][] = [];
  let tokens = 0;
  let before: Int32Array = new Int32Array();
  for (const at of order) {
    const { ids } = sequences[at]!;
    const shared = commonPrefixLength(before, ids);
    const grown = tokens + ids.length - shared;
    const isCheap = 2 * shared > ids.length && grown <= 2 * maxTokens;
    if (batches.length > 0 && (grown <= maxTokens || isCheap)) {
      batches.at(-1)!.push(at);
      tokens = grown;
    } else {
      batches.push([at]);
      tokens = ids.length;
    }
    before = ids;
  }
  return batches;
}

export interface AnswerOptions {
  until: readonly string[];
  maxTokens: number;
  /** Prompts answered at once. */
  batchSize: number;
  onProgress?: ((done: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface GeneratedAnswer {
  text: string;
  /** `false`: neither a stop string nor the end of text came within the most tokens. */
  hasEnded: boolean;
}

/** Greedy answers, in the order of the prompts. The longest prompts go first. */
export async function answersTo(
  model: CausalLM,
  tokenizer: Tokenizer,
  prompts: readonly (readonly number[])[],
  { until, maxTokens, batchSize, onProgress, signal }: AnswerOptions,
): Promise<GeneratedAnswer[]> {
  const order = prompts.map((_, at) => at).sort((a, b) => prompts[b]!.length - prompts[a]!.length);
  const found: GeneratedAnswer[] = Array.from({ length: prompts.length });
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize);
    const answers = await generate(
      model,
      batch.map((at) => prompts[at]!),
      {
        tokenizer,
        maxNewTokens: maxTokens,
        stopStrings: until,
        ...(signal ? { signal } : {}),
      },
    );
    for (const [i, { text, finishReason }] of answers.entries()) found[batch[i]!] = { text, hasEnded: finishReason !== "length" };
    onProgress?.(start + batch.length);
  }
  return found;
}
