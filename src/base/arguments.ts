/**
 * The arguments of a run ("settings" in messages): allowed values, default and help of each. Tables of these are the single
 * source of TypeScript types, of YAML keys (snake_case) and of command-line options, so the three cannot differ.
 */

import { expandHome } from "./files/paths";
import { nearest } from "./names";
import { type Problem, problemsError, unfit, unknown } from "./problems";
import { isObject, shown } from "./values";

export interface Argument<T> {
  readonly fallback: T;
  /** What it may be, for error messages: "a positive integer". */
  readonly expected: string;
  readonly help: string;
  /** Whether it is a list, which may be several words on a command line. */
  readonly isList?: boolean;
  /** What to do about an invalid value, if known: "write adamw_torch". */
  wayOut?(value: unknown): string | undefined;
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

/** `fallback: null` makes an argument that may be absent; null, or `null` on a command line, then stands for it. */
export function optional<T>(inner: Argument<T>): Argument<T | null> {
  return { ...inner, fallback: null, read: (value) => (value === null || value === "null" ? null : inner.read(value)) };
}

/** The same argument, with a way out for known invalid values. */
export function withWayOut<T>(inner: Argument<T>, wayOut: (value: unknown) => string | undefined): Argument<T> {
  return { ...inner, wayOut };
}

/** An argument that null switches off, where leaving it out does not. */
export function nullable<T>(inner: Argument<T>): Argument<T | null> {
  return { ...optional(inner), expected: `${inner.expected}, or null`, fallback: inner.fallback };
}

export const text = (fallback: string, help: string): Argument<string> =>
  argument("a string", fallback, help, (value) =>
    typeof value === "string" && value !== "" && !value.includes("\0")
      ? value
      : typeof value === "number"
        ? String(value)
        : undefined,
  );

/** A path, or a name on the hub. A leading `~/` is the home folder, which a shell expands but a file does not. */
export const path = (fallback: string, help: string): Argument<string> => {
  const inner = text(fallback, help);
  return {
    ...inner,
    read: (value) => {
      const given = inner.read(value);
      return given === undefined ? undefined : expandHome(given);
    },
  };
};

/** A string that passes `fits`; `expected` describes it in errors. */
export const textThat = (fits: (value: string) => boolean, expected: string, help: string): Argument<string> =>
  argument(expected, "", help, (value) => (typeof value === "string" && fits(value) ? value : undefined));

/** Where a number may be; a bound that is left out is none. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

export function number(fallback: number, help: string, range: NumberRange = {}): Argument<number> {
  return argument(rangeInWords(range), fallback, help, (value) => {
    const n = toNumber(value);
    return n !== undefined && isWithin(n, range) ? n : undefined;
  });
}

function isWithin(n: number, { min, max, above, below }: NumberRange): boolean {
  const isAtLeast = (min === undefined || n >= min) && (above === undefined || n > above);
  return isAtLeast && (max === undefined || n <= max) && (below === undefined || n < below);
}

/** A range in words: "a number from 0 to 1", "a number from 0 to below 1", "a number above 0 and at most 1". */
export function rangeInWords({ min = -Infinity, max = Infinity, above = -Infinity, below = Infinity }: NumberRange): string {
  const isFrom = min > above; // of two bounds the stricter counts
  const upper = below <= max ? below : max;
  const last = upper === Infinity ? "" : below <= max ? `below ${below}` : isFrom ? `${max}` : `at most ${max}`;
  if (isFrom) return [`a number from ${min}`, last].filter(Boolean).join(" to ");
  const first = above === -Infinity ? "" : `above ${above}`;
  return `a number ${[first, last].filter(Boolean).join(" and ")}`.trimEnd();
}

/** A share or a count. */
export const share = (help: string): Argument<number> =>
  argument("a share between 0 and 1, or an integer of at least 1", 0, help, (value) => {
    const n = toNumber(value);
    return n !== undefined && n > 0 && (n < 1 || Number.isSafeInteger(n)) ? n : undefined;
  });

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
  argument(`one of ${values.join(", ")}`, fallback, help, (value) => {
    const name = value === false || value === null ? "no" : value; // YAML's `no`
    return values.find((each) => each === name || (each === "none" && name === "no"));
  });

/**
 * One string or several. A single string may be `q_proj v_proj`, `q_proj,v_proj` or a list in brackets, `[q_proj, v_proj]`
 * or `["q_proj", "v_proj"]`.
 */
export const texts = (fallback: readonly string[], help: string): Argument<readonly string[]> =>
  list("a string or a list of strings", fallback, help, (item) => (typeof item === "string" && item !== "" ? item : undefined));

/** One number or several, in the spellings of `texts`. */
export const numbers = (fallback: readonly number[], help: string): Argument<readonly number[]> =>
  list("a list of numbers", fallback, help, toNumber);

function list<T>(
  expected: string,
  fallback: readonly T[],
  help: string,
  readItem: (item: unknown) => T | undefined,
): Argument<readonly T[]> {
  const read = (value: unknown): readonly T[] | undefined => {
    const items = itemsOf(value).map(readItem);
    return items.length > 0 && items.every((item) => item !== undefined) ? items : undefined;
  };
  return { ...argument(expected, fallback, help, read), isList: true };
}

/** The items of a list in any spelling. */
export function itemsOf(value: unknown): readonly unknown[] {
  if (typeof value !== "string") return [value].flat();
  const inner = /^\s*\[(.*)\]\s*$/s.exec(value)?.[1];
  const items = splitOutside(inner ?? value).filter(Boolean);
  return inner === undefined ? items : items.map((item) => /^(["'])(.*)\1$/s.exec(item)?.[2] ?? item);
}

/** Splits at spaces and commas, except those within brackets, such as `{1,2}` of a regular expression. */
function splitOutside(text: string): string[] {
  const items = [""];
  let depth = 0;
  for (const character of text) {
    if ("([{".includes(character)) depth++;
    else if (")]}".includes(character)) depth--;
    if (depth === 0 && /[\s,]/.test(character)) items.push("");
    else items[items.length - 1] += character;
  }
  return depth === 0 ? items : text.split(/[\s,]+/);
}

/** Names with numbers or strings, such as `lr_scheduler_kwargs`; JSON on a command line. Null means none. */
export const mapping = (help: string): Argument<Readonly<Record<string, unknown>>> =>
  argument("names with values", {}, help, (value) => {
    const read =
      (typeof value === "string" ? tryParseJson(value) : value) ?? (value === null || value === "null" ? {} : undefined);
    return isObject(read) ? read : undefined;
  });

/** Names with new names, such as `column_mapping`; on a command line `question=prompt,good=chosen`, or JSON. */
export const renaming = (help: string): Argument<Readonly<Record<string, string>>> =>
  argument("names with new names, such as question=prompt or {question: prompt},", {}, help, (value) => {
    return typeof value === "string" ? parseRenaming(value) : asRenaming(value);
  });

function asRenaming(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  return Object.values(value).every((name) => typeof name === "string") ? (value as Record<string, string>) : undefined;
}

/** `a=b,c=d`, `{a: b, c: d}` or JSON, each name once; a name with a comma, a colon or an equals sign needs JSON. */
export function parseRenaming(text: string): Record<string, string> | undefined {
  const json = tryParseJson(text);
  if (json !== undefined) return asRenaming(json);
  const braced = /^\s*\{([^{}]*)\}\s*$/.exec(text)?.[1];
  return braced === undefined ? parsePairs(text, "=") : parsePairs(braced, ":");
}

function parsePairs(text: string, between: string): Record<string, string> | undefined {
  const pairs = text.split(",").map((pair) => pair.split(between).map((name) => name.trim().replace(/^(["'])(.*)\1$/, "$2")));
  const isSound = pairs.every((pair) => pair.length === 2 && pair.every((name) => name !== ""));
  const isUnique = new Set(pairs.map(([name]) => name)).size === pairs.length;
  return isSound && isUnique ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
}

/** Either of two. */
export const either = <A, B>(first: Argument<A>, second: Argument<B>, fallback: A | B): Argument<A | B> =>
  argument(`${first.expected}, or ${second.expected}`, fallback, first.help, (value) => first.read(value) ?? second.read(value));

/** Whether `value` fits as it is; a string that spells a number, as on a command line, does not. */
export function fits(value: unknown, { read }: Pick<Argument<unknown>, "read">): boolean {
  return value !== undefined && read(value) === value;
}

/**
 * Checks named values against a table; what is left out has its fallback.
 *
 * @param nameOf the name of an argument in the source of the values
 * @throws InputError that names every unknown name, with its nearest neighbour, and every value that does not fit
 */
export function readArguments<Table extends ArgumentTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
  nameOf: (name: string) => string = (name) => name,
): ArgumentsOf<Table> {
  const { settings, problems } = checkArguments(table, values, nameOf);
  if (problems.length > 0) throw problemsError(problems);
  return settings;
}

/** Like the above, but returns the problems; arguments with problems get their fallbacks. */
export function checkArguments<Table extends ArgumentTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
  nameOf: (name: string) => string = (name) => name,
): { settings: ArgumentsOf<Table>; problems: Problem[] } {
  const names = new Map(Object.keys(table).map((name) => [nameOf(name), name]));
  const settings: Record<string, unknown> = Object.fromEntries(
    Object.entries(table).map(([name, { fallback }]) => [name, fallback]),
  );
  const problems: Problem[] = [];
  for (const [given, value] of Object.entries(values)) {
    const name = names.get(given);
    if (name === undefined) problems.push(unknown(given, nearest(given, [...names.keys()]), "setting"));
    else if (value !== undefined) {
      const { read, expected, wayOut } = table[name]!;
      const settled = read(value);
      if (settled === undefined) problems.push(unfit(given, expected, shown(value), wayOut?.(value)));
      else settings[name] = settled;
    }
  }
  return { settings: settings as ArgumentsOf<Table>, problems };
}

/** YAML 1.2 reads `5e-5` as a number but Python's YAML as a string, so files have both. */
function toNumber(value: unknown): number | undefined {
  const n = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof n === "number" && !Number.isNaN(n) ? n : undefined;
}

/** The value of a JSON text; undefined for other texts. */
export function tryParseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
