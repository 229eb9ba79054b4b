/** Input that cannot be used: a file, a line, a row. The command line exits with 2, after the message alone. */
export class InputError extends Error {
  override name = "InputError";
}
