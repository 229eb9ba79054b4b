/**
 * Losses in a configuration: the list of them, the keys that they read, the checks across keys, and `createLoss`. All but the
 * list follows from the declarations. Loads no libtorch, so that a configuration can be checked before anything else.
 *
 * `ld_alpha` is not among the keys: it changes the sums that losses take (`ldWeights`).
 */
import { closest } from "fastest-levenshtein";
import { type Argument, fits, flag, numbers, optional, texts } from "../../base/arguments";
import { snakeCase } from "../../base/names";
import { checkOptions } from "../../base/options";
import { conflict, type Problem, problemsError, unfit } from "../../base/problems";
import { shown } from "../../base/values";
import { apoDown, apoZero, bcoPair, calDpo, dpoShift, ncaPair, sppoHard } from "./calibrated";
import { weight, weightedSum, wpo } from "./combinations";
import { type AnyDeclaration, createDeclared, inWords, type LossOption, type Setting, type ValueOf } from "./declaration";
import { discopop, exoPair, hinge, ipo, robust, sigmoid, sigmoidNorm } from "./dpo";
import { dpop } from "./dpop";
import type { PreferenceLoss } from "./loss";
import { cpo, orpo, sft, simpo, slic } from "./referenceFree";
import { aot, aotUnpaired } from "./transport";

/** Every loss that a configuration can name. In a configuration the first to read a key has the key's default and help. */
export const losses = [
  dpop,
  sigmoid,
  sigmoidNorm,
  hinge,
  ipo,
  robust,
  exoPair,
  ncaPair,
  bcoPair,
  sppoHard,
  aot,
  aotUnpaired,
  apoZero,
  apoDown,
  discopop,
  sft,
  slic,
  simpo,
  orpo,
  cpo,
  dpoShift,
  calDpo,
] as const satisfies readonly { declaration: AnyDeclaration }[];

type Declaration = (typeof losses)[number]["declaration"];
export type LossName = Declaration["name"];

type MetricsOf<D> = D extends AnyDeclaration ? keyof NonNullable<D["metrics"]> : never;
/** The metrics of the losses, in addition to those of every run. */
export type LossMetric = MetricsOf<Declaration>;

type ValuesIn<Table> = Table extends unknown ? Table[keyof Table] : never;
type AnySetting = Extract<ValuesIn<Declaration["options"]>, Setting<string, unknown>>;
type LossKey = AnySetting["key"];

/** The options of losses under their keys in a configuration: `dpopLambda` is `lambda` of `dpop`, and so on. */
export type LossParameters = { [Key in LossKey]?: ValueOf<Extract<AnySetting, { key: Key }>> };

export interface LossConfig extends LossParameters {
  /** One of `lossNames`, or several; DPOP when left out. */
  lossType?: string | readonly string[];
  /** One weight per loss; when left out, all count the same. */
  lossWeights?: readonly number[];
  /** Whether pairs are weighted by WPO. */
  useWeighting?: boolean;
}

const declarations: ReadonlyMap<string, AnyDeclaration> = new Map(
  losses.map(({ declaration }) => [declaration.name, declaration]),
);

/** Every `loss_type`. */
export const lossNames: readonly LossName[] = losses.map(({ declaration }) => declaration.name);

type ReadSetting = Setting<LossKey, LossOption<unknown>>;

/** The options of a loss that a configuration can set, by name. */
function readBy(name: string): [option: string, ReadSetting][] {
  const options = Object.entries(declarations.get(name)!.options) as [string, LossOption<unknown> & Partial<ReadSetting>][];
  return options.filter((entry): entry is [string, ReadSetting] => entry[1].key !== undefined);
}

/** Every key with the setting of the first loss that reads it. */
const settings = new Map<LossKey, ReadSetting>();
for (const name of lossNames)
  for (const [, option] of readBy(name)) if (!settings.has(option.key)) settings.set(option.key, option);

/** The value of a key that is left out; undefined where each loss has its own. */
function defaultOf(key: LossKey): unknown {
  const { isOpen, fallback } = settings.get(key)!;
  return isOpen ? undefined : fallback;
}

type OpenKey = Extract<AnySetting, { isOpen: true }>["key"];
type SettingArguments = {
  readonly [Key in LossKey]: Argument<NonNullable<LossParameters[Key]> | (Key extends OpenKey ? null : never)>;
};

/** The keys of a configuration. */
export const lossArguments = {
  lossType: texts(
    [dpop.declaration.name],
    "one loss or several, such as dpop, sigmoid (DPO), ipo, sft; a wrong name lists them all",
  ),
  lossWeights: optional(numbers([], "one weight per loss")),
  useWeighting: flag(false, "weight pairs by their likelihood under the policy (WPO)"),
  ...(Object.fromEntries(
    [...settings].map(([key, option]) => [key, option.isOpen ? optional(option) : option]),
  ) as unknown as SettingArguments),
};

/**
 * The loss that a configuration asks for. Throws an `InputError` that names every key that is wrong, in snake case.
 *
 * ```ts
 * const loss = createLoss({ lossType: ["sigmoid", "sft"], lossWeights: [1, 0.2], beta: 0.1 });
 * ```
 */
export function createLoss(config: LossConfig = {}): PreferenceLoss {
  checkOptions("createLoss", config, Object.keys(lossArguments));
  const values = valueProblems(config);
  const wrong = new Set(values.map(({ key }) => key));
  const fitting = Object.fromEntries(Object.entries(config).filter(([key]) => !wrong.has(snakeCase(key))));
  const conflicts = lossConflicts(fitting).filter(({ keys }) => !keys.some((key) => wrong.has(key)));
  const problems = [...conflicts, ...values];
  if (problems.length > 0) throw problemsError(problems);
  return createChecked(config);
}

/** A configuration whose missing keys may also be null, as in a run's. */
type OpenConfig = { readonly [Key in keyof LossConfig]: LossConfig[Key] | null };

/** The same for a configuration that is known to be sound; it may have other keys. */
export function createChecked(config: OpenConfig): PreferenceLoss {
  const parts = namesIn(config).map((name) => {
    const options = readBy(name).map(([option, { key }]) => [option, valueIn(config, key)]);
    return createDeclared(declarations.get(name)!, Object.fromEntries(options));
  });
  const { lossWeights, useWeighting } = config;
  const loss = parts.length === 1 && !lossWeights ? parts[0]! : weightedSum(parts, lossWeights ?? undefined);
  return (useWeighting ?? lossArguments.useWeighting.fallback) ? wpo(loss) : loss;
}

function namesIn({ lossType }: OpenConfig): readonly string[] {
  const names = lossType ?? lossArguments.lossType.fallback;
  return typeof names === "string" ? [names] : names;
}

function valueIn(config: OpenConfig, key: LossKey): unknown {
  return config[key] ?? defaultOf(key);
}

const NAMES = "a name or a list of names";
const WEIGHTS = "a list of numbers";

/** The settings of single losses that do not fit. */
function valueProblems(config: LossConfig): Problem[] {
  const { lossType, lossWeights } = config as OpenConfig; // in a run's configuration, a setting that was left out is null
  const problems = [...settings.values()]
    .filter((option) => config[option.key] !== undefined && !fits(config[option.key], option))
    .map(({ key, says }) => unfit(snakeCase(key), says, shown(config[key])));
  if (lossType === null) problems.push(unfit("loss_type", NAMES, "null"));
  if (lossWeights === null) problems.push(unfit("loss_weights", WEIGHTS, "null"));
  return problems;
}

/** The losses that a configuration names; undefined if one of them is unknown. */
export function namedLosses(config: OpenConfig): readonly AnyDeclaration[] | undefined {
  const named = namesIn(config).map((name) => declarations.get(name));
  return named.every((declaration) => declaration !== undefined) ? named : undefined;
}

/** Problems with the names and weights, and with settings that conflict with each other. Keys are in snake case. */
export function lossConflicts(config: OpenConfig): Problem[] {
  const names = namesIn(config);
  const wrongNames = nameProblems(names);
  const weights = Array.isArray(names) && names.length > 0 ? weightProblems(config.lossWeights, names) : [];
  if (wrongNames.length > 0) return [...wrongNames, ...weights];
  return [
    ...weights,
    ...unreadProblems(config, names),
    ...divergenceProblems(config, names),
    ...narrowerProblems(config, names),
    ...weightingProblems(config, names),
  ];
}

/** Names that papers use for losses and that resemble the names of other losses. */
const papersNames = new Map([
  ["dpo", "sigmoid"],
  ["cdpo", "sigmoid' with 'label_smoothing"],
]);

function nameProblems(names: readonly string[]): Problem[] {
  if (!Array.isArray(names) || names.length === 0) return [unfit("loss_type", NAMES, shown(names))];
  return names
    .filter((name) => !declarations.has(name))
    .map((name) => {
      const nearest = papersNames.get(name) ?? closest(String(name), [...lossNames]);
      return unfit("loss_type", "a known loss", shown(name), `did you mean '${nearest}'? Known losses: ${lossNames.join(", ")}`);
    });
}

function weightProblems(weights: OpenConfig["lossWeights"], names: readonly string[]): Problem[] {
  if (weights === undefined || weights === null) return [];
  if (!Array.isArray(weights)) return [unfit("loss_weights", WEIGHTS, shown(weights))];
  if (weights.length !== names.length)
    return [
      conflict(
        ["loss_weights", "loss_type"],
        `${names.length} numbers for 'loss_weights', one for each of ${names.join(", ")},`,
        String(weights.length),
      ),
    ];
  return weights.flatMap((each, i) => (fits(each, weight) ? [] : [unfit(`loss_weights[${i}]`, weight.says, shown(each))]));
}

/**
 * Checks that every parameter not at its default is read by at least one of the losses. TRL silently ignores
 * `label_smoothing` with most losses.
 */
function unreadProblems(config: OpenConfig, names: readonly string[]): Problem[] {
  const reads = (name: string, key: LossKey) => readBy(name).some(([, option]) => option.key === key);
  return [...settings.keys()]
    .filter((key) => valueIn(config, key) !== defaultOf(key) && !names.some((name) => reads(name, key)))
    .map((key) => {
      const readers = lossNames.filter((name) => reads(name, key));
      return conflict(
        snakeCase(key),
        `'${snakeCase(key)}' only with a loss that reads it (${readers.join(", ")})`,
        `${shown(config[key])} with ${names.join(", ")}; leave it out`,
      );
    });
}

/** Checks each loss's own range, which may be narrower than that of the first loss that reads the key. */
function narrowerProblems(config: OpenConfig, names: readonly string[]): Problem[] {
  return names.flatMap((name) =>
    readBy(name).flatMap(([, option]) => {
      const { key, range } = option;
      const value = valueIn(config, key);
      if (value === undefined || fits(value, option)) return [];
      const shared = settings.get(key)!.range as Readonly<Record<string, unknown>> | undefined;
      const own = Object.fromEntries(Object.entries(range!).filter(([bound, at]) => shared?.[bound] !== at));
      return [conflict(snakeCase(key), `${inWords(own)} for '${snakeCase(key)}' with ${name}`, shown(value))];
    }),
  );
}

function divergenceProblems(config: OpenConfig, names: readonly string[]): Problem[] {
  const diverging = names.filter((name) => "fDivergenceType" in declarations.get(name)!.options);
  if (diverging.length === 0) return []; // then the keys are not read
  const type = valueIn(config, "fDivergenceType");
  const coefficient = valueIn(config, "fAlphaDivergenceCoef");
  const problems: Problem[] = [];
  // A mixture of divergences is not a known loss. `sft` is exempt: it has no reference to diverge from.
  const unmoved = names.find((name) => name !== "sft" && !diverging.includes(name));
  if (type !== defaultOf("fDivergenceType") && unmoved !== undefined)
    problems.push(
      conflict(
        "f_divergence_type",
        `${shown(defaultOf("fDivergenceType"))} for 'f_divergence_type' with ${unmoved}`,
        shown(type),
      ),
    );
  if (coefficient !== defaultOf("fAlphaDivergenceCoef") && type !== "alpha_divergence")
    problems.push(
      conflict(
        ["f_alpha_divergence_coef", "f_divergence_type"],
        `"alpha_divergence" for 'f_divergence_type' with 'f_alpha_divergence_coef' ${shown(coefficient)}`,
        shown(type),
      ),
    );
  return problems;
}

function weightingProblems({ useWeighting }: OpenConfig, names: readonly string[]): Problem[] {
  const sorting = names.find((name) => declarations.get(name)!.scope === "batch");
  if (!useWeighting || sorting === undefined) return [];
  return [conflict("use_weighting", `false for 'use_weighting' with ${sorting}, which sorts the batch,`, "true")];
}
