/** Describes an argument for the end of "Expected … but received …". Does not load libtorch. */
import { printable } from "./terminal/terminal";
import { excerpt, shortened } from "./values";

/** Characters of a string, and keys of an object, that are shown. */
const [CHARACTERS, KEYS] = [40, 8];

/** A class whose objects describe themselves in messages has a method of this name: it returns a few words. */
export const description = Symbol("smaug.description");

/** Describes a value of any type in words; for a Promise it adds the advice to await it. */
export function received(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "function") return value.name ? `the function ${excerpt(value.name, CHARACTERS)}` : "a function";
  if (typeof value !== "object" || value === null) return primitive(value);
  if (value instanceof Promise) return "a Promise; await it";
  if (Array.isArray(value))
    return list(value, 3, (entry) => (Array.isArray(entry) ? `a list of ${entry.length}` : received(entry)));
  const own = ownDescription(value);
  if (own !== undefined) return own;
  const name = className(value);
  if (name !== undefined && name !== "Object") return `an object of class ${excerpt(name, CHARACTERS)}`;
  const keys = Object.keys(value);
  return keys.length === 0 ? "an empty object" : `an object with ${keyList(keys)}`;
}

/** Describes a value as it would be written in a call, for messages about whole argument lists: `[1, 2]`, `{ dim }`. */
export function receivedInCode(value: unknown, depth = 2): string {
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return primitive(value);
  if (Array.isArray(value)) return list(value, depth === 0 ? 0 : 4, (entry) => receivedInCode(entry, depth - 1));
  const own = ownDescription(value);
  if (own !== undefined) return own;
  const name = className(value);
  const isPlain = Object.getPrototypeOf(value) === null || name === "Object";
  return isPlain ? `{ ${keyList(Object.keys(value))} }` : `an object (${excerpt(name ?? "no class", CHARACTERS)})`;
}

function primitive(value: unknown): string {
  if (typeof value === "string") return printable(JSON.stringify(shortened(value, CHARACTERS)));
  return typeof value === "bigint" ? `${value}n` : String(value);
}

function list(values: readonly unknown[], most: number, describe: (entry: unknown) => string): string {
  const shown = Array.from(values.slice(0, most), describe); // holes too
  return `[${[...shown, ...(values.length > most ? ["…"] : [])].join(", ")}]`;
}

function keyList(keys: readonly string[]): string {
  const shown = keys.slice(0, KEYS).map((key) => excerpt(key, CHARACTERS));
  return `${shown.join(", ")}${keys.length > KEYS ? ", …" : ""}`;
}

function ownDescription(value: object): string | undefined {
  const describe = (value as { [description]?: unknown })[description];
  return typeof describe === "function" ? String(describe.call(value)) : undefined;
}

function className(value: object): string | undefined {
  return (Object.getPrototypeOf(value) as object | null)?.constructor?.name;
}
