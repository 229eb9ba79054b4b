/**
 * Values of unknown type: telling them apart, and showing them at the end of "Expected … but received …". What a file
 * holds is shown as JSON (`shown`); an argument of a call is described in words (`received`) or as code
 * (`receivedInCode`).
 */
import { printable } from "./terminal/printable";

/** Characters of a value in a message. */
const SHOWN = 60;

/** A parsed JSON object; its values are unchecked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object with keys: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text for a message, cut to fit. */
export function shortened(text: string, length = SHOWN): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** A piece of a file for a message, cut to fit, its control characters escaped. */
export function excerpt(text: string, length = SHOWN): string {
  return printable(shortened(text, length));
}

/** Names for a message: the first few, or "nothing". */
export function listed(names: readonly string[], most = 5): string {
  if (names.length === 0) return "nothing";
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}

/** Strings to choose from, for a message: `"none", "all" or "lora_only"`. */
export function quotedChoices(choices: readonly string[]): string {
  const quoted = choices.map((each) => JSON.stringify(each));
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter(Boolean).join(" or ");
}

/** A value for a message, as JSON, cut to fit, control characters escaped. */
export function shown(value: unknown, length = SHOWN): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value); // JSON has no NaN
  if (Array.isArray(value) && value.length > SHOWN) return `a list of ${value.length}`;
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = "a value that is too large to show"; // or a bigint, or an object that contains itself
  }
  return excerpt(text, length);
}

/** Characters of a string, and keys of an object, in the description of an argument. */
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
  const items = Array.from(values.slice(0, most), describe); // holes too
  return `[${[...items, ...(values.length > most ? ["…"] : [])].join(", ")}]`;
}

function keyList(keys: readonly string[]): string {
  const names = keys.slice(0, KEYS).map((key) => excerpt(key, CHARACTERS));
  return `${names.join(", ")}${keys.length > KEYS ? ", …" : ""}`;
}

function ownDescription(value: object): string | undefined {
  const describe = (value as { [description]?: unknown })[description];
  return typeof describe === "function" ? String(describe.call(value)) : undefined;
}

function className(value: object): string | undefined {
  return (Object.getPrototypeOf(value) as object | null)?.constructor?.name;
}
