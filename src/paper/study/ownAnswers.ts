/** Whether a user's model answers held-out prompts rightly: in its own words, or by choosing among the rows' answers. */

import { startOfFinalPart } from "../../data/recipes/corruption";
import type { AnswerPair } from "../../data/tokenize/tokenizedPair";
import { answersTo } from "../../evaluate/scoring";
import type { CausalLM } from "../../models";
import type { AnswerLogProbs } from "../../preference";
import { completionOf } from "../../preference/difference";
import type { Tokenizer } from "../../text";
import { type GradedAnswer, graded, perCharacter } from "../measure";

/** A prompt with the answers that its rows give. */
export interface HeldOutQuestion {
  readonly prompt: readonly number[];
  readonly chosen: string;
  /** Tokens of the chosen answer. */
  readonly tokens: number;
  /** The pairs of this prompt, as places in the list they come from, with the texts of both answers. */
  readonly pairs: readonly { readonly at: number; readonly chosen: string; readonly rejected: string }[];
}

/** `generate` where every chosen answer ends in a final one (`#### 752`, `The answer is: 752`), else `choose`. */
export type WayToAnswer = "generate" | "choose";

/** Tokens that a model may take more than the longest chosen answer. */
const ROOM = 32;
const BATCH = 8;

/** One question for each prompt, in the order of the pairs. */
export function questionsOf(
  pairs: readonly AnswerPair[],
  promptOf: (pair: AnswerPair) => string,
  tokenizer: Tokenizer,
): HeldOutQuestion[] {
  const groups = new Map<string, number[]>();
  pairs.forEach((pair, at) => {
    const prompt = promptOf(pair);
    groups.set(prompt, [...(groups.get(prompt) ?? []), at]);
  });
  const text = (answer: AnswerPair["chosen"]) => tokenizer.decode(completionOf(answer), { skipSpecialTokens: true });
  return [...groups.values()].map((places) => {
    const { ids, start } = pairs[places[0]!]!.chosen;
    const texts = places.map((at) => ({ at, chosen: text(pairs[at]!.chosen), rejected: text(pairs[at]!.rejected) }));
    return { prompt: [...ids.subarray(0, start)], chosen: texts[0]!.chosen, tokens: ids.length - start, pairs: texts };
  });
}

export function wayToAnswer(questions: readonly HeldOutQuestion[]): WayToAnswer {
  return questions.every(({ chosen }) => startOfFinalPart(chosen) !== undefined) ? "generate" : "choose";
}

/** The share of questions that guessing gets right: one in n + 1 for a question with n rejected answers. */
export function chanceOf(questions: readonly HeldOutQuestion[]): number {
  return questions.reduce((sum, { pairs }) => sum + 1 / (pairs.length + 1), 0) / questions.length;
}

/** @param scores of the pairs that the questions were made of */
export async function answerOwn(
  model: CausalLM,
  tokenizer: Tokenizer,
  questions: readonly HeldOutQuestion[],
  scores: readonly AnswerLogProbs[],
): Promise<GradedAnswer[]> {
  if (wayToAnswer(questions) === "choose") return questions.map((question) => chosenOf(question, scores));
  const longest = questions.reduce((most, { tokens }) => Math.max(most, tokens), 0);
  const answers = await answersTo(
    model,
    tokenizer,
    questions.map(({ prompt }) => prompt),
    {
      until: ["Question:"], // a model that continues with another question; the evaluation harness ends GSM8K's answers in the same way
      maxTokens: longest + ROOM,
      batchSize: BATCH,
    },
  );
  return answers.map(({ text }, i) => graded(text, questions[i]!.chosen));
}

function chosenOf({ pairs }: HeldOutQuestion, scores: readonly AnswerLogProbs[]): GradedAnswer {
  const wrong = pairs.find(
    ({ at, chosen, rejected }) => perCharacter(scores[at]!.chosen, chosen) <= perCharacter(scores[at]!.rejected, rejected),
  );
  return { text: wrong?.rejected ?? pairs[0]!.chosen, correct: wrong === undefined };
}
