/**
 * What a recipe of the paper is: which columns it reads, and how a row becomes a question with its right answer and the
 * wrong ones. Reading, few-shot prompts and statistics are the same for all (pairs.ts, shots.ts, statistics.ts).
 */
import type { Random } from "../../base/random";
import type { Row } from "../fields";
import type { PlainRow } from "../rows/preferenceRow";

export interface RecipeQuestion {
  /** What is asked: a row is never an example for another that asks the same, since it would give the answer away. */
  readonly subject: string;
  /** As the evaluation harness words it, without examples: "Question: …\nAnswer:". */
  readonly prompt: string;
  /** The right answer with what separates it from the prompt: " 752". */
  readonly answer: string;
  /** The wrong ones, in the same form. */
  wrong(random: Random): readonly string[] | Unusable;
}

/** Why a row makes no pair: counted by this text, so that it names no values. */
export class Unusable {
  constructor(readonly reason: string) {}
}

export interface Recipe {
  /** As in `smaug data <name>`. */
  readonly name: string;
  /** The data set of the hub that the paper took. */
  readonly dataset?: string;
  /** A folder of the data set, where it has several. */
  readonly subset?: string;
  readonly columns: { readonly wanted?: readonly string[]; readonly required: readonly string[] };
  /** What a row looks like, or how to name its columns, as the way out of an error. */
  readonly form: string;
  /** @throws InputError when a value is of another type than the data set has */
  read(row: Row): RecipeQuestion | Unusable;
}

/** A worked example: a question with its answer and the separator after it. */
export interface Shot {
  readonly subject: string;
  readonly text: string;
  /** `text` as written in a JSON string; made when first needed. */
  escaped?: string;
}

/** A pair as written to a file. */
export type RecipePair = Omit<PlainRow, "index">;

/**
 * A pair in parts, as `makePairs` yields it: `pairOf` joins them, `lineOf` writes their JSON. Most of a prompt is worked
 * examples, which thousands of prompts share; joining and escaping them for each line would take longer than making the
 * pair.
 */
export interface PairParts {
  readonly shots: readonly Shot[];
  /** The prompt without its examples. */
  readonly question: string;
  readonly chosen: string;
  readonly rejected: string;
}

export function pairOf({ shots, question, chosen, rejected }: PairParts): RecipePair {
  return { prompt: [...shots.map(({ text }) => text), question].join(""), chosen, rejected };
}

/** `JSON.stringify(pairOf(parts))`. */
export function lineOf({ shots, question, chosen, rejected }: PairParts): string {
  const pieces = ['{"prompt":"'];
  for (const shot of shots) pieces.push((shot.escaped ??= JSON.stringify(shot.text).slice(1, -1)));
  // From the second character on: the quotation mark comes before the examples.
  pieces.push(JSON.stringify(question).slice(1), ',"chosen":', JSON.stringify(chosen));
  pieces.push(',"rejected":', JSON.stringify(rejected), "}");
  return pieces.join("");
}
