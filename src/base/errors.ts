/** Errors that do not depend on libtorch, and the one sentence that they have. */

/** Characters of a message: it may quote a name, a key or a path from a file, and those can have any length. */
const MAX_MESSAGE = 8000;

/** Input that cannot be used: a file, a folder, a line, a row, an option. The command line prints it and exits with 2. */
export class InputError extends Error {
  override name = "InputError";

  constructor(message: string, options?: ErrorOptions) {
    super(limited(message), options);
  }
}

/** What an error's sentence says besides what was expected and received. */
export interface Circumstances {
  /** The option, key or field. */
  readonly name?: string;
  /** Where it is: "in dpop.yaml", "on the command line". */
  readonly where?: string;
  /** What to do about it: "leave it out". */
  readonly wayOut?: string;
}

/**
 * The sentence of an error about a value.
 *
 * ```ts
 * expected("a number above 0", "0", { name: "beta", where: "in dpop.yaml" });
 * // Expected a number above 0 for 'beta' in dpop.yaml but received 0
 * ```
 *
 * Use it where its parts are variables, as in helpers that check a key given to them, or where there is a way out. A
 * sentence that names everything literally is as short, and easier to search for, as a template literal.
 *
 * @param received the value as the message shows it, see `shown` and `received` of values.ts
 */
export function expected(what: string, received: string, { name, where, wayOut }: Circumstances = {}): string {
  const about = name === undefined ? "" : ` for '${name}'`;
  const there = where ? ` ${where}` : "";
  return `Expected ${what}${about}${there} but received ${received}${wayOut === undefined ? "" : `; ${wayOut}`}`;
}

/** Both ends stay: the file is named at the beginning, or after the name that is too long. */
function limited(message: string): string {
  const half = MAX_MESSAGE / 2;
  const more = message.length - MAX_MESSAGE;
  return more > 0 ? `${message.slice(0, half)} … (${more} characters more) … ${message.slice(-half)}` : message;
}

/**
 * A value that an option cannot have. The message spells options as code does; `spelled` rewrites it for
 * places where options are spelled differently, such as a file.
 */
export class OptionError extends RangeError {
  /**
   * @param option the option whose value it is
   * @param text the message, by a function that spells an option
   */
  constructor(
    readonly option: string,
    private readonly text: (spell: (option: string) => string) => string,
    options?: ErrorOptions,
  ) {
    super(
      text((name) => name),
      options,
    );
  }

  /** The message in another spelling of the options. */
  spelled(spell: (option: string) => string): string {
    return this.text(spell);
  }
}

/** Runs `work`. An InputError that it throws becomes the error that `convert` returns. */
export function convertInputErrors<T>(work: () => T, convert: (error: InputError) => Error): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InputError ? convert(error) : error;
  }
}
