/** Errors that do not depend on libtorch. */

/** Input that cannot be used: a file, a folder, a line, a row, an option. The command line prints it and exits with 2. */
export class InputError extends Error {
  override name = "InputError";
}

/** Runs `work`. An InputError that it throws becomes the error that `convert` returns. */
export function convertInputErrors<T>(work: () => T, convert: (error: InputError) => Error): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InputError ? convert(error) : error;
  }
}
