/**
 * The options of losses: one object each for the default, the range, the help text and the key in a configuration, from
 * which the TypeScript types, the checks, the YAML keys and the `--help` lines follow. Loads no libtorch.
 */
import { type Argument, type NumberRange, choice, number } from "../../base/arguments";
import { checkOptions } from "../../base/options";
import { received } from "../../base/received";

/** An option of a loss. `Default` is in the type so that an editor shows it. */
export interface LossOption<T, Default extends T = T> extends Argument<T> {
  readonly fallback: Default;
  /** What it may be, for the library's errors; `expected` says it for a configuration's. */
  readonly says: string;
  readonly range?: LossRange;
}

export type OptionTable = Readonly<Record<string, LossOption<unknown>>>;

/** An option's type: `number`. */
export type ValueOf<Option> = Option extends Argument<infer T> ? T : never;

/** What a loss takes: `{ beta?: number; lambda?: number }`. */
export type OptionsOf<Table> = { -readonly [Name in keyof Table]?: ValueOf<Table[Name]> };

/** What its formula gets, defaults filled in. */
export type SettingsOf<Table> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** An option that a configuration may set, under `key` (in camelCase; snake_case in files). */
export type Setting<Key extends string, Option> = Option & {
  readonly key: Key;
  /** Left out of a configuration it has each loss's own default; otherwise that of the first loss that has the key. */
  readonly isOpen?: boolean;
};

export interface LossRange extends NumberRange {
  /** The range in words, where "a number above …" is not how to say it. */
  readonly words?: string;
  /** Follows the range in parentheses. */
  readonly note?: string;
}

/** A finite number. */
export function numberOption<Default extends number>(
  fallback: Default,
  help: string,
  range: LossRange = { words: "a finite number" },
): LossOption<number, Default> {
  const inner = number(fallback, help, range);
  const read = (value: unknown) => {
    const given = inner.read(value);
    return Number.isFinite(given) ? given : undefined;
  };
  return { ...inner, fallback, range, read, says: inWords(range) };
}

/** A range as the library's errors say it. */
export function inWords(range: LossRange): string {
  const words = range.words ?? number(0, "", range).expected;
  return range.note === undefined ? words : `${words} (${range.note})`;
}

/** One of several names, which end the help text. */
export function choiceOption<const T extends string, const Default extends NoInfer<T>>(
  values: readonly T[],
  fallback: Default,
  help: string,
): LossOption<T, Default> {
  const inner: Argument<T> = choice(values, fallback, `${help}: ${values.join(", ")}`);
  return { ...inner, fallback, says: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}` };
}

/** An option that a configuration may set, under `key`. Losses that share a key share its default there, see `isOpen`. */
export function setting<Key extends string, Option>(key: Key, option: Option): Setting<Key, Option> {
  return { ...option, key };
}

/** A setting for which each loss keeps its own default. */
export function openSetting<Key extends string, Option>(key: Key, option: Option): Setting<Key, Option> {
  return { ...option, key, isOpen: true };
}

/** β of a loss, under the key that all of them share. */
export function beta<Default extends number>(
  fallback: Default,
  help = "how strongly the policy is kept close to the reference",
): Setting<"beta", LossOption<number, Default>> {
  return setting("beta", numberOption(fallback, help, { above: 0, words: "a positive number" }));
}

/** ε of the losses that take a share of the labels to be flipped; at one half, labels would carry no information. */
export const labelSmoothing = setting(
  "labelSmoothing",
  numberOption(0, "share of pairs assumed to have swapped labels", {
    min: 0,
    below: 0.5,
    words: "a number from 0 to below 0.5",
  }),
);

/**
 * Throws unless `options` is an object in which every option is known and fits.
 *
 * @param called the function that takes the options, for the message
 * @throws TypeError for an unknown option or a value of the wrong kind, RangeError for a number out of range
 */
export function expectOptions(called: string, table: OptionTable, options: object): void {
  checkOptions(called, options, Object.keys(table));
  const given = options as Readonly<Record<string, unknown>>;
  for (const [name, option] of Object.entries(table)) if (given[name] !== undefined) expectFits(name, given[name], option);
}

/** Throws unless `value` fits the option. */
export function expectFits(name: string, value: unknown, option: LossOption<unknown>): void {
  if (fits(value, option)) return;
  const Failure = typeof option.fallback === "number" ? RangeError : TypeError;
  throw new Failure(`Expected ${option.says} for '${name}' but received ${received(value)}`);
}

/** Whether `value` fits as it is: the text of a number, which a command line may give, does not. */
export function fits(value: unknown, option: LossOption<unknown>): boolean {
  return value !== undefined && option.read(value) === value;
}
