/**
 * What a task is: where its rows are, how a row becomes a question, how many worked examples come before it, and what
 * is counted. The wording of prompts is the tasks' own (benchmarks.ts, a user's function or YAML); drawing
 * examples and joining the texts is prepare.ts, as in lm-evaluation-harness 0.4.
 */
import { integer } from "../../base/arguments";
import type { Row } from "../../data/fields";

export type { Row };

/** How many worked examples come before a question. */
export const numFewshot = integer(0, "examples before each question", { min: 0 });

/** The most tokens of an answer unless a task says otherwise, as in the harness. */
export const ANSWER_TOKENS = 256;

/** Choices that continue one text. */
export interface Question {
  text: string;
  choices: readonly string[];
  /** Which choice is right, from 0; any of these, when there are several. */
  gold: number | readonly number[];
  /** Which choices are true (1) and which are not (0), for `mc2`. */
  labels?: readonly number[];
}

/** One text for each choice, and the same ending for all: only the ending is scored, as in Winogrande. */
export interface Blank {
  texts: readonly string[];
  ending: string;
  gold: number;
}

/** A text that the model continues until a stop string. */
export interface Problem {
  text: string;
  target: string;
}

export type Item = Question | Blank | Problem;

/** `acc` and `acc_norm` (by characters) as the harness has them; `acc_bytes` by bytes; `mc2` is reported as `acc`. */
export type ChoiceMetric = "acc" | "acc_norm" | "acc_bytes" | "mc2";

interface Common<I extends Item> {
  /** The name that requests and results use. */
  readonly name: string;
  /** What it is a part of: `data` may be given for that. */
  readonly family?: string;
  /** In printed tables. */
  readonly alias?: string;
  readonly version?: number | string;
  /** A data set of the hub, a folder or a file. A `data` option of `evaluate` comes before it. */
  readonly dataset: string;
  /** A folder of the data set, or a value in its rows' column `subject`. */
  readonly subset?: string;
  /** The files of each split, instead of a data set; `dataset` is then their format. */
  readonly dataFiles?: Readonly<Record<string, readonly string[]>>;
  /** Which files of a repository are fetched, as `resolveFolder` takes them; the subset's when left out. */
  readonly files?: readonly string[];
  /** The split that is evaluated. */
  readonly split: string;
  /** The split that examples come from. */
  readonly shotSplit?: string;
  /** How many examples. */
  readonly shots: number;
  /** `false`: the number of examples is part of the task and no option changes it. */
  readonly shotsFixed?: boolean;
  /** `random`: drawn for each question; `first`: the first ones, for all. Default random. */
  readonly sampler?: "random" | "first";
  /** One more is drawn, and what equals the question is put away: so the harness does where it knows no test split. */
  readonly drawSpare?: boolean;
  /** Before the examples. */
  readonly description?: string;
  /** The description for a question's row, if it differs from row to row. */
  readonly describe?: (row: Row) => string;
  /** Between a text and what follows it. Default a space. */
  readonly targetDelimiter?: string;
  /** After each example. Default an empty line. */
  readonly shotDelimiter?: string;
  /** A row as a question, or an error that says what is wrong with the row. */
  item(row: Row): I;
}

/** Answered by the likeliest choice. */
export interface ChoiceTask extends Common<Question | Blank> {
  readonly kind: "choice";
  readonly metrics: readonly ChoiceMetric[];
}

/** What is read out of a generated answer. */
export interface AnswerFilter {
  readonly name: string;
  apply(answer: string): string;
}

/** What is taken out of answer and target before they are compared. */
export interface MatchRules {
  readonly ignoreCase?: boolean;
  readonly ignorePunctuation?: boolean;
  /** Scoring throws an InputError when one takes too long on a text. */
  readonly regexesToIgnore?: readonly RegExp[];
}

/** Answered in the model's own words. */
export interface AnswerTask extends Common<Problem> {
  readonly kind: "answer";
  /** Texts that end an answer. */
  readonly until: readonly string[];
  /** The most tokens of an answer. Default 256. */
  readonly maxTokens?: number;
  /** What is made of an answer before it is compared, each counted on its own. */
  readonly filters: readonly AnswerFilter[];
  readonly match: MatchRules;
}

export type Task = ChoiceTask | AnswerTask;

/** Tasks that are reported together: the mean over all their questions. */
export interface Group {
  readonly name: string;
  readonly alias?: string;
  readonly version?: number | string;
  /** Names of tasks, or of groups. */
  readonly members: readonly string[];
}
