/** `str` and `repr`. */
import { unsupported } from "./errors";
import { limits, Parts } from "./limits";
import { floatText, intText } from "./numbers";
import {
  Callable,
  Dict,
  DictView,
  Instance,
  Markup,
  objectType,
  PyFloat,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values";

/** `str(value)`. */
export function str(value: Value): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return String(value);
    case "boolean":
      return value ? "True" : "False";
  }
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return value.isStrict ? value.fail() : "";
  return repr(value);
}

/** `soft_str(value)` of markupsafe: Markup stays what it is. */
export function softStr(value: Value): string | Markup {
  return value instanceof Markup ? value : str(value);
}

/** `repr(value)`. */
export function repr(value: Value): string {
  const text = write(value, new Parts());
  limits.copiedText(text.length);
  return text;
}

function write(value: Value, parts: Parts): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
    case "bigint":
      return intText(value);
    case "boolean":
      return value ? "True" : "False";
  }
  if (value === null) return "None";
  if (value instanceof PyFloat) return floatText(value.value);
  parts.enter();
  let text: string;
  if (Array.isArray(value)) text = `[${written(value, parts)}]`;
  else if (value instanceof Tuple) text = `(${written(value.items, parts)}${value.items.length === 1 ? "," : ""})`;
  else if (value instanceof Dict) text = `{${pairs(value, parts)}}`;
  else if (value instanceof DictView) text = `dict_${value.kind}([${written(value, parts)}])`;
  else text = writtenOther(value);
  parts.leave();
  limits.text(text.length);
  return text;
}

function written(values: Iterable<Value>, parts: Parts): string {
  let text = "";
  for (const value of values) {
    text += (text === "" ? "" : ", ") + write(value, parts);
    limits.text(text.length);
  }
  return text;
}

function pairs(dict: Dict, parts: Parts): string {
  let text = "";
  for (const [key, value] of dict.items()) {
    text += `${text === "" ? "" : ", "}${write(key, parts)}: ${write(value, parts)}`;
    limits.text(text.length);
  }
  return text;
}

function writtenOther(value: Exclude<Value, Value[] | Tuple | Dict | DictView>): string {
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Range)
    return value.step === 1 ? `range(${value.start}, ${value.stop})` : `range(${value.start}, ${value.stop}, ${value.step})`;
  const shown = value instanceof Instance ? value.shown() : value instanceof Callable ? value.shown : undefined;
  if (shown !== undefined) return shown;
  throw unsupported(`printing a ${typeName(value)}, which Python prints with an address in memory,`);
}

/** The characters that `repr` escapes: unprintable ones, and white space other than a space. */
const UNPRINTABLE = /[\\\p{C}\p{Z}]/u;
const UNPRINTABLES = new RegExp(UNPRINTABLE, "gu");

/** Strings that are printed between quotes unchanged. */
const PLAIN = /^[ !#-&(-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `'${text}'`;
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let inner = UNPRINTABLE.test(text) ? text.replace(UNPRINTABLES, escaped) : text;
  if (quote === "'" && inner.includes("'")) inner = inner.replaceAll("'", "\\'");
  return `${quote}${inner}${quote}`;
}

const NAMED: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", " ": " " };

function escaped(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0)!;
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(digits as number, "0")}`;
}

/** `ascii(value)`. */
export function ascii(value: Value): string {
  return repr(value).replace(/[^\0-\x7f]/gu, escaped);
}

/** A value in a message. */
function described(value: Value): string {
  try {
    return literal(value);
  } catch {
    return `<${typeName(value)}>`;
  }
}

/** The value of a name that does not exist; or of an object's attribute or item. */
export function missing(name: Value, isStrict: boolean, object?: Value): Undefined {
  return new Undefined(() => {
    if (object === undefined) return `${described(name)} is undefined`;
    if (typeof name !== "string") return `${objectType(object)} has no element ${described(name)}`;
    return `${described(objectType(object))} has no attribute ${described(name)}`;
  }, isStrict);
}

/** A value as quoted in errors of Python's `int` and `float`. */
export function literal(value: Value): string {
  return typeof value === "string" ? quoted(value) : repr(value);
}
