/** Values of unknown type, as JSON gives them: telling them apart, and showing them in a message. */
import { printable } from "./terminal/terminal";

/** Characters of a value in a message. */
const SHOWN = 60;

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

/** A value for a message, as JSON, cut to fit, control characters escaped. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value); // JSON has no NaN
  if (Array.isArray(value) && value.length > SHOWN) return `a list of ${value.length}`;
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = "a value that is too large to show"; // or a bigint, or an object that contains itself
  }
  return excerpt(text);
}
