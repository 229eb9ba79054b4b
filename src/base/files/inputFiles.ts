/**
 * Reads files from outside, within limits. A FIFO or a device never ends, a huge file does not fit in memory, and
 * deeply nested JSON overflows the stack of the code that walks it: each is an {@link InputError} that names the file.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { InputError } from "../errors";
import { parseJsonText } from "../formats/pythonJson";

/**
 * Largest file that is read into memory at once, in bytes, unless the caller sets another limit. V8's longest string is
 * 512 MiB.
 */
export const MAX_INPUT_BYTES = 500 * 2 ** 20;
/** Levels of lists and objects; Python's json stops near 1000. */
const MAX_DEPTH = 500;

/**
 * Opens a regular file for reading and returns its descriptor, which the caller closes.
 *
 * @param expected what the file should be, such as "a configuration"
 */
export function openInput(path: string, expected: string): number {
  const descriptor = attempt(path, expected, () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return descriptor;
  closeSync(descriptor);
  throw new InputError(`Expected ${expected} at ${path} but received ${kindOf(stats)}`);
}

/** Checks that `path` is a regular file, following links. For readers that open it themselves. */
export function expectRegularFile(path: string, expected: string): Stats {
  const stats = attempt(path, expected, () => statSync(path));
  if (stats.isFile()) return stats;
  throw new InputError(`Expected ${expected} at ${path} but received ${kindOf(stats)}`);
}

/** Reads a whole regular file of at most `maxBytes`. */
export function readInput(path: string, expected: string, { maxBytes = MAX_INPUT_BYTES } = {}): Buffer {
  const descriptor = openInput(path, expected);
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxBytes)
      throw new InputError(`Expected ${expected} of at most ${maxBytes} bytes at ${path} but received ${size} bytes`);
    return attempt(path, expected, () => readFileSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Reads a whole regular file as UTF-8. */
export function readInputText(path: string, expected: string, limits?: { maxBytes?: number }): string {
  return readInput(path, expected, limits).toString("utf8");
}

/** Reads a JSON file. */
export function readInputJson(path: string, expected: string, limits?: { maxBytes?: number }): unknown {
  return parseJson(readInputText(path, expected, limits), path, expected);
}

/**
 * Parses JSON of at most {@link MAX_DEPTH} levels. `place` is the file, or the file and the line.
 *
 * ```ts
 * const config = parseJson(text, "models/tiny/config.json", "a model's configuration");
 * ```
 */
export function parseJson(text: string, place: string, expected: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`Expected ${expected} as JSON in ${place} but received: ${(error as Error).message}`);
  }
  // A value of that depth takes at least two characters per level.
  if (text.length > 2 * MAX_DEPTH) expectShallow(value, place);
  return value;
}

/**
 * Like {@link parseJson}, but returns undefined for text that is not JSON, for callers that accept other text too. NaN and
 * Infinity are numbers, as in Python.
 *
 * @returns undefined for text that is not JSON
 */
export function parseIfJson(text: string, place: string): unknown {
  let value: unknown;
  try {
    value = parseJsonText(text);
  } catch {
    return undefined;
  }
  expectShallow(value, place);
  return value;
}

/** @throws InputError when lists and objects are nested too deep */
export function expectShallow(value: unknown, place: string): void {
  if (isNested(value) && isDeeper(value, MAX_DEPTH))
    throw new InputError(`Expected at most ${MAX_DEPTH} levels of lists and objects in ${place} but received more`);
}

/** Allocates nothing, as it runs on every row of a data file. */
function isDeeper(value: object, levels: number): boolean {
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const each: unknown = value[i];
      if (isNested(each) && isDeeper(each, levels - 1)) return true;
    }
    return false;
  }
  for (const key in value) {
    const each = (value as Record<string, unknown>)[key];
    if (isNested(each) && isDeeper(each, levels - 1)) return true;
  }
  return false;
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;

function attempt<T>(path: string, expected: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = code === "ENOENT" ? "there is none" : code === "ENXIO" ? "received a socket" : `received: ${message}`;
    throw new InputError(`Expected ${expected} at ${path} but ${found}`, { cause: error });
  }
}

/** What is there in place of a regular file, such as "a named pipe". */
export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

/** The files that in-memory values were read from. */
const origins = new WeakMap<object, Set<string>>();

/**
 * Records that a value was read from a file, so that a run that a program starts does not overwrite the file. Copies of
 * the value, such as a filtered array, have no recorded origin.
 */
export function recordOrigin(value: object, path: string): void {
  const paths = origins.get(value) ?? new Set();
  origins.set(value, paths.add(path));
}

/** The files that a value was read from. */
export function originsOf(value: object): readonly string[] {
  return [...(origins.get(value) ?? [])];
}
