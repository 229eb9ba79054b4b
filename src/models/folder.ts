/** A folder of weights, a model's or an adapter's: what can be wrong with it, and reading the JSON files in it. */

import { readdirSync } from "node:fs";
import { convertInputErrors, InputError } from "../base/errors";
import { parseJson, readInputText } from "../base/files/inputFiles";
import { isObject, shown } from "../base/values";

/** A model or adapter folder that cannot be used: the message names the file, and what was expected. */
export class FolderError extends InputError {
  override name = "FolderError";
}

/** Bytes of a configuration. Real ones have a few thousand. */
const MAX_CONFIG_BYTES = 8 * 2 ** 20;

/**
 * Reads a JSON file that must hold an object.
 *
 * @param expected what the file should be, such as "a model's configuration"
 * @throws FolderError when it is not a regular file, is too large or nested too deep, or is not a JSON object
 */
export function readJsonObject(file: string, expected: string, { maxBytes = MAX_CONFIG_BYTES } = {}): Record<string, unknown> {
  const value = asFolderError(() => {
    const text = readInputText(file, expected, { maxBytes });
    return parseJson(text.replace(/^\ufeff/, ""), file, expected); // some Windows editors write a byte order mark
  });
  if (isObject(value)) return value;
  throw new FolderError(`Expected a JSON object in ${file} but received ${shown(value)}`);
}

/** Runs `read`, turning its InputErrors into {@link FolderError}s. */
export function asFolderError<T>(read: () => T): T {
  return convertInputErrors(read, (error) =>
    error instanceof FolderError ? error : new FolderError(error.message, { cause: error }),
  );
}

/** Runs `fn`; what it finds wrong (`RangeError`, `TypeError`) is said to be wrong in `place`. */
export function blaming<T>(place: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    throw new FolderError(`${place}: ${error.message}`, { cause: error });
  }
}

/** The names in a folder. */
export function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new FolderError(`Expected a folder that can be read at ${folder} but received: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
