/**
 * What Python makes of values in a chat template, where `@huggingface/jinja` follows JavaScript: texts of values,
 * equality, white space, dates. Values are the library's: an object with a `type` such as "StringValue" and a `value`.
 */
import { type Tree, treeOf } from "./templateLimits";

/** A value while a template runs. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** `str(value)`. */
export function text(value: Value): string {
  if (value.type === "StringValue") return value.value as string;
  if (value.type === "UndefinedValue") return "";
  measure(value);
  return repr(value);
}

/** The size of a value when all of it is written. @throws TemplateLimitError when that is too much */
export function measure(value: Value): Tree {
  return treeOf(value, ({ type, value: inner }: Value) => {
    if (type === "StringValue") return inner as string;
    if (type === "ArrayValue" || type === "TupleValue") return inner as Value[];
    return inner instanceof Map ? inner.values() : undefined;
  });
}

/** `repr(value)`. */
function repr({ type, value }: Value): string {
  const list = (items: unknown) => (items as Value[]).map(repr).join(", ");
  switch (type) {
    case "StringValue":
      return quoted(value as string);
    case "FloatValue":
      return float(value as number);
    case "BooleanValue":
      return value ? "True" : "False";
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "Undefined";
    case "ArrayValue":
      return `[${list(value)}]`;
    case "TupleValue":
      return `(${list(value)}${(value as Value[]).length === 1 ? "," : ""})`;
    case "ObjectValue":
      return `{${[...(value as Map<string, Value>)].map(([key, each]) => `${quoted(key)}: ${repr(each)}`).join(", ")}}`;
    default:
      return String(value);
  }
}

const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // Python's str.isprintable: no control, format, private or unassigned characters, and no space but the space.
  const body = text.replace(/\\|(?! )[\p{C}\p{Z}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    const [letter, width] = code > 0xffff ? ["U", 8] : code > 0xff ? ["u", 4] : ["x", 2];
    return escapes[character] ?? `\\${letter}${code.toString(16).padStart(width as number, "0")}`;
  });
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
}

function float(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return Number.isInteger(value) ? (Object.is(value, -0) ? "-0.0" : value.toFixed(1)) : String(value);
}

/** `a == b`: by value, and never across kinds, but for numbers and booleans. */
export function equal(a: Value, b: Value): boolean {
  if (typeof a.value === "object" && a.value !== null) measure(a);
  return isEqual(a, b);
}

function isEqual(a: Value, b: Value): boolean {
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (kind !== other) return false;
  if (kind === "number") return Number(a.value) === Number(b.value);
  if (kind === "NullValue" || kind === "UndefinedValue") return true;
  if (kind === "ArrayValue" || kind === "TupleValue") {
    const [left, right] = [a.value as Value[], b.value as Value[]];
    return left.length === right.length && left.every((item, i) => isEqual(item, right[i]!));
  }
  if (kind === "ObjectValue") {
    const [left, right] = [a.value as Map<string, Value>, b.value as Map<string, Value>];
    return left.size === right.size && [...left].every(([key, item]) => right.has(key) && isEqual(item, right.get(key)!));
  }
  return a.value === b.value;
}

function kindOf({ type }: Value): string {
  return type === "IntegerValue" || type === "FloatValue" || type === "BooleanValue" ? "number" : type;
}

/** What `str.strip` takes off when it is not told. */
const whiteSpace =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
  "\u2028\u2029\u202f\u205f\u3000";

/** `str.strip`, `lstrip` and `rstrip`: takes any of `characters` off the ends. */
export function strip(text: string, side: "strip" | "lstrip" | "rstrip", characters = whiteSpace): string {
  const taken = new Set(characters);
  const points = Array.from(text);
  let [start, end] = [0, points.length];
  if (side !== "rstrip") while (start < end && taken.has(points[start]!)) start++;
  if (side !== "lstrip") while (end > start && taken.has(points[end - 1]!)) end--;
  return points.slice(start, end).join("");
}

/** `str.capitalize`. */
export function capitalize(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** `range`, with the limit of Jinja's sandbox. */
export function range(start: number, stop?: number, step = 1): number[] {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  if (![first, end, step].every(Number.isSafeInteger) || step === 0)
    throw new Error("range() takes integers, and a step that is not 0");
  const count = Math.max(0, Math.ceil((end - first) / step));
  if (count > 100_000) throw new Error(`range() of ${count} numbers is too big; templates may have 100000`);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

const months = "January February March April May June July August September October November December".split(" ");
const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** `datetime.strftime` in the C locale; `%-d` and its like leave leading zeros out. */
export function strftime(date: Date, format: string): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  const time = () => `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const dayOfYear = () => {
    const since = (year: number, month: number, day: number) => Date.UTC(year, month, day) / 86_400_000;
    return since(date.getFullYear(), date.getMonth(), date.getDate()) - since(date.getFullYear(), 0, 0);
  };
  const fields: Record<string, () => string> = {
    Y: () => pad(date.getFullYear(), 4),
    y: () => pad(date.getFullYear() % 100),
    m: () => pad(date.getMonth() + 1),
    d: () => pad(date.getDate()),
    j: () => pad(dayOfYear(), 3),
    H: () => pad(date.getHours()),
    I: () => pad(date.getHours() % 12 || 12),
    M: () => pad(date.getMinutes()),
    S: () => pad(date.getSeconds()),
    f: () => pad(date.getMilliseconds() * 1000, 6),
    p: () => (date.getHours() < 12 ? "AM" : "PM"),
    B: () => months[date.getMonth()]!,
    b: () => months[date.getMonth()]!.slice(0, 3),
    A: () => days[date.getDay()]!,
    a: () => days[date.getDay()]!.slice(0, 3),
    F: () => `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`,
    T: time,
    X: time,
    "%": () => "%",
  };
  return format.replace(/%(-?)(.)/gs, (field, bare: string, letter: string) => {
    const value = fields[letter]?.();
    if (value === undefined) throw new Error(`strftime_now() does not know ${field}`);
    return bare ? value.replace(/^0+(?=.)/, "") : value;
  });
}
