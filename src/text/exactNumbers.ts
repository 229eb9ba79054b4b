/**
 * Numbers as Python reads them, for templates. A row's numbers are JavaScript's, in which 20.0 is 20, integers beyond
 * 2^53 are rounded, and JSON has no NaN; `tojson` in a template shows the difference. The number that a reader found is
 * remembered alongside the list or object that holds it, and restored when that value is passed to a template. A number
 * that has been changed since is used as it is.
 */
import { InputError } from "../base/errors";
import { parsePythonJson } from "../base/formats/pythonJson";
import { PyFloat } from "../jinja/float";

/** A number that a JavaScript number cannot represent: a float that is integral or not finite, or a large integer. */
type ExactNumber = PyFloat | bigint;
type Key = string | number;
type Container = Record<Key, unknown>;

/** The path of a number within a value, and the number; a plain number here means a float. Can be sent to a worker. */
export type ExactEntry = readonly [path: readonly Key[], number: number | bigint];

/** Python's limit on the digits of an integer it converts. */
const MOST_DIGITS = 4300;

const remembered = new WeakMap<object, Map<Key, ExactNumber>>();
let isAny = false;

/** A JSON number as Python's `json` reads it. @throws RangeError for an integer with more digits than Python converts */
export function numberOf(literal: string): number | ExactNumber {
  const number = Number(literal);
  if (!/^-?\d+$/.test(literal)) return floatOf(number);
  if (Number.isSafeInteger(number) && !Object.is(number, -0)) return number;
  if (literal.length > MOST_DIGITS)
    throw new RangeError(`an integer of ${literal.length} digits; Python's limit is ${MOST_DIGITS}`);
  return BigInt(literal);
}

/** Whether JavaScript reads every number in a JSON text as Python does; it may say no where it does. */
export function isExact(text: string): boolean {
  return !/\d[.eE]|\d{16}|-0|NaN|Infinity/.test(text);
}

/** Parses JSON, reading numbers with {@link numberOf}. `place` is the file and line, for messages. */
export function parseExact(text: string, place: string): unknown {
  try {
    return parsePythonJson(text, numberOf);
  } catch (error) {
    throw new InputError(`Expected JSON that Python can read in ${place} but received ${(error as Error).message}`);
  }
}

/** A float, wrapped if a JavaScript number would be taken for an integer. */
export function floatOf(number: number): number | PyFloat {
  return Number.isInteger(number) || !Number.isFinite(number) ? new PyFloat(number) : number;
}

/** Whether a value contains a number at any depth. */
export function hasNumber(value: unknown): boolean {
  if (typeof value === "number") return true;
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasNumber);
  for (const key in value) if (hasNumber((value as Container)[key])) return true;
  return false;
}

/** Remembers a number of a list or object. */
export function rememberNumber(container: object, key: Key, number: unknown): void {
  if (typeof number !== "bigint" && !(number instanceof PyFloat)) return;
  isAny = true;
  const numbers = remembered.get(container) ?? new Map<Key, ExactNumber>();
  remembered.set(container, numbers.set(key, number));
}

/** Remembers the numbers of a value; `exact` is the same value, read with {@link numberOf}. */
export function rememberNumbers(value: unknown, exact: unknown): void {
  if (!isContainer(value) || !isContainer(exact)) return;
  for (const key of keysOf(exact)) {
    rememberNumber(value, key, exact[key]);
    rememberNumbers(value[key], exact[key]);
  }
}

/** The remembered numbers of a list or object, by index or key. */
export function rememberedNumbers(container: object): ReadonlyMap<Key, unknown> | undefined {
  return isAny ? remembered.get(container) : undefined;
}

/** Carries the remembered numbers over to a copy of a list or object, or of a part of it. */
export function copyNumbers(from: object, to: object): void {
  const numbers = isAny ? remembered.get(from) : undefined;
  if (numbers) remembered.set(to, new Map(numbers));
}

/** The value with its numbers as they were written; only the parts that hold such numbers are copied. */
export function withExactNumbers<T>(value: T): T {
  return isAny ? (exactly(value) as T) : value;
}

function exactly(value: unknown): unknown {
  if (!isContainer(value)) return value;
  let copy: Container | undefined;
  const put = (key: Key, each: unknown): void => {
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : Object.fromEntries(Object.entries(value))) as Container;
    copy[key] = each;
  };
  for (const key of keysOf(value)) {
    const each = exactly(value[key]);
    if (!Object.is(each, value[key])) put(key, each);
  }
  for (const [key, number] of remembered.get(value) ?? []) if (isStill(number, value[key])) put(key, number);
  return copy ?? value;
}

/** All remembered numbers in a value, at any depth. */
export function exactEntries(value: unknown): ExactEntry[] {
  const entries: ExactEntry[] = [];
  const walk = (each: unknown, path: readonly Key[]): void => {
    if (!isContainer(each)) return;
    for (const [key, number] of remembered.get(each) ?? [])
      if (isStill(number, each[key])) entries.push([[...path, key], typeof number === "bigint" ? number : number.value]);
    for (const key of keysOf(each)) walk(each[key], [...path, key]);
  };
  if (isAny) walk(value, []);
  return entries;
}

/** Remembers what {@link exactEntries} found, in a copy of the value. */
export function rememberEntries(value: unknown, entries: readonly ExactEntry[]): void {
  for (const [path, number] of entries) {
    const container = path.slice(0, -1).reduce((each, key) => (each as Container)[key], value);
    rememberNumber(container as object, path.at(-1)!, typeof number === "bigint" ? number : new PyFloat(number));
  }
}

/** Whether a value is still the JavaScript number that a remembered number was read as. */
function isStill(number: ExactNumber, value: unknown): boolean {
  return typeof value === "number" && (Number(number) === value || (Number.isNaN(value) && Number.isNaN(Number(number))));
}

function keysOf(container: Container): Iterable<Key> {
  return Array.isArray(container) ? container.keys() : Object.keys(container);
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null && !(value instanceof PyFloat);
}
