import { expect, test } from "vitest";
import { Random } from "../../src/base/random";
import { generateQuestions } from "../../src/paper/multipleChoice";
import { createModel, modelConfig } from "../../src/paper/model";
import { answerQuestions } from "../../src/paper/scoring";
import { presets } from "../../src/paper/settings";
import { choiceTask } from "../../src/paper/task";
import { noGrad, tidy } from "../../src/torch";
import { answerOf, paddedLogProbs } from "../preference/padded";

const questions = generateQuestions(400, new Random(3, "questions"));

/** What the story comes to: a start and one step up or down. */
function valueOf(prompt: string): number {
  const [start, operand] = prompt.match(/\d+/g)!.map(Number);
  return /(gets|buys|finds)/.test(prompt) ? start! + operand! : start! - operand!;
}

test("the right choice is that of the tens, and all questions of the same tens have it", () => {
  const byTens = new Map<number, Set<string>>();
  for (const { prompt, answer } of questions) {
    const tens = Math.floor(valueOf(prompt) / 10);
    byTens.set(tens, (byTens.get(tens) ?? new Set()).add(answer));
  }
  expect([...byTens.values()].every((answers) => answers.size === 1)).toBe(true);
  expect(new Set([...byTens.values()].flatMap((answers) => [...answers])).size).toBe(byTens.size);
});

test("a question has three wrong choices, which share no word with the right one nor with each other", () => {
  for (const { answer, wrong } of questions) {
    expect(wrong).toHaveLength(3);
    const words = [answer, ...wrong].flatMap((choice) => choice.split(" "));
    expect(new Set(words).size).toBe(words.length);
  }
});

test("no two questions have the same prompt", () => {
  expect(new Set(questions.map(({ prompt }) => prompt)).size).toBe(questions.length);
});

test("a question makes three pairs, which share its prompt and right answer", () => {
  const settings = { ...presets.quick.task, problems: 40, pairs: 10, heldOut: 5 };
  const { pairs, heldOut, examples } = choiceTask(3, settings);
  expect(pairs).toHaveLength(30);
  expect(heldOut).toHaveLength(5);
  pairs.forEach(({ prompt, chosen, rejected }, i) => {
    expect({ prompt, completion: chosen }).toEqual(examples[Math.floor(i / 3)]);
    expect(rejected).not.toEqual(chosen);
  });
  expect(new Set(pairs.slice(0, 3).map(({ rejected }) => rejected.join())).size).toBe(3);
});

test("the model's choice is the answer with the highest log-prob by the character", () => {
  const task = choiceTask(3, { ...presets.quick.task, problems: 40, pairs: 10, heldOut: 30 });
  const { vocabulary, heldOut } = task;
  using model = createModel(modelConfig(presets.smoke.model, vocabulary.size), 5);
  const answers = answerQuestions(model, heldOut, vocabulary, 1);
  heldOut.forEach(({ prompt, answer, wrong }, i) => {
    const scores = [answer, ...wrong!].map((text) => {
      const row = answerOf(vocabulary.encode(prompt), [...vocabulary.encode(text), vocabulary.endId]);
      return (tidy(() => noGrad(() => paddedLogProbs(model, [row]).item())) as number) / text.length;
    });
    const best = [answer, ...wrong!][scores.indexOf(Math.max(...scores))];
    expect(answers[i]).toEqual({ text: best, correct: best === answer });
  });
  expect(new Set(answers.map(({ correct }) => correct)).size).toBe(2); // right and wrong ones are there
});
