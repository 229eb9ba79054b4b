/**
 * Options objects at public edges. TypeScript finds a misspelt option at compile time; this finds it for JavaScript,
 * where it would be ignored.
 */
import { expectOptions } from "../base/options";
import { describeValue } from "./operators";

/** Throws unless `options` is an object whose keys are all in `allowed`. `name` is what takes them. */
export function checkOptions(name: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new TypeError(`Expected an object of options for '${name}' but received ${describeValue(options)}`);
  expectOptions(name, options, allowed);
}

/** Without the options that are undefined, so that they do not hide a default. */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
