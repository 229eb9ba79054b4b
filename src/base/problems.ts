/** What is wrong with a configuration, collected so that one message names all of it. */
import { InputError } from "./errors";
import { shown } from "./values";

export interface Problem {
  /** The key, as the user writes it. */
  readonly key: string;
  /** The heading it is listed under; invalid values have none. */
  readonly heading?: string;
  /** Follows the key in a list: "expected a number above 0 but received 0". */
  readonly line: string;
  /** The whole message when this is the only problem; `where` is empty or " in dpop.yaml". */
  sentence(where: string): string;
  readonly wayOut?: string;
}

/** An invalid value. `received` is the value as the message shows it. */
export function unfit(key: string, expected: string, received: string, wayOut?: string): Problem {
  const way = wayOut === undefined ? "" : `; ${wayOut}`;
  return {
    key,
    wayOut,
    line: `expected ${expected} but received ${received}${way}`,
    sentence: (where) => `Expected ${expected} for '${key}'${where} but received ${received}${way}`,
  };
}

/** A required key that is missing; `meaning` says what it is for. */
export function missing(key: string, meaning: string): Problem {
  return {
    key,
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
    heading: `Unknown ${noun}s:`,
    line: `unknown${way}`,
    sentence: (where) => `Unknown ${noun} '${key}'${where}${way}`,
  };
}

/** A key that must be removed, and why: "it is TRL's and not supported; use max_length". */
export function unwanted(key: string, value: unknown, reason: string, heading: string, line = reason): Problem {
  return { key, heading, line, sentence: (where) => `Expected no '${key}'${where} but received ${shown(value)}: ${reason}` };
}

/** Settings that conflict, or anything else that takes a full sentence: "Expected … but received …". */
export function conflict(key: string, sentence: string): Problem {
  return {
    key,
    line: sentence.replace(/^Expected/, "expected"),
    sentence: (where) => sentence.replace(" but received ", () => `${where} but received `),
  };
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
