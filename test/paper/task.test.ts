import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import type { TokenizedAnswer } from "../../src/data/tokenize/tokenizedPair";
import { presets } from "../../src/paper/settings";
import { arithmeticTask, finalAnswer, rowsTask } from "../../src/paper/task";

const settings = { ...presets.quick.task, problems: 400, pairs: 100, heldOut: 50 };

const promptOf = ({ ids, start }: TokenizedAnswer) => ids.subarray(0, start);
const completionOf = ({ ids, start }: TokenizedAnswer) => ids.subarray(start);

test("at high edit distance only the rejected answers are others: answers of other problems", () => {
  const [low, high] = [arithmeticTask(3, settings), arithmeticTask(3, settings, "high")];
  expect(high.examples).toEqual(low.examples);
  expect(high.heldOut).toEqual(low.heldOut);
  expect(low.editDistance).toBeLessThan(0.1);
  expect(high.editDistance).toBeGreaterThan(0.5);
  const answers = new Set(low.examples.map(({ chosen }) => low.vocabulary.decode(completionOf(chosen))));
  high.pairs.forEach(({ chosen, rejected }, i) => {
    expect(chosen).toEqual(low.pairs[i]!.chosen);
    expect(promptOf(rejected)).toEqual(promptOf(chosen));
    const [right, wrong] = [chosen, rejected].map((answer) => high.vocabulary.decode(completionOf(answer))) as [string, string];
    expect(answers.has(wrong)).toBe(true);
    expect(finalAnswer(wrong)).not.toBe(finalAnswer(right));
  });
});

describe("the generated task", () => {
  const task = arithmeticTask(3, settings);
  const { vocabulary } = task;

  test("has the sizes asked for", () => {
    expect(task.examples).toHaveLength(400);
    expect(task.pairs).toHaveLength(100);
    expect(task.heldOut).toHaveLength(50);
    expect(task.refused).toEqual([]);
  });

  test("shares no prompt between training and held-out problems", () => {
    const prompts = new Set(task.examples.map(({ chosen }) => vocabulary.decode(promptOf(chosen))));
    expect(prompts.size).toBe(400);
    expect(task.heldOut.filter(({ prompt }) => prompts.has(prompt))).toEqual([]);
  });

  test("pairs are the first training problems, with one result wrong and the final answer kept", () => {
    task.pairs.forEach((pair, i) => {
      expect(pair.chosen).toEqual(task.examples[i]!.chosen);
      expect(promptOf(pair.rejected)).toEqual(promptOf(pair.chosen));
      const { difference } = pair;
      const [chosen, rejected] = [completionOf(pair.chosen), completionOf(pair.rejected)];
      expect(chosen.at(-1)).toBe(vocabulary.endId);
      expect(chosen.slice(0, difference)).toEqual(rejected.slice(0, difference));
      expect(chosen[difference]).not.toBe(rejected[difference]);
      expect(finalAnswer(vocabulary.decode(rejected))).toBe(finalAnswer(vocabulary.decode(chosen)));
      expect(rejected).toHaveLength(chosen.length);
    });
  });

  test("is the same for the same seed", () => {
    expect(arithmeticTask(3, settings)).toEqual(task);
    expect(arithmeticTask(4, settings).heldOut).not.toEqual(task.heldOut);
  });

  test("measures the edit distance of the pairs", () => {
    // One or two of 20 to 31 tokens.
    expect(task.editDistance).toBeGreaterThan(1 / 31);
    expect(task.editDistance).toBeLessThan(2 / 20);
  });
});

describe("a user's rows", () => {
  const rows = Array.from({ length: 60 }, (_, index) => {
    const n = index % 40;
    return { index, prompt: `What is ${n} + 1?`, chosen: `It is #### ${n + 1}`, rejected: `It is ${index}.` };
  });

  test("holds out a tenth of the prompts, and trains on no row that has one of them", () => {
    const task = rowsTask(rows, "pairs.jsonl", 0, settings);
    expect(task.heldOut).toHaveLength(4);
    const heldOut = new Set(task.heldOut.map(({ prompt }) => prompt));
    const trained = task.examples.map(({ chosen }) => task.vocabulary.decode(promptOf(chosen)));
    expect(trained.filter((prompt) => heldOut.has(prompt))).toEqual([]);
    expect(trained).toHaveLength(rows.filter(({ prompt }) => !heldOut.has(prompt)).length);
    for (const { prompt, answer } of task.heldOut) {
      expect(answer).toBe(rows.find((row) => row.prompt === prompt)!.chosen);
    }
  });

  test("takes at most as many pairs as asked for", () => {
    expect(rowsTask(rows, "pairs.jsonl", 0, { ...settings, pairs: 10 }).pairs).toHaveLength(10);
  });

  test("counts and names the rows it refuses", () => {
    const faulty = [...rows, { index: 60, prompt: "p", chosen: "same", rejected: "same" }];
    const { refused } = rowsTask(faulty, "pairs.jsonl", 0, settings);
    expect(refused).toEqual([{ index: 60, reason: "the two answers are identical" }]);
  });

  test("rows that are all refused, and rows of one prompt, are bad input", () => {
    const refused = () => rowsTask(rows, "pairs.jsonl", 0, { ...settings, maxTokens: 3 });
    expect(refused).toThrow(InputError);
    expect(refused).toThrow(/'pairs\.jsonl', but 60 of 60 rows[^]*tokens, more than 3/);
    const onePrompt = () => rowsTask(rows.slice(0, 1), "pairs.jsonl", 0, settings);
    expect(onePrompt).toThrow(InputError);
    expect(onePrompt).toThrow(/at least two different prompts in 'pairs\.jsonl' but received one/);
  });
});

test.each([
  ["28 + 10 = 38. #### 38", "38"],
  ["#### 1\n#### $1,500.\nThe answer is: 1500", "1500"],
  [" yes \n", "yes"],
  ["####", ""],
  ["So 8 + 4 = 12. The answer is: 12.", "12"],
  ["The answer is 3 of them\nand more", "3 of them"],
])("the final answer of %j is %j", (text, answer) => {
  expect(finalAnswer(text)).toBe(answer);
});
