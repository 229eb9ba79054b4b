/** Parts of both kinds of formatting: alignment, signs, characters, and the digits of floats. */
import { JinjaError } from "./errors";
import { limits } from "./limits";
import { exponentText, fixed, type Int, scientific } from "./numbers";
import { repeat } from "./strings";
import { codePoints } from "./values";

/** A text filled up to a width. `align` is `<`, `>` or `^`. */
export function aligned(text: string, width: number, align: string, fill: string): string {
  const missing = width - codePoints(text);
  if (missing <= 0) return text;
  limits.text(text.length + missing);
  const left = align === "<" ? 0 : align === ">" ? missing : Math.floor(missing / 2);
  return repeat(fill, left) + text + repeat(fill, missing - left);
}

/** The character of a code point, for the format `c`. */
export function character(code: Int): string {
  if (code < 0 || code > 0x10ffff) throw new JinjaError("OverflowError", "%c arg not in range(0x110000)");
  return String.fromCodePoint(Number(code));
}

/** Whether a number is below 0 or is -0. */
export function isBelow(number: number): boolean {
  return number < 0 || Object.is(number, -0);
}

/** The sign of a number; `sign` says what positive ones get: `+`, a space, or `-` for none. */
export function signText(isNegative: boolean, sign: string): string {
  return isNegative ? "-" : sign === "-" ? "" : sign;
}

/** The digits of a float without its sign, in the format `e`, `f`, `g` or a capital one. */
export function floatDigits(value: number, letter: string, precision: number, isAlternate: boolean): string {
  const text = Number.isFinite(value)
    ? finiteDigits(value, letter.toLowerCase(), precision, isAlternate)
    : Number.isNaN(value)
      ? "nan"
      : "inf";
  return letter < "a" ? text.toUpperCase() : text;
}

function finiteDigits(value: number, letter: string, precision: number, isAlternate: boolean): string {
  limits.copiedText(precision + 330);
  if (letter === "f") {
    const text = fixed(value, precision);
    return isAlternate && precision === 0 ? `${text}.` : text;
  }
  if (letter !== "e") return generalDigits(value, precision, isAlternate);
  const { digits, power } = scientific(value, precision);
  return `${pointed(digits, isAlternate)}e${exponentText(power)}`;
}

/**
 * The digits of a finite float in the format `g`: with an exponent where that is below -4, or not below the number of
 * figures less `spare`.
 */
export function generalDigits(value: number, precision: number, isAlternate: boolean, spare = 0): string {
  const figures = precision === 0 ? 1 : precision;
  const { digits, power } = scientific(value, figures - 1);
  if (power < -4 || power >= figures - spare) {
    const kept = isAlternate ? digits : digits.replace(/(?<=.)0+$/, "");
    return `${pointed(kept, isAlternate)}e${exponentText(power)}`;
  }
  const text = fixed(value, figures - 1 - power);
  if (isAlternate) return text.includes(".") ? text : `${text}.`;
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function pointed(digits: string, isAlternate: boolean): string {
  return digits.length > 1 || isAlternate ? `${digits[0]}.${digits.slice(1)}` : digits;
}
