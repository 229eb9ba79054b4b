/** Python's formatting: `text % values`, `text.format(...)` and the format specifications of both. */
import { JinjaError, typeError, valueError } from "./errors";
import { limits } from "./limits";
import { escape } from "./markup";
import { type Int, exponentText, fixed, floatText, intText, scientific, small, toFloat, truncated } from "./numbers";
import { ascii, repr, str } from "./print";
import { repeat } from "./strings";
import { Dict, Markup, PyFloat, Range, Tuple, Undefined, type Value, asInt, codePoints, isInt, textOf, typeName } from "./values";

const CONVERSION = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S])?/y;

/** `template % values`. */
export function formatPercent(template: string | Markup, values: Value): Value {
  const isMarkup = template instanceof Markup;
  const source = isMarkup ? template.text : template;
  const shownText = (value: Value) => (isMarkup ? escape(value).text : str(value));
  const list = values instanceof Tuple ? values.items : undefined;
  // Values with items may go unused, like a mapping whose keys the template does not name.
  const isMapping = values instanceof Dict || Array.isArray(values) || values instanceof Range || values instanceof Undefined;
  let next = 0;
  let isNamed = false;
  const take = (): Value => {
    if (list) {
      if (next < list.length) return list[next++]!;
    } else if (next++ === 0) return values;
    throw typeError("not enough arguments for format string");
  };
  const star = (text: string | undefined): Int | undefined => {
    if (text === undefined) return undefined;
    if (text !== "*") return Number(text);
    const value = take();
    if (isInt(value)) return small(asInt(value));
    throw typeError("* wants int");
  };
  let result = "";
  for (let at = 0; at < source.length; ) {
    const percent = source.indexOf("%", at);
    if (percent < 0) {
      result += source.slice(at);
      break;
    }
    result += source.slice(at, percent);
    CONVERSION.lastIndex = percent;
    const match = CONVERSION.exec(source)!;
    const [whole, name, flags = "", widthText, precisionText, letter] = match;
    at = percent + whole.length;
    let argument: Value | undefined;
    if (name !== undefined) {
      if (values instanceof Undefined) values.fail();
      if (!(values instanceof Dict)) throw typeError("format requires a mapping");
      isNamed = true;
      const key = name;
      argument = values.get(key);
      if (argument === undefined) throw new JinjaError("KeyError", repr(key));
    } else if (source[percent + 1] === "(") throw valueError("incomplete format key");
    let width = Number(star(widthText) ?? 0);
    const isLeft = flags.includes("-") || width < 0;
    width = Math.abs(width);
    const precision =
      precisionText === undefined ? undefined : Math.max(0, Number(star(precisionText === "" ? "0" : precisionText)));
    limits.text(result.length + width + (precision ?? 0));
    if (letter === undefined) throw valueError("incomplete format");
    if (whole === "%%") {
      result += "%";
      continue;
    }
    if (!"diouxXeEfFgGcrsa".includes(letter))
      throw valueError(
        `unsupported format character '${letter}' (0x${letter.charCodeAt(0).toString(16)}) at index ${codePoints(source.slice(0, at)) - 1}`,
      );
    argument ??= take();
    result += converted(letter, argument, { flags, width, isLeft, precision }, shownText, isMarkup);
  }
  if (list ? next < list.length && !isNamed : next === 0 && !isNamed && !isMapping)
    throw typeError("not all arguments converted during string formatting");
  limits.copiedText(result.length);
  return isMarkup ? new Markup(result) : result;
}

interface Conversion {
  readonly flags: string;
  readonly width: number;
  readonly isLeft: boolean;
  readonly precision: number | undefined;
}

function converted(
  letter: string,
  value: Value,
  { flags, width, isLeft, precision }: Conversion,
  text: (value: Value) => string,
  isEscaped: boolean,
): string {
  const sign = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "-";
  const isZeroed = flags.includes("0") && !isLeft;
  const isAlternate = flags.includes("#");
  switch (letter) {
    case "s":
    case "r":
    case "a": {
      const whole = letter === "s" ? text(value) : letter === "r" ? repr(value) : ascii(value);
      const shown = isEscaped && letter !== "s" ? escape(whole).text : whole;
      const part = precision === undefined ? shown : Array.from(shown).slice(0, precision).join("");
      return aligned(part, width, isLeft ? "<" : ">", " ");
    }
    case "c": {
      if (isInt(value)) return aligned(character(asInt(value), "%c arg not in range(0x110000)"), width, isLeft ? "<" : ">", " ");
      const only = textOf(value);
      if (only === undefined || codePoints(only) !== 1) throw typeError("%c requires int or char");
      return aligned(only, width, isLeft ? "<" : ">", " ");
    }
    case "d":
    case "i":
    case "u":
    case "o":
    case "x":
    case "X": {
      const isDecimal = "diu".includes(letter);
      let number: Int;
      if (isInt(value)) number = asInt(value);
      else if (value instanceof PyFloat && isDecimal) number = truncated(value.value);
      else if (value instanceof Undefined && isDecimal) return value.fail();
      else
        throw typeError(
          isDecimal
            ? `%${letter} format: a real number is required, not ${typeName(value)}`
            : `%${letter} format: an integer is required, not ${typeName(value)}`,
        );
      const isNegative = number < 0;
      let digits = isDecimal
        ? intText(number).replace("-", "")
        : BigInt(number)
            .toString(letter === "o" ? 8 : 16)
            .replace("-", "");
      if (letter === "X") digits = digits.toUpperCase();
      if (precision !== undefined) digits = digits.padStart(precision, "0");
      const prefix = isAlternate && !isDecimal ? `0${letter}` : "";
      return numberAligned(signText(isNegative, sign) + prefix, digits, width, isLeft, isZeroed);
    }
    default: {
      let number: number;
      if (value instanceof PyFloat) number = value.value;
      else if (isInt(value)) number = toFloat(asInt(value));
      else if (value instanceof Undefined) return value.fail();
      else throw typeError(`must be real number, not ${typeName(value)}`);
      const digits = floatDigits(number, letter, precision ?? 6, isAlternate);
      return numberAligned(signText(isBelow(number), sign), digits, width, isLeft, isZeroed);
    }
  }
}

function isBelow(number: number): boolean {
  return number < 0 || Object.is(number, -0);
}

function signText(isNegative: boolean, sign: string): string {
  return isNegative ? "-" : sign === "-" ? "" : sign;
}

function numberAligned(sign: string, digits: string, width: number, isLeft: boolean, isZeroed: boolean): string {
  if (isZeroed) return sign + "0".repeat(Math.max(0, width - sign.length - digits.length)) + digits;
  return aligned(sign + digits, width, isLeft ? "<" : ">", " ");
}

function character(code: Int, message: string): string {
  if (code < 0 || code > 0x10ffff) throw new JinjaError("OverflowError", message);
  return String.fromCodePoint(Number(code));
}

function aligned(text: string, width: number, align: string, fill: string): string {
  const missing = width - codePoints(text);
  if (missing <= 0) return text;
  limits.text(text.length + missing);
  const left = align === "<" ? 0 : align === ">" ? missing : Math.floor(missing / 2);
  return repeat(fill, left) + text + repeat(fill, missing - left);
}

/** The digits of a float without its sign, in the format `e`, `f`, `g` or a capital one. */
function floatDigits(value: number, letter: string, precision: number, isAlternate: boolean): string {
  const isUpper = letter < "a";
  if (!Number.isFinite(value)) {
    const text = Number.isNaN(value) ? "nan" : "inf";
    return isUpper ? text.toUpperCase() : text;
  }
  limits.copiedText(precision + 330);
  let text: string;
  switch (letter.toLowerCase()) {
    case "f":
      text = fixed(value, precision);
      if (isAlternate && precision === 0) text += ".";
      break;
    case "e": {
      const { digits, power } = scientific(value, precision);
      text = `${pointed(digits, isAlternate)}e${exponentText(power)}`;
      break;
    }
    default: {
      const figures = precision === 0 ? 1 : precision;
      const { digits, power } = scientific(value, figures - 1);
      if (power < -4 || power >= figures) {
        const kept = isAlternate ? digits : digits.replace(/(?<=.)0+$/, "");
        text = `${pointed(kept, isAlternate)}e${exponentText(power)}`;
      } else {
        text = fixed(value, figures - 1 - power);
        if (!isAlternate && text.includes(".")) text = text.replace(/\.?0+$/, "");
        else if (isAlternate && !text.includes(".")) text += ".";
      }
    }
  }
  return isUpper ? text.toUpperCase() : text;
}

function pointed(digits: string, isAlternate: boolean): string {
  return digits.length > 1 || isAlternate ? `${digits[0]}.${digits.slice(1)}` : digits;
}

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
  if ("eEfFgG%".includes(letter)) return formatNumber(toFloat(value), spec, "int");
  if (!"bcdnoxX".includes(letter)) throw unknownType(spec, type === "bool" ? "bool" : "int");
  if (spec.precision !== undefined) throw valueError("Precision not allowed in integer format specifier");
  if (spec.isUnsignedZero) throw valueError("Negative zero coercion (z) not allowed in integer format specifier");
  if (letter === "c") {
    if (spec.sign !== "-") throw valueError("Sign not allowed with integer format specifier 'c'");
    if (spec.isAlternate) throw valueError("Alternate form (#) not allowed with integer format specifier 'c'");
    if (spec.grouping !== undefined) throw valueError(`Cannot specify '${spec.grouping}' with 'c'.`);
    return aligned(
      character(value, "%c arg not in range(0x110000)"),
      spec.width,
      spec.align === "=" ? ">" : (spec.align ?? ">"),
      spec.fill,
    );
  }
  if (spec.grouping === "," && "boxX".includes(letter)) throw valueError(`Cannot specify ',' with '${letter}'.`);
  if (spec.grouping !== undefined && letter === "n") throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  const radix = { b: 2, o: 8, x: 16, X: 16 }[letter as "b"] ?? 10;
  let digits = (radix === 10 ? intText(value) : BigInt(value).toString(radix)).replace("-", "");
  if (letter === "X") digits = digits.toUpperCase();
  const prefix = spec.isAlternate && radix !== 10 ? `0${letter}` : "";
  return laidOut(signText(value < 0, spec.sign) + prefix, digits, "", spec, radix === 10 ? 3 : 4);
}

function formatFloat(value: number, specification: string, type: string): string {
  const spec = parseSpec(specification, type);
  if (spec.type !== undefined && !"eEfFgGn%".includes(spec.type)) throw unknownType(spec, type);
  if (spec.type === "n" && spec.grouping !== undefined) throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  return formatNumber(value, spec, type);
}

function formatNumber(value: number, spec: Spec, _type: string): string {
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
  const figures = precision === 0 ? 1 : precision;
  const { digits, power } = scientific(value, figures - 1);
  if (power < -4 || power >= figures - 1) {
    const kept = isAlternate ? digits : digits.replace(/(?<=.)0+$/, "");
    return `${pointed(kept, isAlternate)}e${exponentText(power)}`;
  }
  return floatDigits(value, "g", figures, isAlternate);
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
  let key = name;
  if (name === "" || name.startsWith(".") || name.startsWith("[")) {
    if (counter.next === undefined)
      throw valueError("cannot switch from manual field specification to automatic field numbering");
    if (name === "") key = String(counter.next++);
    else key = `${counter.next++}${name}`;
  } else if (/^\d+$/.test(name)) {
    if (counter.next !== undefined && counter.next > 0)
      throw valueError("cannot switch from manual field specification to automatic field numbering");
    counter.next = undefined;
  }
  let value = lookUp(key, args);
  if (conversion === "r") value = repr(value);
  else if (conversion === "s") value = str(value);
  else if (conversion === "a") value = ascii(value);
  else if (conversion !== undefined) throw valueError(`Unknown conversion specifier ${conversion}`);
  const inner = formatLevel(specification, args, counter, depth - 1);
  if (!args.isEscaped) return formatValue(value, inner);
  if (value instanceof Markup) {
    if (inner !== "") throw valueError("Unsupported format specification for Markup.");
    return value.text;
  }
  return escape(formatValue(value, inner)).text;
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
