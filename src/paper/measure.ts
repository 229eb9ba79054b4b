/**
 * What the paper looks at: log-probs of whole answers, of the chosen answer's tokens before, at and after the first
 * token in which the two answers differ, and whether a model answers held-out problems rightly. All in nats.
 *
 * Token means are over tokens, all pairs together.
 */

import { mean } from "../base/samples";
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { generateSync } from "../generate";
import type { CausalLM } from "../models";
import { type AnswerLogProbs, type LogProbs, scorePreferences } from "../preference";
import { type PositionMean, positionMeans, stageMeans } from "../preference/difference";
import { sumOf } from "../preference/packed/step";
import type { TextProblem } from "./problems";
import { finalAnswer, type PaperPair } from "./task";
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

/** `PositionMean` of the chosen answers. Saved cells call the count `tokens`; each pair contributes one. */
export interface ChosenPosition extends Omit<PositionMean, "pairs"> {
  readonly tokens: number;
}

/** A model's answer to a question. */
export interface GradedAnswer {
  readonly text: string;
  readonly correct: boolean;
}

/** Everything measured of one model. */
export interface ModelMeasurements {
  /** Of the pairs, in their order. */
  readonly scores: readonly AnswerLogProbs[];
  /** To the held-out problems. */
  readonly answers: readonly GradedAnswer[];
  /** Measured on the first pairs, from step 0; a single point for the reference. */
  readonly curve: readonly CurvePoint[];
}

/** The means of the summary, and the lines of the pictures. */
export interface MethodResult {
  readonly measures: Measures;
  readonly positions: readonly ChosenPosition[];
  readonly curve: readonly CurvePoint[];
}

/** Positions that fewer than this share of the pairs reach are left out. */
const LEAST_SHARE = 0.1;
/** Prompts in one batch of generation. */
const BATCH = 100;

/** Reduces a model's output to its means and lines. */
export function toMethodResult(output: ModelMeasurements, pairs: readonly Pick<PaperPair, "difference">[]): MethodResult {
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
export const inShort = ({ scores, answers }: Pick<ModelMeasurements, "scores" | "answers">): string =>
  `chosen ${curvePoint(0, scores).chosen.toFixed(2)}  accuracy ${(100 * accuracyOf(answers)).toFixed(1)}%`;

const accuracyOf = (answers: readonly GradedAnswer[]): number => mean(answers.map(({ correct }) => (correct ? 1 : 0)));

/** Log-probs of all answer tokens, row by row. */
export async function scoreRows(model: CausalLM, rows: readonly TokenizedPair[]): Promise<AnswerLogProbs[]> {
  const scores: AnswerLogProbs[] = [];
  for await (const { chosenTokenLogps: chosen, rejectedTokenLogps: rejected } of scorePreferences(model, rows))
    scores.push({ chosen, rejected });
  return scores;
}

/** A generated answer is correct if its final answer matches. */
export function graded(text: string, expected: string): GradedAnswer {
  return { text, correct: finalAnswer(text) === finalAnswer(expected) };
}

/** The log-prob of an answer by the character, by which given answers are compared. */
export function perCharacter(logps: LogProbs, text: string): number {
  return sumOf(logps) / Math.max(1, text.length);
}

/**
 * Answers questions by greedy generation, where right is the same final answer as the given one; or, where they have
 * wrong answers, by taking the one whose log-prob is highest by the character (lm-evaluation-harness's `acc_norm`).
 */
export async function answerQuestions(
  model: CausalLM,
  questions: readonly TextProblem[],
  vocabulary: Vocabulary,
  maxNewTokens: number,
): Promise<GradedAnswer[]> {
  if (questions.every(({ wrong }) => wrong)) return chooseAnswers(model, questions, vocabulary);
  const answers: GradedAnswer[] = [];
  for (let from = 0; from < questions.length; from += BATCH) {
    const batch = questions.slice(from, from + BATCH);
    const prompts = batch.map(({ prompt }) => vocabulary.encode(prompt));
    generateSync(model, prompts, { maxNewTokens, eosTokenId: vocabulary.endId }).forEach(({ tokens }, i) => {
      const text = vocabulary.decode(tokens);
      answers.push(graded(text, batch[i]!.answer));
    });
  }
  return answers;
}

async function chooseAnswers(
  model: CausalLM,
  questions: readonly TextProblem[],
  vocabulary: Vocabulary,
): Promise<GradedAnswer[]> {
  const choices = questions.flatMap(({ prompt, answer, wrong = [] }) =>
    [answer, ...wrong].map((text, place) => ({ prompt, text, place })),
  );
  const rows = choices.map(({ prompt, text }, index) => ({ index, chosen: vocabulary.encodeAnswer(prompt, text) }));
  const scores = await scoreRows(model, rows);
  const taken: { text: string; place: number; score: number }[] = [];
  choices.forEach(({ text, place }, i) => {
    const score = perCharacter(scores[i]!.chosen, text);
    if (place === 0) taken.push({ text, place, score });
    else if (score >= taken.at(-1)!.score) taken[taken.length - 1] = { text, place, score };
  });
  return taken.map(({ text, place }) => ({ text, correct: place === 0 }));
}
