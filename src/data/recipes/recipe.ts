/**
 * What a recipe of the paper is: which columns it reads, and how a row becomes a question with its right answer and the
 * wrong ones. Reading, few-shot prompts and statistics are the same for all (pairs.ts, shots.ts, statistics.ts).
 */
import type { Random } from "../../base/random";

/** A row as its file holds it. */
export type Row = Readonly<Record<string, unknown>>;

export interface Question {
  /** What is asked: a row is no example before another that asks the same, since it would give the answer away. */
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
  /** What a row looks like, in a sentence for errors. */
  readonly form: string;
  /** @throws InputError when a value is of another type than the data set has */
  read(row: Row): Question | Unusable;
}
