/**
 * Generated multiple-choice questions in the shape of ARC: a little knowledge (what is kept in what) and a little
 * reasoning (how many there are), four answers that have no word in common, and choices that are not in the prompt.
 *
 *   Zoe has 28 stars. Zoe gets 14 from a friend. What holds all stars now?
 *   wooden box behind three heavy doors      (the forties; wrong: those of the tens nearest to it)
 */
import type { Random } from "../base/random";
import { drawDifferent, generateStory } from "./arithmetic";

/** A question with its right answer and the wrong ones. */
export interface MultipleChoice {
  readonly prompt: string;
  readonly answer: string;
  readonly wrong: readonly string[];
}

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
