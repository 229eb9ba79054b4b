/** Errors that do not depend on libtorch. */

/** Input that cannot be used: a file, a folder, a line, a row, an option. The command line prints it and exits with 2. */
export class InputError extends Error {
  override name = "InputError";
}
