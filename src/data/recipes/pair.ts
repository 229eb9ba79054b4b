/**
 * A pair in its parts. Most of a prompt is examples, which thousands of prompts share: joining and escaping them anew for
 * each line would take longer than making the pair.
 */
import type { Shot } from "./shots";

export interface Pair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** What {@link makePairs} yields: `pairOf` makes it whole, `lineOf` its JSON. */
export interface PairParts {
  readonly shots: readonly Shot[];
  /** The prompt without its examples. */
  readonly question: string;
  readonly chosen: string;
  readonly rejected: string;
}

export function pairOf({ shots, question, chosen, rejected }: PairParts): Pair {
  return { prompt: [...shots.map(({ text }) => text), question].join(""), chosen, rejected };
}

/** `JSON.stringify(pairOf(parts))`. */
export function lineOf({ shots, question, chosen, rejected }: PairParts): string {
  const pieces = ['{"prompt":"'];
  for (const shot of shots) pieces.push((shot.escaped ??= JSON.stringify(shot.text).slice(1, -1)));
  // From the second character on: the quotation mark stands before the examples.
  pieces.push(JSON.stringify(question).slice(1), ',"chosen":', JSON.stringify(chosen));
  pieces.push(',"rejected":', JSON.stringify(rejected), "}");
  return pieces.join("");
}
