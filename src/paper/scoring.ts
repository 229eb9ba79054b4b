/** Asking a model: log-probs of the answers of pairs, token by token, and its own answers to held-out problems. */

import { generateSync } from "../generate";
import type { CausalLM } from "../models";
import { collate, completionLogProbs } from "../preference";
import { noGrad, tidy } from "../torch";
import { type PairScores, sum } from "./measure";
import { deviceOf } from "./model";
import { type Example, type Pair, type Question, finalAnswer } from "./task";
import type { Vocabulary } from "./vocabulary";

/** Rows in one forward pass without gradients. */
const CHUNK = 100;

/** Log-probs of all answer tokens, pair by pair. */
export function scorePairs(model: CausalLM, pairs: readonly Pair[]): PairScores[] {
  const chosen = scoreRows(
    model,
    pairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen })),
  );
  const rejected = scoreRows(
    model,
    pairs.map(({ prompt, rejected }) => ({ prompt, completion: rejected })),
  );
  return chosen.map((logps, i) => ({ chosen: logps, rejected: rejected[i]! }));
}

function scoreRows(model: CausalLM, rows: readonly Example[]): number[][] {
  const device = deviceOf(model);
  return chunks(rows).flatMap((chunk) => {
    const logps = tidy(() => noGrad(() => completionLogProbs(model, collate(chunk, device)).toList())) as number[][];
    return logps.map((row, i) => row.slice(0, chunk[i]!.completion.length)); // [rows, longest], 0 after each end
  });
}

/** A model's answer to a question. */
export interface Answer {
  readonly text: string;
  readonly correct: boolean;
}

/**
 * Answers questions by greedy generation, where right is the same final answer as the given one; or, where they have
 * wrong answers, by taking the one whose log-prob is highest by the character (lm-evaluation-harness's `acc_norm`).
 */
export function answerQuestions(
  model: CausalLM,
  questions: readonly Question[],
  vocabulary: Vocabulary,
  maxNewTokens: number,
): Answer[] {
  if (questions.every(({ wrong }) => wrong)) return chooseAnswers(model, questions, vocabulary);
  return chunks(questions).flatMap((chunk) => {
    const prompts = chunk.map(({ prompt }) => vocabulary.encode(prompt));
    return generateSync(model, prompts, { maxNewTokens, eosTokenId: vocabulary.endId }).map(({ tokens }, i) => {
      const text = vocabulary.decode(tokens);
      return { text, correct: finalAnswer(text) === finalAnswer(chunk[i]!.answer) };
    });
  });
}

function chooseAnswers(model: CausalLM, questions: readonly Question[], vocabulary: Vocabulary): Answer[] {
  const choices = questions.flatMap(({ prompt, answer, wrong = [] }) =>
    [answer, ...wrong].map((text, place) => ({ prompt, text, place })),
  );
  const scores = scoreRows(
    model,
    choices.map(({ prompt, text }) => ({
      prompt: vocabulary.encode(prompt),
      completion: [...vocabulary.encode(text), vocabulary.endId],
    })),
  );
  const taken: { text: string; place: number; score: number }[] = [];
  choices.forEach(({ text, place }, i) => {
    const score = sum(scores[i]!) / text.length;
    if (place === 0) taken.push({ text, place, score });
    else if (score >= taken.at(-1)!.score) taken[taken.length - 1] = { text, place, score };
  });
  return taken.map(({ text, place }) => ({ text, correct: place === 0 }));
}

function chunks<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, i) => list.slice(i * CHUNK, (i + 1) * CHUNK));
}
