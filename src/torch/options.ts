/** Options objects of the binding and of what stands on it. */
export { checkOptions } from "../base/options";

/** Without the options that are undefined, so that they do not hide a default. */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
