import { describe, expect, test } from "vitest";
import { Random } from "../../src/base/random";
import { generateProblems, type TextProblem } from "../../src/paper/problems";
import { finalAnswer } from "../../src/paper/task";
import { Vocabulary } from "../../src/paper/vocabulary";

const problems = generateProblems(3000, new Random(11, "problems"));

/** Reads the story as a person would: the numbers in order, and whether each is a gain. */
function solve({ prompt }: TextProblem): number[] {
  const [start, ...changes] = prompt.match(/\d+/g)!.map(Number);
  const verbs = prompt.match(/gets|buys|finds|sells|loses|gives/g)!;
  expect(verbs).toHaveLength(changes.length);
  const values = [start!];
  verbs.forEach((verb, i) => {
    const gain = ["gets", "buys", "finds"].includes(verb);
    values.push(values.at(-1)! + (gain ? changes[i]! : -changes[i]!));
  });
  return values;
}

describe("every problem", () => {
  test("has the answer its story gives", () => {
    for (const problem of problems) expect(Number(finalAnswer(problem.answer))).toBe(solve(problem).at(-1));
  });

  test("has right steps that lead from one to the next", () => {
    for (const problem of problems) {
      const steps = [...problem.answer.matchAll(/(\d+) ([+-]) (\d+) = (\d+)\. /g)].map(([, ...parts]) => parts);
      const work = steps.map(([a, sign, b, c]) => `${a} ${sign} ${b} = ${c}. `).join("");
      expect(`${work}#### ${steps.at(-1)![3]}`).toBe(problem.answer);
      expect([2, 3]).toContain(steps.length);
      const values = solve(problem);
      steps.forEach(([a, sign, b, c], i) => {
        expect([Number(a), Number(c)]).toEqual([values[i], values[i + 1]]);
        expect(sign === "+" ? Number(a) + Number(b) : Number(a) - Number(b)).toBe(Number(c));
        expect(Number(b)).toBeGreaterThanOrEqual(2);
        expect(Number(b)).toBeLessThanOrEqual(20);
      });
      for (const value of values) expect(value >= 10 && value <= 99).toBe(true);
      expect(values[0]).toBeLessThanOrEqual(60);
    }
  });
});

test("problems are seeded, and no two have the same prompt", () => {
  expect(generateProblems(50, new Random(11, "problems"))).toEqual(problems.slice(0, 50));
  expect(generateProblems(50, new Random(12, "problems"))).not.toEqual(problems.slice(0, 50));
  expect(new Set(problems.map(({ prompt }) => prompt)).size).toBe(3000);
});

test("the vocabulary has 58 pieces, of few tokens a problem", () => {
  const vocabulary = Vocabulary.of(problems.flatMap(({ prompt, answer }) => [prompt, answer]));
  expect(vocabulary.size).toBe(58);
  expect(vocabulary.encode("28 + 10 = 38. 38 - 18 = 20. #### 20")).toHaveLength(21);
});
