/**
 * One setting of a run: what it may be, what it is when left out, what it does. Tables of these are the single source of
 * TypeScript types, of YAML keys (snake_case) and of command-line options, so the three cannot differ.
 */
import { nearest } from "../base/nearest";
import { InputError } from "../native/errors";

export { nearest };

export interface Argument<T> {
  readonly fallback: T;
  /** What it may be, for error messages: "a positive integer". */
  readonly expected: string;
  readonly help: string;
  /** The value in its own type, or undefined when it does not fit. Strings from a command line count as what they spell. */
  read(value: unknown): T | undefined;
}

export type ArgumentTable = Readonly<Record<string, Argument<unknown>>>;

/** The values of a table: `{ learningRate: number, … }`. */
export type ArgumentsOf<Table extends ArgumentTable> = {
  [Name in keyof Table]: Table[Name] extends Argument<infer T> ? T : never;
};

function argument<T>(expected: string, fallback: T, help: string, read: (value: unknown) => T | undefined): Argument<T> {
  return { expected, fallback, help, read };
}

/** `fallback: null` makes a setting that may be absent; null, or `null` on a command line, then stands for it. */
export function optional<T>(inner: Argument<T>): Argument<T | null> {
  return { ...inner, fallback: null, read: (value) => (value === null || value === "null" ? null : inner.read(value)) };
}

/** A setting that null switches off, where leaving it out does not. */
export function nullable<T>(inner: Argument<T>): Argument<T | null> {
  return { ...optional(inner), expected: `${inner.expected}, or null`, fallback: inner.fallback };
}

export const text = (fallback: string, help: string): Argument<string> =>
  argument("a string", fallback, help, (value) =>
    typeof value === "string" && value !== "" && !value.includes("\0") ? value : typeof value === "number" ? String(value) : undefined,
  );

/** A string of one form; `expected` says which. */
export const matching = (pattern: RegExp, expected: string, help: string): Argument<string> =>
  argument(expected, "", help, (value) => (typeof value === "string" && pattern.test(value) ? value : undefined));

export function number(
  fallback: number,
  help: string,
  { min = -Infinity, max = Infinity, above, below }: { min?: number; max?: number; above?: number; below?: number } = {},
): Argument<number> {
  const limits = [
    above !== undefined ? `above ${above}` : min > -Infinity ? `from ${min}` : "",
    below !== undefined ? `below ${below}` : max < Infinity ? `to ${max}` : "",
  ];
  return argument(["a number", ...limits].filter(Boolean).join(" "), fallback, help, (value) => {
    const n = toNumber(value);
    const fits = n !== undefined && n >= min && n <= max && (above === undefined || n > above) && (below === undefined || n < below);
    return fits ? n : undefined;
  });
}

export const integer = (fallback: number, help: string, { min = -Infinity } = {}): Argument<number> =>
  argument(`an integer${min > -Infinity ? ` from ${min}` : ""}`, fallback, help, (value) => {
    const n = toNumber(value);
    return n !== undefined && Number.isSafeInteger(n) && n >= min ? n : undefined;
  });

export const flag = (fallback: boolean, help: string): Argument<boolean> =>
  argument("true or false", fallback, help, (value) => {
    if (typeof value === "boolean") return value;
    return value === "true" ? true : value === "false" ? false : undefined;
  });

export const choice = <const T extends string>(values: readonly T[], fallback: NoInfer<T>, help: string): Argument<T> =>
  argument(values.join(", "), fallback, help, (value) => {
    const name = value === false || value === null ? "no" : value; // YAML's `no`
    return values.find((each) => each === name || (each === "none" && name === "no"));
  });

/** One string or several; on a command line separated by commas or spaces. */
export const texts = (fallback: readonly string[], help: string): Argument<readonly string[]> =>
  argument("a string or a list of strings", fallback, help, (value) => {
    const list = typeof value === "string" ? value.split(/[\s,]+/).filter(Boolean) : value;
    return Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === "string") ? list : undefined;
  });

export const numbers = (fallback: readonly number[], help: string): Argument<readonly number[]> =>
  argument("a list of numbers", fallback, help, (value) => {
    const list = typeof value === "string" ? value.split(/[\s,]+/).filter(Boolean) : [value].flat();
    const read = list.map(toNumber);
    return read.length > 0 && read.every((n) => n !== undefined) ? (read as number[]) : undefined;
  });

/** Names with numbers or strings, as `lr_scheduler_kwargs`; JSON on a command line. */
export const mapping = (help: string): Argument<Readonly<Record<string, unknown>>> =>
  argument("names with values", {}, help, (value) => {
    const read = typeof value === "string" ? parseJson(value) : value;
    return typeof read === "object" && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : undefined;
  });

/** Either of two. */
export const either = <A, B>(first: Argument<A>, second: Argument<B>, fallback: A | B): Argument<A | B> =>
  argument(`${first.expected}, or ${second.expected}`, fallback, first.help, (value) => first.read(value) ?? second.read(value));

/**
 * Checks named values against a table; what is left out has its fallback.
 *
 * @param nameOf how a setting is called where the values come from; `place` says where that is, for messages
 * @throws InputError for an unknown name, with its nearest neighbour, and for a value that does not fit
 */
export function readArguments<Table extends ArgumentTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
  { nameOf = (name: string) => name, place = "" }: { nameOf?: (name: string) => string; place?: string } = {},
): ArgumentsOf<Table> {
  const names = new Map(Object.keys(table).map((name) => [nameOf(name), name]));
  const where = place && ` in ${place}`;
  for (const given of Object.keys(values)) {
    if (names.has(given)) continue;
    const near = nearest(given, [...names.keys()]);
    throw new InputError(`Unknown setting '${given}'${where}${near ? `; did you mean '${near}'?` : ""}`);
  }
  const read = [...names].map(([given, name]) => {
    const { fallback, expected, read } = table[name]!;
    const value = values[given];
    if (value === undefined) return [name, fallback];
    const fits = read(value);
    if (fits !== undefined) return [name, fits];
    throw new InputError(`Expected ${expected} for '${given}'${where} but received ${JSON.stringify(value)}`);
  });
  return Object.fromEntries(read) as ArgumentsOf<Table>;
}

/** `learningRate` as `learning_rate`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** YAML 1.2 reads `5e-5` as a number but Python's YAML as a string, so files have both. */
function toNumber(value: unknown): number | undefined {
  const n = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof n === "number" && !Number.isNaN(n) ? n : undefined;
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
