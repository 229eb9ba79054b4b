/**
 * What the paper looks at: log-probs of whole answers, of the chosen answer's tokens before, at and after the first
 * token in which the two answers differ, and whether a model answers held-out problems rightly. All in nats.
 *
 * Token means are over tokens, all pairs together.
 */

import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { generateSync } from "../generate";
import type { CausalLM } from "../models";
import { type AnswerLogProbs, scorePreferences } from "../preference";
import { positionMeans, stageMeans } from "../preference/difference";
import { sumOf } from "../preference/packed/step";
import { finalAnswer, type Pair, type Question } from "./task";
import type { Vocabulary } from "./vocabulary";

/** Means over pairs; null where no pair has such a token. The names are those of summary.json. */
export interface Measures {
  chosen_logp: number;
  rejected_logp: number;
  token_logp_before: number | null;
  token_logp_at: number | null;
  token_logp_after: number | null;
  /** Share of held-out problems answered rightly, 0 to 1. */
  accuracy: number;
}

/** Mean log-probs of whole answers after some steps of training. */
export interface CurvePoint {
  readonly step: number;
  readonly chosen: number;
  readonly rejected: number;
}

/** Mean token log-prob of the chosen answers at one distance from the first difference. */
export interface PositionMean {
  readonly position: number;
  readonly logp: number;
  readonly tokens: number;
}

/** A model's answer to a question. */
export interface Answer {
  readonly text: string;
  readonly correct: boolean;
}

/** Everything measured of one model. */
export interface ModelOutput {
  /** Of the pairs, in their order. */
  readonly scores: readonly AnswerLogProbs[];
  /** To the held-out problems. */
  readonly answers: readonly Answer[];
  /** Measured on the first pairs, from step 0; a single point for the reference. */
  readonly curve: readonly CurvePoint[];
}

/** The means of the summary, and the lines of the pictures. */
export interface MethodResult {
  readonly measures: Measures;
  readonly positions: readonly PositionMean[];
  readonly curve: readonly CurvePoint[];
}

/** Positions that fewer than this share of the pairs reach are left out. */
const LEAST_SHARE = 0.1;
/** Prompts in one batch of generation. */
const BATCH = 100;

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** NaN for no values. */
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** Reduces a model's output to its means and lines. */
export function toMethodResult(output: ModelOutput, pairs: readonly Pick<Pair, "difference">[]): MethodResult {
  const { scores, answers, curve } = output;
  const differences = pairs.map(({ difference }) => difference);
  const chosen = scores.map((score) => score.chosen);
  const { before, at, after } = stageMeans(chosen, differences);
  const whole = curvePoint(0, scores);
  return {
    measures: {
      chosen_logp: whole.chosen,
      rejected_logp: whole.rejected,
      token_logp_before: before.micro,
      token_logp_at: at.micro,
      token_logp_after: after.micro,
      accuracy: accuracyOf(answers),
    },
    positions: positionMeans(chosen, differences, LEAST_SHARE).map(({ pairs: tokens, ...point }) => ({ ...point, tokens })),
    curve,
  };
}

/** Means of whole answers' log-probs, as a point of a curve over the steps. */
export function curvePoint(step: number, scores: readonly AnswerLogProbs[]): CurvePoint {
  const meanSum = (side: keyof AnswerLogProbs) => mean(scores.map((score) => sumOf(score[side])));
  return { step, chosen: meanSum("chosen"), rejected: meanSum("rejected") };
}

/** For the line that ends a phase. */
export const inShort = ({ scores, answers }: Pick<ModelOutput, "scores" | "answers">): string =>
  `chosen ${curvePoint(0, scores).chosen.toFixed(2)}  accuracy ${(100 * accuracyOf(answers)).toFixed(1)}%`;

const accuracyOf = (answers: readonly Answer[]): number => mean(answers.map(({ correct }) => (correct ? 1 : 0)));

/** Log-probs of all answer tokens, row by row. */
export async function scoreRows(model: CausalLM, rows: readonly TokenizedPair[]): Promise<AnswerLogProbs[]> {
  const scores: AnswerLogProbs[] = [];
  for await (const { chosenTokenLogps: chosen, rejectedTokenLogps: rejected } of scorePreferences(model, rows))
    scores.push({ chosen, rejected });
  return scores;
}

/**
 * Answers questions by greedy generation, where right is the same final answer as the given one; or, where they have
 * wrong answers, by taking the one whose log-prob is highest by the character (lm-evaluation-harness's `acc_norm`).
 */
export async function answerQuestions(
  model: CausalLM,
  questions: readonly Question[],
  vocabulary: Vocabulary,
  maxNewTokens: number,
): Promise<Answer[]> {
  if (questions.every(({ wrong }) => wrong)) return chooseAnswers(model, questions, vocabulary);
  const answers: Answer[] = [];
  for (let from = 0; from < questions.length; from += BATCH) {
    const batch = questions.slice(from, from + BATCH);
    const prompts = batch.map(({ prompt }) => vocabulary.encode(prompt));
    generateSync(model, prompts, { maxNewTokens, eosTokenId: vocabulary.endId }).forEach(({ tokens }, i) => {
      const text = vocabulary.decode(tokens);
      answers.push({ text, correct: finalAnswer(text) === finalAnswer(batch[i]!.answer) });
    });
  }
  return answers;
}

async function chooseAnswers(model: CausalLM, questions: readonly Question[], vocabulary: Vocabulary): Promise<Answer[]> {
  const choices = questions.flatMap(({ prompt, answer, wrong = [] }) =>
    [answer, ...wrong].map((text, place) => ({ prompt, text, place })),
  );
  const rows = choices.map(({ prompt, text }, index) => ({ index, chosen: vocabulary.encodeAnswer(prompt, text) }));
  const scores = await scoreRows(model, rows);
  const taken: { text: string; place: number; score: number }[] = [];
  choices.forEach(({ text, place }, i) => {
    const score = sumOf(scores[i]!.chosen) / text.length;
    if (place === 0) taken.push({ text, place, score });
    else if (score >= taken.at(-1)!.score) taken[taken.length - 1] = { text, place, score };
  });
  return taken.map(({ text, place }) => ({ text, correct: place === 0 }));
}
