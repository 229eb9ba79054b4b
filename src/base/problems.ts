/** What is wrong with a configuration or with weights, collected so that one message names all of it. */
import { expected, InputError } from "./errors";
import { shown } from "./values";

const MOST_LINES = 10;

export interface Problem {
  /** The key that it is listed under, as the user writes it. */
  readonly key: string;
  /** Every key that it is about. */
  readonly keys: readonly string[];
  /** The heading it is listed under; invalid values have none. */
  readonly heading?: string;
  /** Follows the key in a list: "expected a number above 0 but received 0". */
  readonly line: string;
  /** The whole message when this is the only problem; `where` is empty or " in dpop.yaml". */
  sentence(where: string): string;
  readonly wayOut?: string;
}

/**
 * An invalid value.
 *
 * @param keys its key, and the keys that decide whether it is valid
 * @param received the value as the message shows it
 */
export function unfit(keys: string | readonly [string, ...string[]], what: string, received: string, wayOut?: string): Problem {
  const all = typeof keys === "string" ? [keys] : keys;
  const key = all[0]!;
  return {
    key,
    keys: all,
    wayOut,
    line: lowered(expected(what, received, { wayOut })),
    sentence: (where) => expected(what, received, { name: key, where: where.trim(), wayOut }),
  };
}

/** A required key that is missing; `meaning` says what it is for. */
export function missing(key: string, meaning: string): Problem {
  return {
    key,
    keys: [key],
    heading: "Missing:",
    line: meaning,
    sentence: (where) => `Expected '${key}'${where} but received none: ${meaning}`,
  };
}

/** An unknown key. */
export function unknown(key: string, near: string | undefined, noun = "key"): Problem {
  const way = near === undefined ? "" : `; did you mean '${near}'?`;
  return {
    key,
    keys: [key],
    heading: `Unknown ${noun}s:`,
    line: `unknown${way}`,
    sentence: (where) => `Unknown ${noun} '${key}'${where}${way}`,
  };
}

/** A key that must be removed, and why: "it is TRL's and not supported; use max_length". */
export function unwanted(key: string, value: unknown, reason: string, heading: string, line = reason): Problem {
  return {
    key,
    keys: [key],
    heading,
    line,
    sentence: (where) => `Expected no '${key}'${where} but received ${shown(value)}: ${reason}`,
  };
}

/**
 * Settings that conflict, or a value whose sentence names more than its key.
 *
 * ```ts
 * conflict(["loss_weights", "loss_type"], "2 numbers for 'loss_weights', one for each of dpop, sft,", "1");
 * ```
 *
 * @param keys what it is about; it is listed under the first
 * @param what the expected state, up to "but received"
 * @param received the rest of the sentence
 */
export function conflict(keys: string | readonly [string, ...string[]], what: string, received: string): Problem;
/** One whole sentence, in which the place is not named. */
export function conflict(keys: string | readonly [string, ...string[]], sentence: string): Problem;
export function conflict(keys: string | readonly [string, ...string[]], what: string, received?: string): Problem {
  const all = typeof keys === "string" ? [keys] : keys;
  const sentence = (where: string) => (received === undefined ? what : expected(what, received, { where: where.trim() }));
  return { key: all[0]!, keys: all, line: lowered(sentence("")), sentence };
}

/** A sentence as it continues after a colon. */
function lowered(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/** The first ten problems as indented lines, and how many more there are: the end of a message that a colon precedes. */
export function problemLines(problems: readonly string[]): string {
  const more = problems.length > MOST_LINES ? [`… and ${problems.length - MOST_LINES} more`] : [];
  return [...problems.slice(0, MOST_LINES), ...more].map((line) => `\n  ${line}`).join("");
}

/**
 * One error for all problems: a sentence if there is one problem, otherwise a list.
 *
 * @param where the problems are, such as " in dpop.yaml"; may be empty
 * @param postscript the last line of the list
 */
export function problemsError(problems: readonly Problem[], where = "", postscript = ""): InputError {
  const [first, ...others] = problems;
  if (others.length === 0) return new InputError(first!.sentence(where));
  const headings = [...new Set(problems.map(({ heading = "" }) => heading))];
  const lines = headings.flatMap((heading) => [
    heading || "Invalid values:",
    ...problems.filter((problem) => (problem.heading ?? "") === heading).map(({ key, line }) => `  ${key}: ${line}`),
  ]);
  const title = `Expected a valid configuration${where} but received one with ${problems.length} problems:`;
  return new InputError([title, ...lines, ...(postscript ? [postscript] : [])].join("\n"));
}
