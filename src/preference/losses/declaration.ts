/**
 * The declaration of a loss: its name and source, its options, what it needs and measures, its formula. Everything else
 * follows from it: the function that creates the loss, the TypeScript types of its options, their checks, the keys of a
 * configuration and their help (configuration.ts). Loads no libtorch.
 */

import { type Argument, choice, fits, type NumberRange, number, rangeInWords } from "../../base/arguments";
import { camelCase } from "../../base/names";
import { checkOptions, given } from "../../base/options";
import { isObject, received } from "../../base/values";
import type { Tensor } from "../../torch";
import {
  defineLoss,
  type LossNeed,
  type LossTraits,
  type PairLogProbs,
  type PairValues,
  type PreferenceLoss,
  possibleNeeds,
  withProperties,
} from "./loss";

/** Everything about a loss. The functions that take `settings` get the value of every option. */
export interface LossDeclaration<
  Name extends string,
  Table extends OptionTable,
  Metric extends string,
  Settings = SettingsOf<Table>,
> {
  /** TRL's `loss_type` where it has one. */
  readonly name: Name;
  /** The paper, with the equation, or the implementation. */
  readonly source: string;
  readonly options: Table;
  /** What the trainer has to supply: reference log-probs, token counts, WPO's means. */
  readonly needs: readonly LossNeed[];
  /** `batch` if a pair's loss depends on the other pairs. */
  readonly scope?: "batch";
  /** `chosen` if neither the formula nor the metrics read the rejected answers. */
  readonly answers?: "chosen";
  /** The loss of each pair, `[pairs]`. */
  readonly formula: (logProbs: PairLogProbs, settings: Settings) => Tensor;
  /** The implicit rewards, `[pairs]` each; β times the log-ratios when left out. */
  readonly rewards?: (logProbs: PairLogProbs, settings: Settings) => PairValues;
  /** Further values to log, by name, `[pairs]` each; undefined if the settings switch one off. */
  readonly metrics?: Readonly<Record<Metric, (logProbs: PairLogProbs, settings: Settings) => Tensor | undefined>>;
  /** The option that sets which drop, in nats, counts as rounding. Unless given, the trainer measures it at the start. */
  readonly tolerance?: keyof Table & string;
}

/** A declaration with any options. */
export type AnyDeclaration = LossDeclaration<string, OptionTable, string, never>;

/** Creates a loss with the options given. */
export interface LossMaker<Name extends string, Table extends OptionTable, Metric extends string> {
  (options?: OptionsOf<Table>): PreferenceLoss;
  readonly declaration: LossDeclaration<Name, Table, Metric>;
}

/**
 * Makes the function that creates a loss, as smaug's own losses are made.
 *
 * ```ts
 * const offsetDpo = declareLoss({
 *   name: "offset_dpo",
 *   source: "Amini et al. 2024, arXiv 2402.10571, with one offset for all pairs",
 *   needs: ["reference"],
 *   options: { beta: numberOption(0.1, "scale of the log-ratios", { above: 0 }), offset: numberOption(1, "the wanted margin") },
 *   formula: (logProbs, { beta, offset }) => {
 *     const { chosen, rejected } = logRatios(logProbs);
 *     return chosen.sub(rejected).mul(beta).sub(offset).logSigmoid().neg();
 *   },
 * });
 * const trainer = new PreferenceTrainer({ model, train, loss: offsetDpo({ offset: 2 }) });
 * ```
 *
 * @throws TypeError for a declaration that is incomplete, or in which an option's default does not fit the option
 */
export function declareLoss<const Name extends string, Table extends OptionTable, Metric extends string = never>(
  declaration: LossDeclaration<Name, Table, Metric>,
): LossMaker<Name, Table, Metric> {
  expectDeclaration(declaration);
  const name = camelCase(declaration.name);
  const make = (options: OptionsOf<Table> = {}) => {
    expectOptions(name, declaration.options, options);
    return createDeclared(declaration, options);
  };
  return withProperties(make, { name, declaration });
}

/** The loss with options that are known to fit. */
export function createDeclared(declaration: AnyDeclaration, options: Readonly<Record<string, unknown>>): PreferenceLoss {
  const { name, needs, scope, answers, formula, rewards, metrics, tolerance } = declaration;
  const defaults = Object.entries(declaration.options).map(([option, { fallback }]) => [option, fallback]);
  const values: { beta?: unknown } = { ...Object.fromEntries(defaults), ...given(options) };
  const settings = values as never;
  const isOpen = tolerance !== undefined && options[tolerance] === undefined;
  const traits: LossTraits = {
    beta: typeof values.beta === "number" ? values.beta : undefined,
    needs,
    scope,
    answers,
    rewards: rewards && ((logProbs) => detached(rewards(logProbs, settings))),
    metrics: metrics && ((logProbs) => measured(metrics, logProbs, settings)),
    withTolerance: isOpen ? (nats) => createDeclared(declaration, { ...options, [tolerance]: nats }) : undefined,
  };
  return defineLoss(name, traits, (logProbs) => formula(logProbs, settings));
}

function measured(
  metrics: NonNullable<AnyDeclaration["metrics"]>,
  logProbs: PairLogProbs,
  settings: never,
): Record<string, Tensor> {
  const values = Object.entries(metrics).map(([name, metric]) => [name, metric(logProbs, settings)?.detach()]);
  return given(Object.fromEntries(values) as Record<string, Tensor>);
}

function detached({ chosen, rejected }: PairValues): PairValues {
  return { chosen: chosen.detach(), rejected: rejected.detach() };
}

function expectDeclaration(declaration: AnyDeclaration): void {
  checkOptions("declareLoss", declaration, [
    "name",
    "source",
    "options",
    "needs",
    "scope",
    "answers",
    "formula",
    "rewards",
    "metrics",
    "tolerance",
  ]);
  const { name, source, options, needs, scope, answers, formula, rewards, metrics, tolerance } =
    declaration as Partial<AnyDeclaration>;
  expectPart(isText(name), "a name", "'name'", name);
  expectPart(isText(source), "a paper or an implementation", "'source'", source);
  expectPart(isObject(options), "an object of options", "'options'", options);
  for (const [option, value] of Object.entries(options!)) expectOption(`'options.${option}'`, value);
  const isNeeds = Array.isArray(needs) && needs.every((need) => possibleNeeds.includes(need));
  const all = possibleNeeds.map((need) => `"${need}"`);
  expectPart(isNeeds, `a list of ${all.slice(0, -1).join(", ")} or ${all.at(-1)}, possibly empty,`, "'needs'", needs);
  expectPart(scope === undefined || scope === "batch", '"batch" or nothing', "'scope'", scope);
  expectPart(answers === undefined || answers === "chosen", '"chosen" or nothing', "'answers'", answers);
  expectPart(rewards === undefined || typeof rewards === "function", "a function of the log-probs", "'rewards'", rewards);
  expectPart(typeof formula === "function", "a function of the log-probs and the settings", "'formula'", formula);
  expectPart(metrics === undefined || isObject(metrics), "an object of functions", "'metrics'", metrics);
  for (const [metric, measure] of Object.entries(metrics ?? {}))
    expectPart(typeof measure === "function", "a function of the log-probs and the settings", `'metrics.${metric}'`, measure);
  if (tolerance === undefined) return;
  expectPart(Object.hasOwn(options!, tolerance), "the name of an option", "'tolerance'", tolerance);
  expectPart(typeof options![tolerance]!.fallback === "number", "the name of a numberOption(…)", "'tolerance'", tolerance);
}

const isText = (value: unknown): boolean => typeof value === "string" && value.trim() !== "";

function expectOption(of: string, option: LossOption<unknown>): void {
  expectPart(isObject(option) && "read" in option && "says" in option, "numberOption(…) or choiceOption(…)", of, option);
  expectPart(fits(option.fallback, option), option.says, `the default of ${of}`, option.fallback);
}

function expectPart(holds: boolean, expected: string, of: string, value: unknown): void {
  if (!holds) throw new TypeError(`Expected ${expected} for ${of} of a loss but received ${received(value)}`);
}

/** An option of a loss. `Default` is part of the type, so that editors show it. */
export interface LossOption<T, Default extends T = T> extends Argument<T> {
  readonly fallback: Default;
  /** The expected value in the library's errors; `expected` is that in a configuration's. */
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
  /** In a configuration that leaves it out, each loss has its own default; otherwise, that of the first loss with this key. */
  readonly isOpen?: boolean;
};

export interface LossRange extends NumberRange {
  /** Follows the range in parentheses. */
  readonly note?: string;
}

/** A finite number. `help` describes it in a few words. */
export function numberOption<Default extends number>(
  fallback: Default,
  help: string,
  range: LossRange = {},
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
  const bounds = rangeInWords(range);
  const words = bounds === "a number" ? "a finite number" : bounds;
  return range.note === undefined ? words : `${words} (${range.note})`;
}

/** One of several names, which are appended to the help text. */
export function choiceOption<const T extends string, const Default extends NoInfer<T>>(
  values: readonly T[],
  fallback: Default,
  help: string,
): LossOption<T, Default> {
  const inner: Argument<T> = choice(values, fallback, `${help}: ${values.join(", ")}`);
  return { ...inner, fallback, says: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}` };
}

/** An option that a configuration may set, under `key`. Losses that share a key share its default there. */
export function setting<Key extends string, Option>(key: Key, option: Option): Setting<Key, Option> {
  return { ...option, key };
}

/** A setting for which each loss keeps its own default. */
export function openSetting<Key extends string, Option>(
  key: Key,
  option: Option,
): Setting<Key, Option> & { readonly isOpen: true } {
  return { ...option, key, isOpen: true };
}

/** β of a loss, under the key that all of them share. */
export function beta<Default extends number>(
  fallback: Default,
  help = "how strongly the policy is kept close to the reference",
): Setting<"beta", LossOption<number, Default>> {
  return setting("beta", numberOption(fallback, help, { above: 0 }));
}

/** From this share of flipped labels on, the labels carry no information. */
export const maxFlippedShare = 0.5;

/** ε, the share of flipped labels. */
export const labelSmoothing = setting(
  "labelSmoothing",
  numberOption(0, "share of pairs assumed to have swapped labels", { min: 0, below: maxFlippedShare }),
);

/**
 * Throws unless `options` is an object in which every option is known and fits.
 *
 * @param called the function that takes the options, for the message
 * @throws TypeError for an unknown option or a value of the wrong kind, RangeError for a number out of range
 */
function expectOptions(called: string, table: OptionTable, options: object): void {
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
