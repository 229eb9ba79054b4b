/** What is wrong with a folder of weights, a model's or an adapter's, and reading the JSON in it. */
import { readFileSync } from "node:fs";
import { InputError } from "../native/errors";

/** A model or adapter folder that cannot be used: the message names the file, and what was expected. */
export class FolderError extends InputError {
  override name = "FolderError";
}

/** Parses a JSON file that must hold an object. */
export function readJsonObject(file: string): Record<string, unknown> {
  const value = parseJson(file);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FolderError(`Expected a JSON object in ${file} but received ${JSON.stringify(value).slice(0, 60)}`);
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw new FolderError(`Expected JSON in ${file} but received something else: ${message}`);
    throw new FolderError(`Expected a file that can be read at ${file} but received ${code}`);
  }
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
