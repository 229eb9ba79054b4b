/**
 * What a LoRA adapter is made of: ranks, scaling, and PEFT's rules for which layers it sits on and which weights it
 * trains whole. The rules are those of PEFT 0.21 (`check_target_module_exists`, `_set_trainable`, `get_pattern_key`).
 */
import { fits, integer, number } from "../../base/arguments";
import { convertInputErrors, expected, OptionError } from "../../base/errors";
import { checkOptions, given } from "../../base/options";
import { checkPatternSize, Pattern } from "../../base/patterns";
import { secondsFor, withinTime } from "../../base/timeLimit";
import { isObject, quotedChoices, received, shortened } from "../../base/values";

/** The options that are numbers. */
export const loraArguments = {
  r: integer(16, "rank", { min: 1 }),
  alpha: number(32, "the adapter's scale is alpha / r", { above: 0 }),
  dropout: number(0.05, "dropout probability of the adapter's input", { min: 0, below: 1 }),
} as const;

const biases = ["none", "all", "lora_only"] as const;

export interface LoraConfig {
  /** Rank. */
  r: number;
  alpha: number;
  /** Share of the adapter's input dropped in training. */
  dropout: number;
  /** Layers by the last parts of their names, by a pattern for whole names, or `"all-linear"`: all but the head. */
  targetModules: readonly string[] | string;
  /** Layers to leave out, named in the same ways. */
  excludeModules: readonly string[] | string;
  /** Only targets in the layers with these numbers. None given: in all. */
  layersToTransform: readonly number[];
  /** What precedes a layer's number in its name, such as `"layers"`; anything when empty. */
  layersPattern: readonly string[];
  useRslora: boolean;
  useDora: boolean;
  /** Other ranks, by a pattern for the end of a layer's name, from a dot or its start. The first match counts. */
  rankPattern: Readonly<Record<string, number>>;
  /** Other alphas, by the same patterns. */
  alphaPattern: Readonly<Record<string, number>>;
  /** Biases of the model that are trained too: `"lora_only"` those of the adapted layers. */
  bias: (typeof biases)[number];
  /** Modules trained whole, by the ends of their names: `["embed_tokens", "lm_head"]`. */
  modulesToSave: readonly string[];
  /** Keep a tied head tied when it or the embedding is trained whole. */
  ensureWeightTying: boolean;
}

/** Most names or patterns of one option. A model has fewer modules. */
export const MOST_NAMES = 10_000;

const defaults: LoraConfig = {
  r: loraArguments.r.fallback,
  alpha: loraArguments.alpha.fallback,
  dropout: loraArguments.dropout.fallback,
  targetModules: ["q_proj", "v_proj"],
  excludeModules: [],
  layersToTransform: [],
  layersPattern: [],
  useRslora: false,
  useDora: false,
  rankPattern: {},
  alphaPattern: {},
  bias: "none",
  modulesToSave: [],
  ensureWeightTying: false,
};

/**
 * A checked LoRA configuration; what is left out has TRL's value.
 *
 * ```ts
 * const adapted = applyLora(model, lora({ r: 8, targetModules: "all-linear" }));
 * ```
 */
export function lora(options: Partial<LoraConfig> = {}): LoraConfig {
  checkOptions("lora", options, Object.keys(defaults));
  const config = { ...defaults, ...given(options) };
  checkKinds(config);
  checkRanks(config);
  checkPatterns(config);
  checkChoices(config);
  checkLayers(config);
  return config;
}

function checkRanks({ r, alpha, rankPattern, alphaPattern }: LoraConfig): void {
  for (const [key, patterns] of Object.entries({ rankPattern, alphaPattern }))
    if (Object.keys(patterns).length > MOST_NAMES)
      throw new RangeError(`Expected at most ${MOST_NAMES} patterns for '${key}' but received more`);
  checkRank("r", r);
  checkAlpha("alpha", alpha);
  for (const [pattern, rank] of Object.entries(rankPattern)) checkRank(`rankPattern["${pattern}"]`, rank);
  for (const [pattern, other] of Object.entries(alphaPattern)) checkAlpha(`alphaPattern["${pattern}"]`, other);
}

function checkPatterns(config: LoraConfig): void {
  for (const key of ["targetModules", "excludeModules", "modulesToSave", "layersPattern"] as const)
    if (typeof config[key] !== "string" && config[key].length > MOST_NAMES)
      throw new RangeError(`Expected at most ${MOST_NAMES} names for '${key}' but received ${config[key].length}`);
  for (const key of ["targetModules", "excludeModules"] as const)
    if (typeof config[key] === "string") checkPattern(key, config[key]);
  for (const key of ["rankPattern", "alphaPattern"] as const)
    for (const pattern of Object.keys(config[key])) checkPattern(key, pattern);
  for (const key of ["layersPattern", "modulesToSave"] as const) for (const pattern of config[key]) checkPattern(key, pattern);
}

function checkChoices({ dropout, bias }: LoraConfig): void {
  if (!fits(dropout, loraArguments.dropout))
    throw new RangeError(expected(loraArguments.dropout.expected, received(dropout), { name: "dropout" }));
  if (!biases.includes(bias))
    throw new RangeError(`Expected ${quotedChoices(biases)} for 'bias' but received ${JSON.stringify(bias)}`);
}

function checkLayers({ layersToTransform, layersPattern, targetModules }: LoraConfig): void {
  if (!layersToTransform.every((layer) => Number.isSafeInteger(layer) && layer >= 0))
    throw new RangeError(`Expected numbers of layers for 'layersToTransform' but received ${JSON.stringify(layersToTransform)}`);
  if (layersToTransform.length > 0 && typeof targetModules === "string")
    throw new RangeError(
      "Expected a list for 'targetModules', since 'layersToTransform' is given, but received " + JSON.stringify(targetModules),
    );
  if (layersPattern.length > 0 && layersToTransform.length === 0)
    throw new RangeError("Expected 'layersToTransform' with 'layersPattern' but received none");
}

/** The type of each option. JavaScript would iterate over the letters of a string, and take any string for true. */
const kinds: Partial<Record<keyof LoraConfig, readonly [says: string, holds: (value: unknown) => boolean]>> = {
  targetModules: ['a list of names, a pattern or "all-linear"', (value) => typeof value === "string" || isList(value, "string")],
  excludeModules: ["a list of names or a pattern", (value) => typeof value === "string" || isList(value, "string")],
  layersToTransform: ["a list of layer numbers", (value) => Array.isArray(value)],
  layersPattern: ["a list of patterns", (value) => isList(value, "string")],
  modulesToSave: ["a list of names", (value) => isList(value, "string")],
  rankPattern: ["an object of ranks, keyed by pattern", isObject],
  alphaPattern: ["an object of alphas, keyed by pattern", isObject],
  useRslora: ["true or false", (value) => typeof value === "boolean"],
  useDora: ["true or false", (value) => typeof value === "boolean"],
  ensureWeightTying: ["true or false", (value) => typeof value === "boolean"],
};

function isList(value: unknown, type: string): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === type);
}

function checkKinds(config: LoraConfig): void {
  for (const [key, [says, holds]] of Object.entries(kinds)) {
    const value = config[key as keyof LoraConfig];
    if (!holds(value)) throw new RangeError(expected(says, received(value), { name: key }));
  }
}

/**
 * Throws unless `config` is a complete configuration from `lora`.
 *
 * @throws TypeError
 */
export function expectLoraConfig(config: unknown): asserts config is LoraConfig {
  if (isObject(config) && Object.keys(defaults).every((key) => key in config)) return;
  const way = isObject(config) ? "; pass it to lora(…), which checks it and fills in the rest" : "";
  throw new TypeError(`Expected a configuration from lora() for 'config' but received ${received(config)}${way}`);
}

/** Runs `find`, which matches many names, under one time limit instead of one for each match. */
export function findingLayers<T>(find: () => T): T {
  return asRangeError(() =>
    withinTime(
      2 * secondsFor(0),
      find,
      (seconds) => `Expected to find an adapter's layers within ${seconds} s but it takes longer`,
    ),
  );
}

/** The rank of the layer called `name`. */
export function loraRank(config: LoraConfig, name: string): number {
  return byPattern(config, "rankPattern", name) ?? config.r;
}

/** What the product of the layer's factors is multiplied with. */
export function loraScaling(config: LoraConfig, name: string): number {
  const r = loraRank(config, name);
  const alpha = byPattern(config, "alphaPattern", name) ?? config.alpha;
  return config.useRslora ? alpha / Math.sqrt(r) : alpha / r;
}

/** PEFT's rule for the layers an adapter sits on; a module trained whole is none of them. */
export function isTarget(config: LoraConfig, name: string): boolean {
  const { targetModules: targets, excludeModules: excluded, modulesToSave } = config;
  const matches = (key: PatternKey, pattern: string) => patternOf(config, key, `^(?:${pattern})$`).test(name);
  if (typeof excluded === "string" ? matches("excludeModules", excluded) : endsIn(excluded, name)) return false;
  const isSaved = (each: string) =>
    isName(each)
      ? `.${name}.`.includes(`.${each}.`)
      : patternOf(config, "modulesToSave", `^(?:|.*\\.)${each}(?:$|\\.)`).test(name);
  if (modulesToSave.some(isSaved)) return false;
  if (targets === "all-linear") return name !== "lm_head" && !name.endsWith(".lm_head");
  if (typeof targets === "string") return matches("targetModules", targets);
  return targets.includes(name) || (endsIn(targets, name) && isInLayers(config, name));
}

/** PEFT's rule for `modules_to_save`: no dot is asked for, so that "norm" names "input_layernorm" too. */
export function isSavedWhole({ modulesToSave }: LoraConfig, name: string): boolean {
  return modulesToSave.some((each) => name.endsWith(each));
}

function isInLayers(config: LoraConfig, name: string): boolean {
  const { layersToTransform, layersPattern } = config;
  if (layersToTransform.length === 0) return true;
  const patterns =
    layersPattern.length > 0
      ? layersPattern.map((pattern) => `^(?:|.*?\\.)(?:${pattern})\\.(?<layer>\\d+)\\.`)
      : ["^.*?\\.[^.]*\\.(?<layer>\\d+)\\."];
  const found = patterns.map((pattern) => patternOf(config, "layersPattern", pattern).exec(name)).find((match) => match !== null);
  return found !== undefined && layersToTransform.includes(Number(found.groups!["layer"]));
}

/** PEFT's rule for `rank_pattern` and `alpha_pattern`. */
function byPattern(config: LoraConfig, key: "rankPattern" | "alphaPattern", name: string): number | undefined {
  const fits = (pattern: string) =>
    isName(pattern) ? endsIn([pattern], name) : patternOf(config, key, `^(?:.*\\.)?(?:${pattern})$`).test(name);
  return Object.entries(config[key]).find(([pattern]) => fits(pattern))?.[1];
}

type PatternKey = "targetModules" | "excludeModules" | "modulesToSave" | "layersPattern" | "rankPattern" | "alphaPattern";

/** The compiled patterns of each configuration. */
const compiled = new WeakMap<LoraConfig, Map<string, Pattern>>();

function patternOf(config: LoraConfig, key: PatternKey, source: string): Pick<RegExp, "test" | "exec"> {
  let patterns = compiled.get(config);
  if (!patterns) compiled.set(config, (patterns = new Map<string, Pattern>()));
  let pattern = patterns.get(source);
  if (!pattern) patterns.set(source, (pattern = new Pattern(new RegExp(source), `'${key}'`)));
  const found = pattern;
  return {
    test: (name) => asOptionError(key, () => found.test(name)),
    exec: (name) => asOptionError(key, () => found.exec(name)),
  };
}

/** Turns InputErrors about an option, which name it in quotes, into an error that can be spelled differently. */
function asOptionError<T>(option: string, work: () => T): T {
  return convertInputErrors(work, (error) => {
    const [before = "", ...after] = error.message.split(`'${option}'`);
    const text = (spell: (name: string) => string) => [before, ...after].join(`'${spell(option)}'`);
    return new OptionError(option, text, { cause: error });
  });
}

/** Turns InputErrors into RangeErrors, as for any wrong option; a reader of files adds the file's name. */
function asRangeError<T>(work: () => T): T {
  return convertInputErrors(work, (error) => new RangeError(error.message, { cause: error }));
}

/** Whether a pattern matches nothing but itself. */
const isName = (pattern: string): boolean => /^\w+$/.test(pattern);

function endsIn(names: readonly string[], name: string): boolean {
  return names.some((each) => name === each || name.endsWith(`.${each}`));
}

function checkRank(name: string, rank: number): void {
  if (!fits(rank, loraArguments.r)) throw new RangeError(expected("a positive integer", received(rank), { name }));
}

/** Far beyond any use; a scaling near float32's largest number, 3.4e38, would overflow. */
const MAX_ALPHA = 1e30;

function checkAlpha(name: string, alpha: number): void {
  if (!(Number.isFinite(alpha) && fits(alpha, loraArguments.alpha)))
    throw new RangeError(expected(loraArguments.alpha.expected, received(alpha), { name }));
  if (alpha > MAX_ALPHA) throw new RangeError(`Expected at most ${MAX_ALPHA} for '${name}' but received ${alpha}`);
}

function checkPattern(name: string, pattern: string): void {
  if (typeof pattern !== "string") throw new RangeError(`Expected texts for '${name}' but received ${String(pattern)}`);
  asRangeError(() => checkPatternSize(pattern, `'${name}'`));
  try {
    new RegExp(pattern);
  } catch (error) {
    throw new RangeError(
      `Expected a regular expression for '${name}' but received ${JSON.stringify(shortened(pattern, 80))}: ` +
        (error as Error).message.slice(-100),
    );
  }
}
