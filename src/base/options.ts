/**
 * Checks of the options objects that the public API takes. TypeScript finds a misspelt option at compile time; this finds
 * it in JavaScript and in options passed through a variable, where it would be ignored.
 */
import { expected } from "./errors";
import { didYouMean } from "./names";
import { received } from "./values";

/** Longer lists are left out of the message, which then only suggests the nearest name. */
const MOST_LISTED = 20;

/**
 * Throws unless `options` is an object with no keys other than those in `allowed`.
 *
 * @param name the function that takes the options, for the message
 * @throws TypeError that lists the options and names the nearest one
 */
export function checkOptions(name: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options) || options instanceof Promise)
    throw new TypeError(expected("an object of options", received(options), { name }));
  for (const key of Object.keys(options))
    if (!allowed.includes(key)) {
      const list = allowed.length > MOST_LISTED ? "" : ` (${allowed.join(", ")})`;
      throw new TypeError(`Expected options of '${name}'${list} but received '${key}'${didYouMean(key, allowed)}`);
    }
}

/**
 * Throws unless `value` is a function or undefined.
 *
 * @throws TypeError
 */
export function expectCallback(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== "function") throw new TypeError(expected("a function", received(value), { name }));
}

/**
 * Throws unless `value` is a non-empty string, which could name a file or folder.
 *
 * @param what the expected value, such as "a folder"
 * @throws TypeError
 */
export function expectPath(value: unknown, name: string, what: string): asserts value is string {
  if (typeof value !== "string" || value === "") throw new TypeError(expected(what, received(value), { name }));
}

/** A copy without undefined options, so that they do not override a default. */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
