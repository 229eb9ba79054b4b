/** Python's `text % values`. */
import { JinjaError, typeError, valueError } from "./errors";
import { aligned, character, floatDigits, isBelow, signText } from "./layout";
import { limits } from "./limits";
import { escape } from "./markup";
import { type Int, intText, small, toFloat, truncated } from "./numbers";
import { ascii, repr, str } from "./print";
import { asInt, codePoints, Dict, isInt, Markup, PyFloat, Range, Tuple, textOf, typeName, Undefined, type Value } from "./values";

const CONVERSION = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]?([\s\S])?/y;

/** `template % values`. */
export function formatPercent(template: string | Markup, values: Value): Value {
  const isMarkup = template instanceof Markup;
  const source = isMarkup ? template.text : template;
  const operands = new Operands(values);
  let result = "";
  let at = 0;
  for (let percent = source.indexOf("%"); percent >= 0; percent = source.indexOf("%", at)) {
    result += source.slice(at, percent);
    CONVERSION.lastIndex = percent;
    const match = CONVERSION.exec(source)!;
    at = percent + match[0].length;
    result += replaced(match, operands, isMarkup, result.length);
  }
  result += source.slice(at);
  operands.expectUsed();
  limits.copiedText(result.length);
  return isMarkup ? new Markup(result) : result;
}

/** The values, as conversions take them. */
class Operands {
  private readonly list: readonly Value[] | undefined;
  private next = 0;
  private isNamed = false;

  constructor(private readonly values: Value) {
    this.list = values instanceof Tuple ? values.items : undefined;
  }

  take(): Value {
    if (this.list) {
      if (this.next < this.list.length) return this.list[this.next++]!;
    } else if (this.next++ === 0) return this.values;
    throw typeError("not enough arguments for format string");
  }

  /** A width or precision, which is a value where it is written `*`. */
  count(text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    if (text !== "*") return Number(text);
    const value = this.take();
    if (isInt(value)) return small(asInt(value));
    throw typeError("* wants int");
  }

  named(key: string): Value {
    const { values } = this;
    if (values instanceof Undefined) values.fail();
    if (!(values instanceof Dict)) throw typeError("format requires a mapping");
    this.isNamed = true;
    const value = values.get(key);
    if (value === undefined) throw new JinjaError("KeyError", repr(key));
    return value;
  }

  expectUsed(): void {
    const { values, list } = this;
    if (this.isNamed) return;
    // Values with items may go unused, like a mapping whose keys the template does not name.
    const isMapping = values instanceof Dict || Array.isArray(values) || values instanceof Range || values instanceof Undefined;
    if (list ? this.next < list.length : this.next === 0 && !isMapping)
      throw typeError("not all arguments converted during string formatting");
  }
}

/** What a value is converted by. */
interface Conversion {
  readonly letter: string;
  readonly sign: string;
  readonly isLeft: boolean;
  readonly isZeroed: boolean;
  readonly isAlternate: boolean;
  readonly width: number;
  readonly precision: number | undefined;
  /** Whether the text is escaped, for a Markup. */
  readonly isMarkup: boolean;
}

/** What replaces one conversion such as `%-5.2f`. @param written the length of the result before it */
function replaced(match: RegExpExecArray, operands: Operands, isMarkup: boolean, written: number): string {
  const [whole, name, flags = "", widthText, precisionText, letter] = match;
  if (name === undefined && match.input[match.index + 1] === "(") throw valueError("incomplete format key");
  const named = name === undefined ? undefined : operands.named(name); // None is a value
  const signed = operands.count(widthText) ?? 0;
  const width = Math.abs(signed);
  const asked = operands.count(precisionText === "" ? "0" : precisionText);
  const precision = asked === undefined ? undefined : Math.max(0, asked);
  limits.text(written + width + (precision ?? 0));
  if (letter === undefined) throw valueError("incomplete format");
  if (whole === "%%") return "%";
  if (!Object.hasOwn(CONVERTERS, letter))
    throw valueError(
      `unsupported format character '${letter}' (0x${letter.charCodeAt(0).toString(16)}) ` +
        `at index ${codePoints(match.input.slice(0, match.index + whole.length)) - 1}`,
    );
  const isLeft = flags.includes("-") || signed < 0;
  return CONVERTERS[letter]!(named === undefined ? operands.take() : named, {
    letter,
    sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "-",
    isLeft,
    isZeroed: flags.includes("0") && !isLeft,
    isAlternate: flags.includes("#"),
    width,
    precision,
    isMarkup,
  });
}

type Converter = (value: Value, conversion: Conversion) => string;

const CONVERTERS: Readonly<Record<string, Converter>> = {
  ...converters("s", (value, conversion) => cut(conversion.isMarkup ? escape(value).text : str(value), conversion)),
  ...converters("r", (value, conversion) => cut(shown(repr(value), conversion), conversion)),
  ...converters("a", (value, conversion) => cut(shown(ascii(value), conversion), conversion)),
  ...converters("c", (value, conversion) => filled(characterOf(value), conversion)),
  ...converters("diu", (value, conversion) => {
    const number = decimal(value, conversion.letter);
    return digits(number < 0, "", intText(number).replace("-", ""), conversion);
  }),
  ...converters("oxX", (value, conversion) => {
    const { letter, isAlternate } = conversion;
    if (!isInt(value)) throw typeError(`%${letter} format: an integer is required, not ${typeName(value)}`);
    const number = asInt(value);
    const text = BigInt(number)
      .toString(letter === "o" ? 8 : 16)
      .replace("-", "");
    return digits(number < 0, isAlternate ? `0${letter}` : "", letter === "X" ? text.toUpperCase() : text, conversion);
  }),
  ...converters("eEfFgG", (value, conversion) => {
    const { letter, precision, isAlternate, sign } = conversion;
    const number = real(value);
    return padded(signText(isBelow(number), sign), floatDigits(number, letter, precision ?? 6, isAlternate), conversion);
  }),
};

function converters(letters: string, convert: Converter): Record<string, Converter> {
  return Object.fromEntries([...letters].map((letter) => [letter, convert]));
}

function shown(text: string, { isMarkup }: Conversion): string {
  return isMarkup ? escape(text).text : text;
}

function cut(text: string, conversion: Conversion): string {
  const { precision } = conversion;
  return filled(precision === undefined ? text : Array.from(text).slice(0, precision).join(""), conversion);
}

function filled(text: string, { width, isLeft }: Conversion): string {
  return aligned(text, width, isLeft ? "<" : ">", " ");
}

function characterOf(value: Value): string {
  if (isInt(value)) return character(asInt(value));
  const only = textOf(value);
  if (only === undefined || codePoints(only) !== 1) throw typeError("%c requires int or char");
  return only;
}

function decimal(value: Value, letter: string): Int {
  if (isInt(value)) return asInt(value);
  if (value instanceof PyFloat) return truncated(value.value);
  if (value instanceof Undefined) return value.fail();
  throw typeError(`%${letter} format: a real number is required, not ${typeName(value)}`);
}

function real(value: Value): number {
  if (value instanceof PyFloat) return value.value;
  if (isInt(value)) return toFloat(asInt(value));
  if (value instanceof Undefined) return value.fail();
  throw typeError(`must be real number, not ${typeName(value)}`);
}

/** The digits of an integer, at least as many as the precision. */
function digits(isNegative: boolean, prefix: string, text: string, conversion: Conversion): string {
  const { precision, sign } = conversion;
  return padded(signText(isNegative, sign) + prefix, precision === undefined ? text : text.padStart(precision, "0"), conversion);
}

function padded(sign: string, text: string, conversion: Conversion): string {
  const { isZeroed, width } = conversion;
  if (isZeroed) return sign + "0".repeat(Math.max(0, width - sign.length - text.length)) + text;
  return filled(sign + text, conversion);
}
