/**
 * Reading a Hugging Face `config.json`: typed access that names the key when a value does not fit, and the entries that
 * architectures share. Both generations of transformers are read: `rope_theta`, `rope_scaling`, `torch_dtype` (4) and
 * `rope_parameters`, `dtype` (5). Keys that do not change the numbers are not looked at.
 */
import { type DType, dtypes } from "../torch";

/** A parsed `config.json`. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/** Typed access to one config. A key that is null counts as absent, as it does in transformers. */
export class ConfigReader {
  constructor(
    private readonly json: HuggingFaceConfig,
    private readonly path = "",
  ) {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new TypeError(`Expected an object for '${path || "config"}' but received ${describe(json)}`);
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  /** A positive integer. */
  size(key: string, fallback?: number): number {
    return this.read(
      key,
      "a positive integer",
      (value) => Number.isSafeInteger(value) && (value as number) > 0,
      fallback,
    );
  }

  number(key: string, { min, max = Infinity, fallback }: { min: number; max?: number; fallback?: number }): number {
    const within = (value: unknown) => typeof value === "number" && value >= min && value <= max;
    return this.read(key, `a number from ${min}${max < Infinity ? ` to ${max}` : ""}`, within, fallback);
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.read(key, "true or false", (value) => typeof value === "boolean", fallback);
  }

  string(key: string, fallback?: string): string {
    return this.read(key, "a string", (value) => typeof value === "string", fallback);
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
    const isNumbers = (value: unknown) =>
      typeof value === "object" && !Array.isArray(value) && Object.values(value!).every((n) => typeof n === "number");
    return this.has(key) ? this.read(key, "numbers by name", isNumbers) : {};
  }

  object(key: string): ConfigReader {
    return new ConfigReader(this.json[key] as HuggingFaceConfig, this.name(key));
  }

  /** Refuses a value that would change the numbers and is not implemented. */
  only<T>(key: string, supported: readonly T[]): void {
    if (!this.has(key)) return;
    const value = this.json[key];
    if (supported.includes(value as T)) return;
    const expected = supported.length > 0 ? `${supported.map(describe).join(" or ")} for` : "no";
    throw new RangeError(
      `Expected ${expected} '${this.name(key)}' but received ${describe(value)}; it is not supported`,
    );
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

  private read<T>(key: string, expected: string, fits: (value: unknown) => boolean, fallback?: T): T {
    const value = this.json[key] ?? fallback;
    if (fits(value)) return value as T;
    throw new RangeError(`Expected ${expected} for '${this.name(key)}' but received ${describe(value)}`);
  }

  private name(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }
}

/** The sizes of attention, which must fit each other. */
export function attentionShape(config: ConfigReader) {
  const hiddenSize = config.size("hidden_size");
  const heads = config.size("num_attention_heads");
  const numKeyValueHeads = config.size("num_key_value_heads", heads);
  if (!config.has("head_dim") && hiddenSize % heads !== 0)
    throw new RangeError(
      `Expected a multiple of num_attention_heads (${heads}) for 'hidden_size' but received ${hiddenSize}; ` +
        "or give 'head_dim'",
    );
  if (heads % numKeyValueHeads !== 0)
    throw new RangeError(
      `Expected a divisor of num_attention_heads (${heads}) for 'num_key_value_heads' but received ${numKeyValueHeads}`,
    );
  const headDim = config.size("head_dim", hiddenSize / heads);
  if (headDim % 2 !== 0) throw new RangeError(`Expected an even number for 'head_dim' but received ${headDim}`);
  return { hiddenSize, numAttentionHeads: heads, numKeyValueHeads, headDim };
}

/** The base of the rotary angles. Scaled rotary embeddings are an error. */
export function ropeTheta(config: ConfigReader): number {
  let theta = config.number("rope_theta", { min: 1, fallback: 10_000 });
  // In transformers 5 a leftover `rope_scaling` wins.
  for (const key of ["rope_parameters", "rope_scaling"]) {
    if (!config.has(key)) continue;
    const rope = config.object(key);
    rope.only("rope_type", ["default"]);
    rope.only("type", ["default"]);
    rope.only("partial_rotary_factor", [1]);
    theta = rope.number("rope_theta", { min: 1, fallback: theta });
  }
  return theta;
}

/** The dtype the weights were saved in, if the config says. */
export function savedDType(config: ConfigReader): DType | undefined {
  const key = config.has("dtype") ? "dtype" : "torch_dtype";
  if (!config.has(key)) return undefined;
  config.only(key, dtypes);
  return config.string(key) as DType;
}

function describe(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
