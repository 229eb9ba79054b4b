/** Errors that do not depend on libtorch. */

/** Characters of a message: it may quote a name, a key or a path from a file, and those can have any length. */
const MAX_MESSAGE = 8000;

/** Input that cannot be used: a file, a folder, a line, a row, an option. The command line prints it and exits with 2. */
export class InputError extends Error {
  override name = "InputError";

  constructor(message: string, options?: ErrorOptions) {
    super(shortened(message), options);
  }
}

/** Both ends stay: the file is named at the beginning, or after the name that is too long. */
function shortened(message: string): string {
  const half = MAX_MESSAGE / 2;
  const more = message.length - MAX_MESSAGE;
  return more > 0 ? `${message.slice(0, half)} … (${more} characters more) … ${message.slice(-half)}` : message;
}

/** Runs `work`. An InputError that it throws becomes the error that `convert` returns. */
export function convertInputErrors<T>(work: () => T, convert: (error: InputError) => Error): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InputError ? convert(error) : error;
  }
}
