/**
 * Options objects at public edges. TypeScript finds a misspelt option at compile time; this finds it for JavaScript,
 * where it would be ignored. Needs no libtorch; torch/options.ts checks the object's type as well.
 */
import { nearest } from "./names";

/** Throws unless all keys of `options` are in `allowed`, naming the nearest. `name` is what takes them. */
export function expectOptions(name: string, options: object, allowed: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue;
    const near = nearest(key, allowed);
    const hint = near === undefined ? "" : `; did you mean '${near}'?`;
    throw new TypeError(`Expected options of '${name}' (${allowed.join(", ")}) but received '${key}'${hint}`);
  }
}
