/** Python's numbers: `int` of any size, as a number while that is exact and a bigint beyond; `float` as {@link PyFloat}. */
import { JinjaError, unsupported, valueError } from "./errors";
import { PyFloat } from "./float";
import { limits } from "./limits";

/** A number up to 2^53, a bigint beyond: every integer has one form. */
export type Int = number | bigint;

/** Maximum number of digits that Python converts between `int` and `str`. */
const MOST_DIGITS = 4300;

/** The one form of an integer. */
function int(value: bigint): Int {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}

function bits(value: bigint): number {
  return 4 * (value < 0n ? -value : value).toString(16).length;
}

/** The sum, difference or product of integers. */
export function add(a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return int(BigInt(a) + BigInt(b));
}

export function multiply(a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product + 0; // not -0
  }
  const [left, right] = [BigInt(a), BigInt(b)];
  limits.integer(bits(left) + bits(right));
  return int(left * right);
}

export function negate(a: Int): Int {
  return typeof a === "number" ? 0 - a : int(-a);
}

/** Floor division and its remainder. */
export function divmod(a: Int, b: Int): [quotient: Int, rest: Int] {
  if (b === 0) throw new JinjaError("ZeroDivisionError", "integer division or modulo by zero");
  if (typeof a === "number" && typeof b === "number") {
    const rest = a % b;
    const quotient = (a - rest) / b;
    return rest !== 0 && rest < 0 !== b < 0 ? [quotient - 1, rest + b] : [quotient + 0, rest + 0];
  }
  const [left, right] = [BigInt(a), BigInt(b)];
  limits.integer(bits(left));
  const rest = left % right;
  const quotient = left / right;
  return rest !== 0n && rest < 0n !== right < 0n ? [int(quotient - 1n), int(rest + right)] : [int(quotient), int(rest)];
}

/** `a / b` of integers, correctly rounded. */
export function divide(a: Int, b: Int): number {
  if (b === 0) throw new JinjaError("ZeroDivisionError", "division by zero");
  if (typeof a === "number" && typeof b === "number") return a / b;
  const quotient = ratio(BigInt(a), BigInt(b));
  if (!Number.isFinite(quotient)) throw new JinjaError("OverflowError", "integer division result too large for a float");
  return quotient;
}

/** The float nearest to a fraction; infinite when it is too large. */
function ratio(a: bigint, b: bigint): number {
  if (a === 0n) return 0;
  const negative = a < 0n !== b < 0n;
  const [above, below] = [a < 0n ? -a : a, b < 0n ? -b : b];
  // Enough bits for a single rounding: 64 significant bits, plus whether anything follows.
  const shift = below.toString(2).length - above.toString(2).length + 66;
  const [scaled, divisor] = shift > 0 ? [above << BigInt(shift), below] : [above, below << BigInt(-shift)];
  let quotient = scaled / divisor;
  if (scaled % divisor !== 0n) quotient |= 1n;
  let value: number;
  if (shift > 1074) {
    // The result may be subnormal, and is then rounded at its last bit.
    const last = BigInt(shift - 1074);
    const rest = quotient & ((1n << last) - 1n);
    const half = 1n << (last - 1n);
    let units = quotient >> last;
    if (units < 1n << 53n) {
      if (rest > half || (rest === half && (units & 1n) === 1n)) units++;
      value = Number(units) * 5e-324;
      return negative ? -value : value;
    }
  }
  value = Number(quotient); // rounds once, half to even
  for (let left = -shift; left !== 0; ) {
    const step = Math.max(-1000, Math.min(1000, left));
    value *= 2 ** step;
    left -= step;
  }
  return negative ? -value : value;
}

/** `float(a)`. */
export function toFloat(a: Int): number {
  if (typeof a === "number") return a;
  const value = Number(a);
  if (!Number.isFinite(value)) throw new JinjaError("OverflowError", "int too large to convert to float");
  return value;
}

/** `a ** b`. */
export function power(a: Int, b: Int): Int | PyFloat {
  if (b < 0) return new PyFloat(floatPower(toFloat(a), toFloat(b)));
  if (typeof a === "number" && typeof b === "number") {
    const value = a ** b;
    if (Number.isSafeInteger(value)) return value + 0;
  }
  const [base, exponent] = [BigInt(a), BigInt(b)];
  if (base === 0n || base === 1n) return exponent === 0n ? 1 : int(base);
  if (base === -1n) return exponent % 2n === 0n ? 1 : -1;
  limits.integer(Number(exponent) * Math.max(1, bits(base) - 3));
  return int(base ** exponent);
}

export function floatPower(a: number, b: number): number {
  if (a === 0 && b < 0) throw new JinjaError("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  if (a === 1 || b === 0) return 1;
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) throw unsupported("a complex number");
  if (Math.abs(a) === 1 && !Number.isFinite(b) && !Number.isNaN(b)) return 1;
  const isOrdinary = Number.isFinite(a) && Number.isFinite(b) && a !== 0;
  // V8's pow is off by one unit in the last place in one case out of ten.
  const value = !isOrdinary ? a ** b : a < 0 && b % 2 !== 0 ? -exactPower(-a, b) : exactPower(Math.abs(a), b);
  if (!Number.isFinite(value) && Number.isFinite(a) && Number.isFinite(b))
    throw new JinjaError("OverflowError", "(34, 'Numerical result out of range')");
  return value;
}

/** Fraction bits of the fixed-point numbers below. */
const PRECISION = 220n;
const ONE = 1n << PRECISION;

/** Twice the inverse hyperbolic tangent of a fraction below 1/2: the logarithm of `(1 + z) / (1 - z)`. */
function twiceAtanh(above: bigint, below: bigint): bigint {
  const z = (above << PRECISION) / below;
  const square = (z * z) >> PRECISION;
  let [sum, term] = [z, z];
  for (let i = 3n; term !== 0n; i += 2n) {
    term = (term * square) >> PRECISION;
    sum += term / i;
  }
  return 2n * sum;
}

const LN2 = twiceAtanh(1n, 3n);

/** `a ** b` for a positive and finite, correctly rounded; 0 or infinite beyond the range of floats. */
function exactPower(a: number, b: number): number {
  const { mantissa, exponent } = parts(a);
  if (Number.isInteger(b) && Math.abs(b) <= 1024 && Math.abs(b * exponent) < 65_536) {
    const count = BigInt(Math.abs(b));
    const [above, below] = exponent >= 0 ? [mantissa << BigInt(exponent), 1n] : [mantissa, 1n << BigInt(-exponent)];
    return b > 0 ? ratio(above ** count, below ** count) : ratio(below ** count, above ** count);
  }
  const width = BigInt(mantissa.toString(2).length);
  const unit = 1n << (width - 1n); // a is mantissa / unit * 2 ** (exponent + width - 1)
  const logarithm = twiceAtanh(mantissa - unit, mantissa + unit) + LN2 * (BigInt(exponent) + width - 1n);
  const factor = parts(b);
  const scaled = logarithm * factor.mantissa;
  const product = factor.exponent >= 0 ? scaled << BigInt(factor.exponent) : scaled >> BigInt(-factor.exponent);
  if (product > 800n * ONE) return Infinity;
  if (product < -800n * ONE) return 0;
  let twos = product / LN2;
  if (product % LN2 < 0n) twos -= 1n;
  const rest = product - twos * LN2;
  let [sum, term] = [ONE, ONE];
  for (let i = 1n; term !== 0n; i++) {
    term = ((term * rest) >> PRECISION) / i;
    sum += term;
  }
  return twos >= 0n ? ratio(sum << twos, ONE) : ratio(sum, ONE << -twos);
}

/** `a // b` and `a % b` of floats, as CPython computes them. */
export function floatDivmod(a: number, b: number): [quotient: number, rest: number] {
  if (b === 0) throw new JinjaError("ZeroDivisionError", "float floor division by zero");
  let rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0) {
    if (b < 0 !== rest < 0) {
      rest += b;
      quotient -= 1;
    }
  } else rest = b < 0 ? -0 : 0;
  if (quotient === 0 || Number.isNaN(quotient))
    return [Number.isNaN(quotient) ? quotient : a / b > 0 || Object.is(a / b, 0) ? 0 : -0, rest];
  const floor = Math.floor(quotient);
  return [quotient - floor > 0.5 ? floor + 1 : floor, rest];
}

/** A finite float as `mantissa * 2 ** exponent`. */
function parts(value: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const raw = view.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: value < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075 };
}

/** A finite float as a fraction in lowest terms (`float.as_integer_ratio`). */
export function fraction(value: number): [above: Int, below: Int] {
  let { mantissa, exponent } = parts(value);
  if (mantissa === 0n) return [0, 1];
  while (exponent < 0 && (mantissa & 1n) === 0n) {
    mantissa >>= 1n;
    exponent++;
  }
  return exponent >= 0 ? [int(mantissa << BigInt(exponent)), 1] : [int(mantissa), int(1n << BigInt(-exponent))];
}

/** `repr` of a float: the shortest digits that read back as the same float. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${signed(power)}`;
  const plain =
    Math.abs(value) >= 1e-6 ? String(value) : value.toFixed(Math.max(0, digits.replace(/[-.]/g, "").length - 1 - power));
  return plain.includes(".") ? plain : `${plain}.0`;
}

function signed(power: number): string {
  return `${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `str` of an integer. */
export function intText(value: Int): string {
  if (typeof value === "number") return String(value);
  const text = value.toString();
  if (text.length - (value < 0n ? 1 : 0) > MOST_DIGITS)
    throw valueError(
      `Exceeds the limit (${MOST_DIGITS} digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit`,
    );
  return text;
}

/** The absolute value with `precision` digits after the point, rounded half to even from its exact value. */
export function fixed(value: number | Int, precision: number): string {
  limits.copiedText(precision + 330);
  let digits: string;
  if (typeof value === "bigint") digits = (value < 0n ? -value : value).toString() + "0".repeat(precision);
  else {
    const { mantissa, exponent } = parts(Math.abs(value));
    const scaled = mantissa * 10n ** BigInt(precision);
    digits = (exponent >= 0 ? scaled << BigInt(exponent) : halfEven(scaled, 1n << BigInt(-exponent))).toString();
  }
  if (precision === 0) return digits;
  digits = digits.padStart(precision + 1, "0");
  return `${digits.slice(0, -precision)}.${digits.slice(-precision)}`;
}

function halfEven(above: bigint, below: bigint): bigint {
  const quotient = above / below;
  const twice = (above % below) * 2n;
  return twice > below || (twice === below && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

/** The absolute value as digits and a power of ten: one digit before the point, `precision` after it. */
export function scientific(value: number, precision: number): { digits: string; power: number } {
  limits.copiedText(precision + 330);
  if (value === 0) return { digits: "0".repeat(precision + 1), power: 0 };
  const { mantissa, exponent } = parts(Math.abs(value));
  let power = Number(Math.abs(value).toExponential().split("e")[1]);
  for (;;) {
    const tens = precision - power;
    let [above, below] = [mantissa, 1n];
    if (exponent >= 0) above <<= BigInt(exponent);
    else below <<= BigInt(-exponent);
    if (tens >= 0) above *= 10n ** BigInt(tens);
    else below *= 10n ** BigInt(-tens);
    const digits = halfEven(above, below).toString();
    if (digits.length === precision + 1) return { digits, power };
    power += digits.length > precision + 1 ? 1 : -1;
  }
}

export { signed as exponentText };

/** `round(value, digits)` of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || value === 0 || digits > 323) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  const sign = value < 0 ? -1 : 1;
  if (digits >= 0) return sign * Number(fixed(value, digits));
  const { mantissa, exponent } = parts(Math.abs(value));
  let [above, below] = [mantissa, 10n ** BigInt(-digits)];
  if (exponent >= 0) above <<= BigInt(exponent);
  else below <<= BigInt(-exponent);
  const rounded = Number(halfEven(above, below) * 10n ** BigInt(-digits));
  if (!Number.isFinite(rounded)) throw new JinjaError("OverflowError", "rounded value too large to represent");
  return sign * rounded;
}

/** `round(value, digits)` of an integer. */
export function roundInt(value: Int, digits: number): Int {
  if (digits >= 0) return value;
  const whole = BigInt(value);
  if (-digits > bits(whole) / 3 + 2) return 0;
  const unit = 10n ** BigInt(-digits);
  const rounded = halfEven(whole < 0n ? -whole : whole, unit) * unit;
  return int(whole < 0n ? -rounded : rounded);
}

/** A float truncated to an integer. */
export function truncated(value: number): Int {
  if (Number.isNaN(value)) throw valueError("cannot convert float NaN to integer");
  if (!Number.isFinite(value)) throw new JinjaError("OverflowError", "cannot convert float infinity to integer");
  const whole = Math.trunc(value) + 0;
  return Number.isSafeInteger(whole) ? whole : int(BigInt(whole));
}

/** Converts digits of any script to ASCII, as Python's `int` and `float` do. */
function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    // Decimal digits come in groups of ten that start at a multiple of 16, or 6 after one; mathematical digits do not.
    const code = digit.codePointAt(0)!;
    if (code >= 0x1d7ce && code <= 0x1d7ff) return String((code - 0x1d7ce) % 10);
    const zero = code - (code % 16) + (code % 16 >= 6 && !/\p{Nd}/u.test(String.fromCodePoint(code - (code % 16))) ? 6 : 0);
    return String(code - zero);
  });
}

/** `int(text, base)`. @throws ValueError */
export function parseInt_(text: string, base: number, shown: string): Int {
  const wrong = () => valueError(`invalid literal for int() with base ${base}: ${shown}`);
  if (base !== 0 && (base < 2 || base > 36)) throw valueError("int() base must be >= 2 and <= 36, or 0");
  const match = /^([+-]?)(.*)$/s.exec(asciiDigits(text))!;
  let digits = match[2]!.toLowerCase();
  const prefix = { "0x": 16, "0o": 8, "0b": 2 }[digits.slice(0, 2)];
  let radix = base === 0 ? 10 : base;
  if (prefix !== undefined && (base === 0 || base === prefix)) {
    radix = prefix;
    digits = digits.slice(2).replace(/^_/, "");
  } else if (base === 0 && /^0/.test(digits) && !/^[0_]+$/.test(digits)) throw wrong();
  if (!/^[0-9a-z]+(_[0-9a-z]+)*$/.test(digits)) throw wrong();
  digits = digits.replaceAll("_", "");
  for (const digit of digits) if (Number.parseInt(digit, 36) >= radix) throw wrong();
  if ((radix & (radix - 1)) !== 0 && digits.length > MOST_DIGITS)
    throw valueError(
      `Exceeds the limit (${MOST_DIGITS} digits) for integer string conversion: value has ${digits.length} digits; use sys.set_int_max_str_digits() to increase the limit`,
    );
  limits.integer(digits.length * Math.ceil(Math.log2(radix)));
  const value = digits.length <= 10 ? Number.parseInt(digits, radix) : int(bigOf(digits, radix));
  return match[1] === "-" ? negate(value) : value;
}

/** The prefixes under which BigInt reads digits. */
const BIGINT_PREFIXES: Readonly<Record<number, string>> = { 2: "0b", 8: "0o", 10: "", 16: "0x" };

function bigOf(digits: string, radix: number): bigint {
  const prefix = BIGINT_PREFIXES[radix];
  if (prefix !== undefined) return BigInt(prefix + digits);
  let sum = 0n;
  for (const digit of digits) sum = sum * BigInt(radix) + BigInt(Number.parseInt(digit, 36));
  return sum;
}

/** `float(text)`. @throws ValueError */
export function parseFloat_(text: string, shown: string): number {
  const digits = asciiDigits(text);
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(digits);
  if (special) return special[2]!.toLowerCase() === "nan" ? NaN : special[1] === "-" ? -Infinity : Infinity;
  const number = /^[+-]?(\d+(_\d+)*)?(\.(\d+(_\d+)*)?)?(e[+-]?\d+(_\d+)*)?$/i;
  if (!number.test(digits) || !/^[+-]?\.?\d/.test(digits)) throw valueError(`could not convert string to float: ${shown}`);
  return Number(digits.replaceAll("_", ""));
}

/** A JavaScript number as an index or a count. @throws OverflowError beyond 2^63 */
export function small(value: Int): number {
  if (typeof value === "number") return value;
  if (value >= 2n ** 63n || value < -(2n ** 63n))
    throw new JinjaError("OverflowError", "cannot fit 'int' into an index-sized integer");
  return Number(value);
}
