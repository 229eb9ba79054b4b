/** Python's `text.format(...)` and `format(value, specification)`. */
import { JinjaError, typeError, valueError } from "./errors";
import { aligned, character, floatDigits, generalDigits, isBelow, signText } from "./layout";
import { limits } from "./limits";
import { escape } from "./markup";
import { floatText, type Int, intText, toFloat } from "./numbers";
import { ascii, repr, str } from "./print";
import { repeat } from "./strings";
import { asInt, isInt, Markup, PyFloat, textOf, typeName, type Value } from "./values";

/** A format specification, as in `{:>10.2f}`. */
interface Spec {
  readonly fill: string;
  readonly align: string | undefined;
  readonly sign: string;
  /** Whether a negative number that is shown as zero loses its sign. */
  readonly isUnsignedZero: boolean;
  readonly isAlternate: boolean;
  readonly isZeroed: boolean;
  readonly width: number;
  readonly grouping: string | undefined;
  readonly precision: number | undefined;
  readonly type: string | undefined;
}

function parseSpec(source: string, type: string): Spec {
  const match = /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_]*)(?:\.(\d+))?([\s\S])?$/u.exec(source);
  if (!match) {
    if (/\.(?!\d)/.test(source)) throw valueError("Format specifier missing precision");
    throw valueError(`Invalid format specifier '${source}' for object of type '${type}'`);
  }
  const [, fill, align, sign, z, alternate, zero, width, grouping, precision, letter] = match;
  if (grouping!.length > 1)
    throw valueError(
      new Set(grouping!).size > 1
        ? "Cannot specify both ',' and '_'."
        : `Cannot specify '${grouping![0]}' with '${grouping![0]}'.`,
    );
  const wide = Number(width ?? 0);
  if (wide > Number.MAX_SAFE_INTEGER || Number(precision ?? 0) > Number.MAX_SAFE_INTEGER)
    throw valueError("Too many decimal digits in format string");
  limits.text(wide);
  return {
    fill: fill ?? (zero !== undefined && align === undefined ? "0" : zero !== undefined ? "0" : " "),
    align: align ?? (zero !== undefined ? "=" : undefined),
    sign: sign ?? "-",
    isUnsignedZero: z !== undefined,
    isAlternate: alternate !== undefined,
    isZeroed: zero !== undefined,
    width: wide,
    grouping: grouping === "" ? undefined : grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type: letter,
  };
}

/** `format(value, specification)`. */
export function formatValue(value: Value, specification: string): string {
  if (specification === "") return str(value);
  const text = textOf(value);
  if (value instanceof Markup) throw valueError("Unsupported format specification for Markup.");
  if (text !== undefined) return formatText(text, specification);
  if (isInt(value)) return formatInt(asInt(value), specification, typeName(value));
  if (value instanceof PyFloat) return formatFloat(value.value, specification, "float");
  throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
}

function unknownType(spec: Spec, type: string): JinjaError {
  return valueError(`Unknown format code '${spec.type}' for object of type '${type}'`);
}

function formatText(text: string, specification: string): string {
  const spec = parseSpec(specification, "str");
  if (spec.type !== undefined && spec.type !== "s") throw unknownType(spec, "str");
  if (spec.sign !== "-" || /^(?:[\s\S]?[<>=^])?-/u.test(specification))
    throw valueError(
      spec.sign === " " ? "Space not allowed in string format specifier" : "Sign not allowed in string format specifier",
    );
  if (spec.isUnsignedZero) throw valueError("Negative zero coercion (z) not allowed in string format specifier");
  if (spec.isAlternate) throw valueError("Alternate form (#) not allowed in string format specifier");
  if (spec.grouping !== undefined) throw valueError(`Cannot specify '${spec.grouping}' with 's'.`);
  const isPlainZero = spec.isZeroed && !/^(?:[\s\S])?[<>=^]/u.test(specification);
  if (spec.align === "=" && !isPlainZero) throw valueError("'=' alignment not allowed in string format specifier");
  const part = spec.precision === undefined ? text : Array.from(text).slice(0, spec.precision).join("");
  return aligned(part, spec.width, isPlainZero ? "<" : (spec.align ?? "<"), spec.fill);
}

function formatInt(value: Int, specification: string, type: string): string {
  const spec = parseSpec(specification, type === "bool" ? "bool" : "int");
  const letter = spec.type ?? "d";
  if ("eEfFgG%".includes(letter)) return formatNumber(toFloat(value), spec);
  if (!"bcdnoxX".includes(letter)) throw unknownType(spec, type === "bool" ? "bool" : "int");
  if (spec.precision !== undefined) throw valueError("Precision not allowed in integer format specifier");
  if (spec.isUnsignedZero) throw valueError("Negative zero coercion (z) not allowed in integer format specifier");
  if (letter === "c") return formatCharacter(value, spec);
  if (spec.grouping === "," && "boxX".includes(letter)) throw valueError(`Cannot specify ',' with '${letter}'.`);
  if (spec.grouping !== undefined && letter === "n") throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  const radix = { b: 2, o: 8, x: 16, X: 16 }[letter as "b"] ?? 10;
  let digits = (radix === 10 ? intText(value) : BigInt(value).toString(radix)).replace("-", "");
  if (letter === "X") digits = digits.toUpperCase();
  const prefix = spec.isAlternate && radix !== 10 ? `0${letter}` : "";
  return laidOut(signText(value < 0, spec.sign) + prefix, digits, "", spec, radix === 10 ? 3 : 4);
}

function formatCharacter(code: Int, spec: Spec): string {
  if (spec.sign !== "-") throw valueError("Sign not allowed with integer format specifier 'c'");
  if (spec.isAlternate) throw valueError("Alternate form (#) not allowed with integer format specifier 'c'");
  if (spec.grouping !== undefined) throw valueError(`Cannot specify '${spec.grouping}' with 'c'.`);
  return aligned(character(code), spec.width, spec.align === "=" ? ">" : (spec.align ?? ">"), spec.fill);
}

function formatFloat(value: number, specification: string, type: string): string {
  const spec = parseSpec(specification, type);
  if (spec.type !== undefined && !"eEfFgGn%".includes(spec.type)) throw unknownType(spec, type);
  if (spec.type === "n" && spec.grouping !== undefined) throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  return formatNumber(value, spec);
}

function formatNumber(value: number, spec: Spec): string {
  let digits: string;
  const size = Math.abs(value);
  if (spec.type === "%") {
    digits = `${floatDigits(size * 100, "f", spec.precision ?? 6, spec.isAlternate)}%`;
  } else if (spec.type === undefined) {
    digits = spec.precision === undefined ? floatText(size) : withPoint(floatDigitsBare(size, spec.precision, spec.isAlternate));
  } else digits = floatDigits(size, spec.type === "n" ? "g" : spec.type, spec.precision ?? 6, spec.isAlternate);
  const [, whole, rest] = /^(\d*)([\s\S]*)$/.exec(digits)!;
  const isZero = spec.isUnsignedZero && !/[1-9]/.test(digits.replace(/e.*/i, "")) && Number.isFinite(value);
  return laidOut(signText(isBelow(value) && !isZero, spec.sign), whole!, rest!, spec, 3);
}

/** No type, but a precision: like `g`, with at least one digit after the point. */
function floatDigitsBare(value: number, precision: number, isAlternate: boolean): string {
  if (!Number.isFinite(value)) return floatDigits(value, "g", precision, isAlternate);
  limits.copiedText(precision + 330);
  return generalDigits(value, precision, isAlternate, 1);
}

function withPoint(text: string): string {
  return /^\d+$/.test(text) ? `${text}.0` : text;
}

/** A number with separators, filled up to its width. */
function laidOut(sign: string, whole: string, rest: string, spec: Spec, group: number): string {
  const separated = (text: string) =>
    spec.grouping === undefined ? text : text.replace(new RegExp(`\\B(?=([0-9a-fA-F]{${group}})+$)`, "g"), spec.grouping);
  if (spec.align === "=" && spec.fill === "0" && spec.grouping !== undefined && /^[0-9a-fA-F]*$/.test(whole) && whole !== "") {
    // Padding zeros are grouped too, and never start with a separator.
    const room = spec.width - sign.length - rest.length;
    let digits = whole;
    while (separated(digits).length < room) {
      limits.step();
      digits = `0${digits}`;
    }
    return sign + separated(digits) + rest;
  }
  const number = separated(whole) + rest;
  if (spec.align === "=") {
    const missing = spec.width - sign.length - number.length;
    return sign + (missing > 0 ? repeat(spec.fill, missing) : "") + number;
  }
  return aligned(sign + number, spec.width, spec.align ?? ">", spec.fill);
}

/** Looks up the parts of a field's name, such as `.role` and `[0]` in `{0.role[0]}`. */
export interface FieldAccess {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

interface FormatArguments {
  readonly values: readonly Value[];
  readonly named: (name: string) => Value | undefined;
  readonly access: FieldAccess;
  /** Escapes the inserted values, for a Markup. */
  readonly isEscaped: boolean;
}

/** `template.format(...)`, like Python's `string.Formatter`. */
export function formatBraces(template: string, args: FormatArguments): string {
  const counter = { next: 0 as number | undefined };
  const text = formatLevel(template, args, counter, 2);
  limits.copiedText(text.length);
  return text;
}

function formatLevel(template: string, args: FormatArguments, counter: { next: number | undefined }, depth: number): string {
  if (depth < 0) throw valueError("Max string recursion exceeded");
  let result = "";
  let at = 0;
  while (at < template.length) {
    limits.step();
    const brace = template.slice(at).search(/[{}]/);
    if (brace < 0) return result + template.slice(at);
    result += template.slice(at, at + brace);
    at += brace;
    const character = template[at]!;
    if (template[at + 1] === character) {
      result += character;
      at += 2;
      continue;
    }
    if (character === "}") throw valueError("Single '}' encountered in format string");
    if (at + 1 >= template.length) throw valueError("Single '{' encountered in format string");
    const end = closing(template, at + 1);
    result += formatField(template.slice(at + 1, end), args, counter, depth);
    limits.text(result.length);
    at = end + 1;
  }
  return result;
}

/** The position of the brace that closes a field. */
function closing(template: string, from: number): number {
  let level = 1;
  let isIndex = false;
  for (let at = from; at < template.length; at++) {
    const character = template[at];
    if (character === "[" && level === 1) isIndex = true;
    else if (character === "]") isIndex = false;
    else if (isIndex) continue;
    else if (character === "{") level++;
    else if (character === "}" && --level === 0) return at;
  }
  throw valueError("expected '}' before end of string");
}

function formatField(field: string, args: FormatArguments, counter: { next: number | undefined }, depth: number): string {
  const match = /^((?:[^[\]{}:!]|\[[^\]]*\]?)*)(?:!([\s\S]?)([\s\S]*?)(?=:|$))?(?::([\s\S]*))?$/.exec(field);
  if (!match)
    throw field.includes("{")
      ? valueError("unexpected '{' in field name")
      : valueError("expected ':' after conversion specifier");
  const [, name = "", conversion, excess, specification = ""] = match;
  if (conversion === "") throw valueError("unmatched '{' in format spec");
  if (excess !== undefined && excess !== "") throw valueError("expected ':' after conversion specifier");
  let value = lookUp(numbered(name, counter), args);
  if (conversion !== undefined) {
    if (!Object.hasOwn(CONVERSIONS, conversion)) throw valueError(`Unknown conversion specifier ${conversion}`);
    value = CONVERSIONS[conversion]!(value);
  }
  const inner = formatLevel(specification, args, counter, depth - 1);
  if (!args.isEscaped) return formatValue(value, inner);
  if (value instanceof Markup) {
    if (inner !== "") throw valueError("Unsupported format specification for Markup.");
    return value.text;
  }
  return escape(formatValue(value, inner)).text;
}

const CONVERSIONS: Readonly<Record<string, (value: Value) => string>> = { r: repr, s: str, a: ascii };

/** The name of a field with its number, which may be left out in all fields or in none. */
function numbered(name: string, counter: { next: number | undefined }): string {
  if (/^\d+$/.test(name)) {
    if (counter.next !== undefined && counter.next > 0)
      throw valueError("cannot switch from manual field specification to automatic field numbering");
    counter.next = undefined;
  } else if (/^($|\.|\[)/.test(name)) {
    if (counter.next === undefined)
      throw valueError("cannot switch from manual field specification to automatic field numbering");
    return `${counter.next++}${name}`;
  }
  return name;
}

function lookUp(key: string, args: FormatArguments): Value {
  const [, first, rest] = /^([^.[]*)([\s\S]*)$/.exec(key)!;
  let value: Value | undefined;
  if (/^\d+$/.test(first!)) {
    value = args.values[Number(first)];
    if (value === undefined)
      throw new JinjaError("IndexError", `Replacement index ${first} out of range for positional args tuple`);
  } else {
    value = args.named(first!);
    if (value === undefined) throw new JinjaError("KeyError", repr(first!));
  }
  let left = rest!;
  while (left !== "") {
    const match = /^(?:\.([^.[]+)|\[([^\]]+)\])/.exec(left);
    if (!match) {
      if (/^(\.|\[\])/.test(left)) throw valueError("Empty attribute in format string");
      if (left.startsWith("[")) throw valueError("Missing ']' in format string");
      throw valueError("Only '.' or '[' may follow ']' in format field specifier");
    }
    const [whole, attribute, item] = match;
    value =
      attribute !== undefined
        ? args.access.attribute(value, attribute)
        : args.access.item(value, /^\d+$/.test(item!) ? Number(item) : item!);
    left = left.slice(whole.length);
  }
  return value;
}
