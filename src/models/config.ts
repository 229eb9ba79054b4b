/**
 * Reading a Hugging Face `config.json`: typed access that names the key when a value does not fit, and the entries that
 * architectures share. Both generations of transformers are read: `torch_dtype` (4) and `dtype` (5), and see rope.ts.
 * Keys that do not change the numbers are ignored.
 */
import { expected } from "../base/errors";
import { isObject, shown } from "../base/values";
import { type DType, dtypes } from "../torch";
import { KeyReader } from "./keyReader";

/** A parsed `config.json`. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/**
 * Typed access to one config. A key that is null counts as absent, as it does in transformers, except where a class has
 * a default: then null says that there is none.
 */
export class ConfigReader extends KeyReader {
  private readonly json: HuggingFaceConfig;
  private readonly path: string;

  /** `defaults` has values for keys that are absent; `path` is that of this object in the whole config. */
  constructor(json: HuggingFaceConfig, { defaults = {}, path = "" }: { defaults?: HuggingFaceConfig; path?: string } = {}) {
    super();
    if (!isObject(json)) throw new TypeError(`Expected an object for '${path || "config"}' but received ${describe(json)}`);
    this.json = { ...defaults, ...json };
    this.path = path;
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  /** A positive integer of at most `max`. */
  sizeUpTo(key: string, max: number): number {
    const size = this.size(key);
    return this.read(key, `a positive integer up to ${max}`, () => size <= max);
  }

  number(key: string, { min, max = Infinity, fallback }: { min: number; max?: number; fallback?: number }): number {
    const within = (value: unknown) => isFinite(value) && value >= min && value <= max;
    return this.read(key, `a number from ${min}${max < Infinity ? ` to ${max}` : ""}`, within, fallback);
  }

  /** A positive number, or undefined. */
  positive(key: string): number | undefined {
    const fits = (value: unknown) => isFinite(value) && value > 0;
    return this.has(key) ? this.read(key, "a positive number", fits) : undefined;
  }

  /** As many positive numbers. */
  list(key: string, length: number): number[] {
    const fits = (value: unknown) => Array.isArray(value) && value.length === length && value.every((n) => isFinite(n) && n > 0);
    return this.read(key, `${length} positive numbers`, fits);
  }

  /** One of these strings. */
  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    this.only(key, choices);
    return this.string(key, fallback) as T;
  }

  /** One of these strings for each of `length` layers. */
  choices<T extends string>(key: string, choices: readonly T[], length: number): T[] {
    const fits = (value: unknown) =>
      Array.isArray(value) && value.length === length && value.every((each) => choices.includes(each));
    return this.read(key, `${length} times ${choices.map((each) => JSON.stringify(each)).join(" or ")}`, fits);
  }

  stringOrStrings(key: string): string | readonly string[] {
    const isString = (value: unknown) => typeof value === "string";
    const fits = (value: unknown) => isString(value) || (Array.isArray(value) && value.every(isString));
    return this.read(key, "a string or strings", fits);
  }

  /** An integer, or undefined. */
  tokenId(key: string): number | undefined {
    return this.has(key) ? this.read(key, "a token id", Number.isSafeInteger) : undefined;
  }

  /** One id, a list of ids, or none. */
  tokenIds(key: string): number[] {
    if (!Array.isArray(this.json[key])) return this.has(key) ? [this.tokenId(key)!] : [];
    return this.read<number[]>(key, "token ids", (value) => (value as unknown[]).every(Number.isSafeInteger));
  }

  /** Numbers by name; none when the key is absent. */
  numbers(key: string): Record<string, number> {
    const isNumbers = (value: unknown) => isObject(value) && Object.values(value).every(isFinite);
    return this.has(key) ? this.read(key, "numbers by name", isNumbers) : {};
  }

  object(key: string): ConfigReader {
    return new ConfigReader(this.json[key] as HuggingFaceConfig, { path: this.name(key) });
  }

  /** An object; when it is absent, an empty one, or the one given instead. */
  objectOrNone(key: string, fallback = new ConfigReader({})): ConfigReader {
    return this.has(key) ? this.object(key) : fallback;
  }

  /** Refuses a value that would change the numbers and is not implemented. */
  only<T>(key: string, supported: readonly T[]): void {
    if (!this.has(key)) return;
    const value = this.json[key];
    if (supported.includes(value as T)) return;
    const what = supported.length > 0 ? `${supported.map(describe).join(" or ")} for` : "no";
    throw new RangeError(`Expected ${what} '${this.name(key)}' but received ${describe(value)}; it is not supported`);
  }

  /** Refuses another architecture. Both keys may be absent: the class one builds says what is meant. */
  architecture(modelType: string, className: string): void {
    this.only("model_type", [modelType]);
    const architectures = this.json["architectures"];
    if (!this.has("architectures") || (Array.isArray(architectures) && architectures.includes(className))) return;
    throw new RangeError(
      `Expected ["${className}"] for 'architectures' but received ${describe(architectures)}; it is not supported`,
    );
  }

  protected read<T>(key: string, what: string, fits: (value: unknown) => boolean, fallback?: T): T {
    const value = this.json[key] ?? fallback;
    if (fits(value)) return value as T;
    throw new RangeError(expected(what, describe(value), { name: this.name(key) }));
  }

  private name(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }
}

/** The entries that transformers declares as floats: it refuses an integer there, and JavaScript writes 30.0 as 30. */
const FLOATS = [
  "attn_logit_softcapping",
  "final_logit_softcapping",
  "initializer_range",
  "rms_norm_eps",
  "router_aux_loss_coef",
  "router_jitter_noise",
];
const INTEGER_FLOAT = new RegExp(`^( *"(?:${FLOATS.join("|")})": -?\\d+)(?=,?$)`, "gm");

/** A config as the text of `config.json`. */
export function configText(config: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(config, null, 2).replace(INTEGER_FLOAT, "$1.0")}\n`;
}

/** The dtype the weights were saved in, if the config says. */
export function savedDType(config: ConfigReader): DType | undefined {
  const key = config.has("dtype") ? "dtype" : "torch_dtype";
  if (!config.has(key)) return undefined;
  config.only(key, dtypes);
  return config.string(key) as DType;
}

/** JSON has no NaN, but 1e999 is infinite. */
function isFinite(value: unknown): value is number {
  return Number.isFinite(value);
}

const describe = (value: unknown): string => shown(value, 200);
