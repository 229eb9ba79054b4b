/**
 * Generated grade-school arithmetic with worked steps, in the shape of GSM8K and MetaMath: a start of 10–60, then two
 * or three steps of + or − with an operand of 2–20, every value on the way 10–99.
 *
 *   Zoe has 28 stars. Zoe gets 10 from a friend. Zoe sells 18. How many stars now?
 *   28 + 10 = 38. 38 - 18 = 20. #### 20
 *
 * The words are few on purpose: as pieces (vocabulary.ts) they are 58 with the digits and the end of an answer.
 */

import type { Random } from "../base/random";

/** A problem and its worked answer; the part after `####` is the final answer. */
export interface Problem {
  readonly prompt: string;
  readonly answer: string;
}

const NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Kim", "Max", "Nia", "Sam", "Zoe"];
const THINGS = ["apples", "beads", "books", "coins", "eggs", "pens", "stars", "toys"];
const GAINS = ["gets # from a friend", "buys # more", "finds #"];
const LOSSES = ["sells #", "loses #", "gives # to a friend"];

/**
 * Draws `count` problems with different prompts, so that any two parts of the list share none.
 *
 * ```ts
 * const problems = generateProblems(8200, new Random(0, "problems"));
 * const train = problems.slice(0, 8000), heldOut = problems.slice(8000);
 * ```
 */
export function generateProblems(count: number, random: Random): Problem[] {
  return drawDifferent(count, () => generateProblem(random));
}

/** Draws until there are `count` with different prompts. */
export function drawDifferent<T extends { readonly prompt: string }>(count: number, draw: () => T): T[] {
  const drawn = new Map<string, T>();
  while (drawn.size < count) {
    const each = draw();
    drawn.set(each.prompt, each);
  }
  return [...drawn.values()];
}

function generateProblem(random: Random): Problem {
  const { story, thing, work, value } = generateStory((begun) => begun.integer(2, 3), random);
  return { prompt: `${story}How many ${thing} now?`, answer: `${work}#### ${value}` };
}

/** A story in sentences, each followed by a space, with the work that comes to its last value. */
export function generateStory(
  drawSteps: (random: Random) => number,
  random: Random,
): { story: string; thing: string; work: string; value: number } {
  const name = random.pick(NAMES);
  const thing = random.pick(THINGS);
  let value = random.integer(10, 60);
  let story = `${name} has ${value} ${thing}. `;
  let work = "";
  for (let steps = drawSteps(random); steps > 0; steps--) {
    const { gain, operand, result } = drawStep(value, random);
    story += `${name} ${random.pick(gain ? GAINS : LOSSES).replace("#", String(operand))}. `;
    work += `${value} ${gain ? "+" : "-"} ${operand} = ${result}. `;
    value = result;
  }
  return { story, thing, work, value };
}

/** A step whose result has two digits; from any value of 10–99 there is one. */
function drawStep(value: number, random: Random): { gain: boolean; operand: number; result: number } {
  for (;;) {
    const gain = random.integer(0, 1) === 1;
    const operand = random.integer(2, 20);
    const result = gain ? value + operand : value - operand;
    if (result >= 10 && result <= 99) return { gain, operand, result };
  }
}
