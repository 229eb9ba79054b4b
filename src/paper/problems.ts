/**
 * Generated grade-school problems, of two kinds. Arithmetic with worked steps is in the shape of GSM8K and MetaMath: a start
 * of 10–60, then two or three steps of + or − with an operand of 2–20, every value on the way 10–99.
 *
 *   Zoe has 28 stars. Zoe gets 10 from a friend. Zoe sells 18. How many stars now?
 *   28 + 10 = 38. 38 - 18 = 20. #### 20
 *
 * Multiple choice is in the shape of ARC: a little knowledge (what is kept in what) and a little reasoning (how many
 * there are), four answers that have no word in common, and choices that are not in the prompt.
 *
 *   Zoe has 28 stars. Zoe gets 14 from a friend. What holds all stars now?
 *   wooden box behind three heavy doors      (the forties; wrong: those of the tens nearest to it)
 *
 * The words are few on purpose: as pieces (vocabulary.ts) those of the arithmetic are 58 with the digits and the end of an
 * answer.
 */
import type { Random } from "../base/random";

/**
 * A problem to answer: in the model's own words, or where wrong answers are given, by choosing. An answer may be worked; the
 * part after `####` is the final one.
 */
export interface TextProblem {
  readonly prompt: string;
  readonly answer: string;
  readonly wrong?: readonly string[];
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
export function generateProblems(count: number, random: Random): TextProblem[] {
  return drawDifferent(count, () => generateProblem(random));
}

/** Draws until there are `count` with different prompts. */
function drawDifferent<T extends { readonly prompt: string }>(count: number, draw: () => T): T[] {
  const drawn = new Map<string, T>();
  while (drawn.size < count) {
    const each = draw();
    drawn.set(each.prompt, each);
  }
  return [...drawn.values()];
}

function generateProblem(random: Random): TextProblem {
  const { story, thing, work, value } = generateStory((begun) => begun.integer(2, 3), random);
  return { prompt: `${story}How many ${thing} now?`, answer: `${work}#### ${value}` };
}

/** A story in sentences, each followed by a space, with the work that comes to its last value. */
function generateStory(
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

/** A problem with wrong answers. */
export type MultipleChoice = Required<TextProblem>;

/** What holds 10 to 19 things, 20 to 29, and so on. */
const HOLDERS = [
  "one paper cup near the window",
  "an old jar under dark stairs",
  "big iron pots inside kitchen cupboards",
  "wooden box behind three heavy doors",
  "his uncle's chest beside soft beds",
  "round baskets above every lamp there",
  "open cart outside that red barn",
  "long shelves along four white walls",
  "whole empty room with no furniture",
];
const WRONG = 3;

/**
 * Draws `count` questions with different prompts, so that any two parts of the list share none.
 *
 * ```ts
 * const questions = generateQuestions(4200, new Random(0, "questions"));
 * const train = questions.slice(0, 4000), heldOut = questions.slice(4000);
 * ```
 */
export function generateQuestions(count: number, random: Random): MultipleChoice[] {
  return drawDifferent(count, () => generateQuestion(random));
}

function generateQuestion(random: Random): MultipleChoice {
  const { story, thing, value } = generateStory(() => 1, random);
  const right = Math.floor(value / 10) - 1;
  const nearest = HOLDERS.map((holder, i) => ({ holder, away: Math.abs(i - right) })).sort((a, b) => a.away - b.away);
  const wrong = random.shuffled(nearest.slice(1, 1 + WRONG).map(({ holder }) => holder));
  return { prompt: `${story}What holds all ${thing} now?`, answer: HOLDERS[right]!, wrong };
}
