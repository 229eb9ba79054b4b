/** Describes an argument for the end of "Expected … but received …". Does not load libtorch. */
import { printable } from "./terminal/terminal";
import { excerpt, shortened } from "./values";

/** How many characters of a string, keys of an object and entries of a list are shown. */
const [CHARACTERS, KEYS, ENTRIES] = [40, 8, 3];

/** Describes a value of any type; for a Promise it adds the advice to await it. */
export function received(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return printable(JSON.stringify(shortened(value, CHARACTERS)));
  if (typeof value === "function") return value.name ? `the function ${excerpt(value.name, CHARACTERS)}` : "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object") return String(value);
  if (value instanceof Promise) return "a Promise; await it";
  if (Array.isArray(value)) {
    const entries = value
      .slice(0, ENTRIES)
      .map((entry) => (Array.isArray(entry) ? `a list of ${entry.length}` : received(entry)));
    return `[${[...entries, ...(value.length > ENTRIES ? ["…"] : [])].join(", ")}]`;
  }
  const name = (Object.getPrototypeOf(value) as object | null)?.constructor?.name;
  if (name !== undefined && name !== "Object") return `an object of class ${excerpt(name, CHARACTERS)}`;
  const keys = Object.keys(value).map((key) => excerpt(key, CHARACTERS));
  return keys.length === 0
    ? "an empty object"
    : `an object with ${keys.slice(0, KEYS).join(", ")}${keys.length > KEYS ? ", …" : ""}`;
}
