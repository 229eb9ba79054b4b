/**
 * Options objects at public edges. TypeScript finds a misspelt option at compile time; this finds it for JavaScript,
 * and for options that come from a variable, where it would be ignored.
 */
import { didYouMean } from "./nearest";
import { received } from "./received";

/** More names than this say less than the nearest one alone. */
const MOST_LISTED = 20;

/**
 * Throws unless `options` is an object whose keys are all in `allowed`.
 *
 * @param name what takes the options, for the message
 * @throws TypeError that lists the options and names the nearest one
 */
export function checkOptions(name: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options) || options instanceof Promise)
    throw new TypeError(`Expected an object of options for '${name}' but received ${received(options)}`);
  for (const key of Object.keys(options))
    if (!allowed.includes(key)) {
      const list = allowed.length > MOST_LISTED ? "" : ` (${allowed.join(", ")})`;
      throw new TypeError(`Expected options of '${name}'${list} but received '${key}'${didYouMean(key, allowed)}`);
    }
}

/**
 * Throws unless `value` is a function or left out.
 *
 * @throws TypeError
 */
export function expectCallback(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== "function")
    throw new TypeError(`Expected a function for '${name}' but received ${received(value)}`);
}

/**
 * Throws unless `value` is a text that could name a file or folder.
 *
 * @param what such as "a folder"
 * @throws TypeError
 */
export function expectPath(value: unknown, name: string, what: string): asserts value is string {
  if (typeof value !== "string" || value === "")
    throw new TypeError(`Expected ${what} for '${name}' but received ${received(value)}`);
}

/** Without the options that are undefined, so that they do not hide a default. */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
