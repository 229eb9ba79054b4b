/**
 * Limits on a template while it renders, since it is a downloaded program: time, call depth, and the size of every
 * string, list and number, which is checked before an operation creates it.
 */

import { JinjaError } from "./errors";

/** Characters in a template. The longest published ones have 30,000. */
export const MOST_SOURCE = 2 ** 20;

/** Characters in one string that a template creates, printed or not. */
const MOST_TEXT = 2 ** 24;
/** Items in one list. */
const MOST_ITEMS = 1_000_000;
/** Total items and characters of all lists and strings that are copied rather than shared. */
const MOST_COPIED = { items: 20_000_000, characters: 2 ** 29 };
/** Nested calls of macros and recursive loops. Jinja2 is limited by Python's 1000 frames, some 300 macros. */
const MOST_LEVELS = 300;
/** Bits in an integer: 78,000 digits. Python prints at most 4,300. */
const MOST_BITS = 2 ** 18;
/** Steps between two checks of the clock. */
const STEPS = 256;

/** A template exceeded a limit. The message says which, as the end of a sentence about the template. */
export class TemplateLimitError extends Error {}

/** The limits of one rendering. */
export class TemplateLimits {
  private deadline: number;
  private readonly before = process.cpuUsage();
  private level = 0;
  private steps = 0;
  private items = 0;
  private characters = 0;

  /** @param seconds the time limit for the rendering; real templates need less than a millisecond */
  constructor(private readonly seconds: number) {
    this.deadline = performance.now() + seconds * 1000;
  }

  /** Counts work. Called by everything that can repeat indefinitely. */
  step(count = 1): void {
    this.steps += count;
    if (this.steps < STEPS) return;
    this.steps = 0;
    if (performance.now() > this.deadline) this.late();
  }

  /** Counts an operation that reads a whole string, in proportion to its length. */
  reading(characters: number): void {
    if (characters > 4096) this.step(characters / 1024);
  }

  /** Called before a macro or a recursive loop runs. */
  enter(): void {
    this.step();
    if (++this.level > MOST_LEVELS) throw tooDeep();
  }

  leave(): void {
    this.level--;
  }

  /** Extends the deadline, as base/timeLimit.ts does, if the processor was busy with another process. */
  private late(): void {
    const { user, system } = process.cpuUsage(this.before);
    if ((user + system) / 1e6 >= this.seconds / 4)
      throw new TemplateLimitError(`did not end within ${this.seconds} s and was stopped`);
    this.deadline = performance.now() + this.seconds * 1000;
  }

  /** Checks the length of a string before it is created, or afterwards where that costs the same. */
  text(characters: number): void {
    if (characters > MOST_TEXT)
      throw new TemplateLimitError(`makes a string of ${characters} characters; the limit is ${MOST_TEXT}`);
  }

  /** Checks the length of a list before it is created. */
  list(items: number): void {
    if (items > MOST_ITEMS) throw new TemplateLimitError(`makes a list of ${items} items; the limit is ${MOST_ITEMS}`);
  }

  /** Checks the size of an integer before it is created. */
  integer(bits: number): void {
    if (bits > MOST_BITS) throw new TemplateLimitError(`makes an integer of ${bits} bits; the limit is ${MOST_BITS}`);
    if (bits > 4096) this.step(bits / 256);
  }

  /** Counts a string created by copying. */
  copiedText(characters: number): void {
    this.text(characters);
    if (characters > 4096) this.step(characters / 4096);
    this.characters += characters;
    if (this.characters > MOST_COPIED.characters)
      throw new TemplateLimitError(`makes strings of more than ${MOST_COPIED.characters} characters in total`);
  }

  /** Counts a list created by copying. */
  copiedList(items: number): void {
    this.list(items);
    this.step(items / 64);
    this.items += items;
    if (this.items > MOST_COPIED.items)
      throw new TemplateLimitError(`makes lists of more than ${MOST_COPIED.items} items in total`);
  }
}

/** The limits of the current rendering. Rendering is synchronous, so there is only one at a time; time is not limited outside one. */
export let limits = new TemplateLimits(Infinity);

/** Runs `work` within these limits. */
export function within<T>(inner: TemplateLimits, work: () => T): T {
  const outer = limits;
  limits = inner;
  try {
    return work();
  } finally {
    limits = outer;
  }
}

/**
 * Counts the values that an operation visits within a value, once per visit. A list that holds another list twice, which
 * holds another one twice, and so on, is small in memory but huge in print.
 */
export class Parts {
  private count = 0;
  private level = 0;

  enter(): void {
    limits.step();
    if (++this.count > MOST_ITEMS)
      throw new TemplateLimitError(`has a value of more than ${MOST_ITEMS} parts, counting repeated ones`);
    if (++this.level > MOST_LEVELS) throw tooDeep();
  }

  leave(): void {
    this.level--;
  }
}

/** The limit that a template exceeded, as the end of a sentence about it; undefined for other errors. */
export function limitReason(error: unknown): string | undefined {
  if (error instanceof TemplateLimitError) return error.message;
  if (!(error instanceof RangeError)) return undefined;
  if (/call stack/i.test(error.message)) return tooDeep().message;
  return /string length|array length|BigInt/i.test(error.message) ? "makes a value that does not fit into memory" : undefined;
}

/** What keeps a template from being used at all, as the end of a sentence; undefined for unrelated errors. */
export function parseReason(error: unknown): string | undefined {
  const reason = limitReason(error);
  if (reason !== undefined) return `it does not parse: it ${reason}`;
  if (!(error instanceof JinjaError)) return undefined;
  return `${error.kind === "TemplateSyntaxError" ? "it does not parse" : "it cannot be used"}: ${error.located}`;
}

export function tooDeep(): TemplateLimitError {
  return new TemplateLimitError("nests or recurses too deep");
}
