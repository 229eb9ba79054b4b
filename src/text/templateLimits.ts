/**
 * Limits of a template while it renders, as it is a downloaded program: time, depth of calls, and the size of every
 * text and list, which is checked before an operation makes it. Independent of the interpreter.
 */

/** Characters of a template. The longest published ones have 30,000. */
export const MOST_SOURCE = 2 ** 20;

/** Characters of one text that a template makes, printed or not. */
const MOST_TEXT = 2 ** 24;
/** Items of one list. */
const MOST_ITEMS = 1_000_000;
/** Items, and characters of texts, of all lists and texts together that are copied, not shared. */
const MOST_COPIED = { items: 20_000_000, characters: 2 ** 29 };
/**
 * Levels of expressions, blocks and macros within each other. Jinja2 ends at Python's 1000 frames, some 300 macros; here
 * the stack has room for 700, and the library takes a name for undefined where a lookup runs out of it.
 */
const MOST_LEVELS = 500;

/** A template exceeded a limit. The message says which, as the end of a sentence about the template. */
export class TemplateLimitError extends Error {}

/** The limits of one rendering. */
export class TemplateLimits {
  private deadline: number;
  private readonly before = process.cpuUsage();
  private level = 0;
  private items = 0;
  private characters = 0;

  /** @param seconds that the rendering may take; real templates need less than a millisecond */
  constructor(private readonly seconds = 5) {
    this.deadline = performance.now() + seconds * 1000;
  }

  /** Called before each node of the program is evaluated. */
  enter(): void {
    if (performance.now() > this.deadline) this.late();
    if (++this.level > MOST_LEVELS) throw tooDeep();
  }

  /** Extends the deadline, as base/timeLimit.ts does, if another process has had the processor. */
  private late(): void {
    const { user, system } = process.cpuUsage(this.before);
    if ((user + system) / 1e6 >= this.seconds / 4)
      throw new TemplateLimitError(`did not end within ${this.seconds} s and was stopped`);
    this.deadline = performance.now() + this.seconds * 1000;
  }

  /** Called after it, also when it has thrown: break and continue do. */
  leave(): void {
    this.level--;
  }

  /** Checks the length of a text before it is made, or after where that is as cheap. */
  text(characters: number): void {
    if (characters > MOST_TEXT)
      throw new TemplateLimitError(`makes a text of ${characters} characters; the limit is ${MOST_TEXT}`);
  }

  /** Checks the length of a list before it is made. */
  list(items: number): void {
    if (items > MOST_ITEMS) throw new TemplateLimitError(`makes a list of ${items} items; the limit is ${MOST_ITEMS}`);
  }

  /** Counts a text that was made by copying. */
  copiedText(characters: number): void {
    this.text(characters);
    this.characters += characters;
    if (this.characters > MOST_COPIED.characters)
      throw new TemplateLimitError(`makes texts of more than ${MOST_COPIED.characters} characters in total`);
  }

  /** Counts a list that was made by copying. */
  copiedList(items: number): void {
    this.list(items);
    this.items += items;
    if (this.items > MOST_COPIED.items)
      throw new TemplateLimitError(`makes lists of more than ${MOST_COPIED.items} items in total`);
  }
}

export interface Tree {
  readonly nodes: number;
  readonly characters: number;
}

/**
 * Counts the values in a value, each as often as it would be written. A list that holds another one twice, which holds
 * another one twice, is small in memory but huge in print.
 */
export function treeOf(value: unknown, children: (value: never) => Iterable<unknown> | string | undefined): Tree {
  let [nodes, characters] = [0, 0];
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const inner = children(rest.pop() as never);
    if (++nodes + rest.length > MOST_ITEMS)
      throw new TemplateLimitError(`has a value of more than ${MOST_ITEMS} parts, some of them in it more than once`);
    if (typeof inner === "string") characters += inner.length;
    else if (inner) for (const each of inner) rest.push(each);
    if (characters > MOST_TEXT)
      throw new TemplateLimitError(`makes a text of more than ${MOST_TEXT} characters`);
  }
  return { nodes, characters };
}

/** The limit that a template exceeded, as the end of a sentence about it; undefined for other errors. */
export function limitReason(error: unknown): string | undefined {
  if (error instanceof TemplateLimitError) return error.message;
  if (!(error instanceof RangeError)) return undefined;
  if (/call stack/i.test(error.message)) return tooDeep().message;
  return /string length|array length/i.test(error.message) ? "makes a value that does not fit into memory" : undefined;
}

function tooDeep(): TemplateLimitError {
  return new TemplateLimitError("nests or recurses too deep");
}
