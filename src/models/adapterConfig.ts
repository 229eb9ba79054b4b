/**
 * PEFT's `adapter_config.json` as a LoRA configuration. An adapter kind or option that is not
 * supported (target_parameters, trainable_token_indices, ...) is named in the error; so is one that is not known,
 * unless it is off. Entries that only say where an adapter came from, or how it was initialised, are ignored.
 */
import { type LoraConfig, lora } from "../nn";
import { MOST_NAMES } from "../nn/adapters/loraConfig";
import { ConfigReader, type HuggingFaceConfig } from "./config";

/** Entries that do not change what a trained adapter computes. */
const neutral = new Set([
  "auto_mapping",
  "base_model_name_or_path",
  "corda_config",
  "eva_config",
  "inference_mode",
  "loftq_config",
  "lora_ga_config",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
]);

/** Most entries of lists that name kinds of modules: each entry is matched with each module, as a pattern. */
const MAX_KINDS = 1000;
const maxEntries = new Map([
  ["modules_to_save", MAX_KINDS],
  ["layers_pattern", MAX_KINDS],
]);

/** Ways to initialise that leave the base weights as they are; the others change them. */
const initialisations = [true, false, "gaussian", "orthogonal", "eva"];

const supported = new Set([
  "r",
  "lora_alpha",
  "lora_dropout",
  "target_modules",
  "exclude_modules",
  "layers_to_transform",
  "layers_pattern",
  "modules_to_save",
  "ensure_weight_tying",
  "bias",
  "use_rslora",
  "use_dora",
  "rank_pattern",
  "alpha_pattern",
]);

/** Checks a parsed `adapter_config.json`. Absent entries have PEFT's defaults. */
export function parseAdapterConfig(json: HuggingFaceConfig): LoraConfig {
  const config = new ConfigReader(json);
  config.string("peft_type");
  config.only("peft_type", ["LORA"]);
  config.only("task_type", ["CAUSAL_LM"]);
  config.only("init_lora_weights", initialisations);
  const checked = new Set([...neutral, ...supported, "peft_type", "task_type", "init_lora_weights"]);
  for (const [key, value] of Object.entries(json)) if (!checked.has(key) && !isOff(value)) config.only(key, []);

  for (const [key, value] of Object.entries(json)) {
    const length = typeof value === "object" && value !== null ? Object.keys(value).length : 0;
    const most = maxEntries.get(key) ?? MOST_NAMES;
    if (length > most) throw new RangeError(`Expected at most ${most} entries for '${key}' but received ${length}`);
  }

  const layers = layersOf(config, json["layers_to_transform"]);
  return lora({
    r: config.size("r", 8),
    alpha: config.number("lora_alpha", { min: 0, fallback: 8 }),
    dropout: config.number("lora_dropout", { min: 0, fallback: 0 }), // `lora` checks the rest
    targetModules: config.stringOrStrings("target_modules"),
    excludeModules: config.has("exclude_modules") ? config.stringOrStrings("exclude_modules") : [],
    layersToTransform: layers,
    layersPattern: layers.length > 0 ? stringsOf(config, "layers_pattern") : [],
    bias: config.string("bias", "none") as LoraConfig["bias"],
    modulesToSave: stringsOf(config, "modules_to_save"),
    ensureWeightTying: config.boolean("ensure_weight_tying", false),
    useRslora: config.boolean("use_rslora", false),
    useDora: config.boolean("use_dora", false),
    rankPattern: config.numbers("rank_pattern"),
    alphaPattern: config.numbers("alpha_pattern"),
  });
}

/** One number or several; none when the key is absent. What they must be, `lora` checks. */
function layersOf(config: ConfigReader, value: unknown): number[] {
  if (!config.has("layers_to_transform")) return [];
  return (Array.isArray(value) ? value : [value]) as number[];
}

/** One string or several; none when the key is absent or empty. */
function stringsOf(config: ConfigReader, key: string): readonly string[] {
  if (!config.has(key)) return [];
  const value = config.stringOrStrings(key);
  return typeof value === "string" ? [value].filter((each) => each !== "") : value;
}

/** The `adapter_config.json` of an adapter that sits on the layers `adapted`. */
export function adapterConfigJson(
  config: LoraConfig,
  adapted: readonly string[],
  baseModel: string | undefined,
): Record<string, unknown> {
  const { targetModules } = config;
  // PEFT writes names for "all-linear", and not every reader knows the word.
  const lastParts = () => [...new Set(adapted.map((name) => name.split(".").at(-1)!))].sort();
  return {
    alpha_pattern: config.alphaPattern,
    base_model_name_or_path: baseModel ?? null,
    bias: config.bias,
    ensure_weight_tying: config.ensureWeightTying,
    exclude_modules: orNull(config.excludeModules),
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: orNull(config.layersPattern),
    layers_to_transform: orNull(config.layersToTransform),
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: orNull(config.modulesToSave),
    peft_type: "LORA",
    r: config.r,
    rank_pattern: config.rankPattern,
    revision: null,
    target_modules: targetModules === "all-linear" ? lastParts() : targetModules,
    task_type: "CAUSAL_LM",
    use_dora: config.useDora,
    use_rslora: config.useRslora,
  };
}

/** PEFT writes null where nothing is named. */
function orNull<T extends { readonly length: number }>(value: T): T | null {
  return value.length > 0 ? value : null;
}

function isOff(value: unknown): boolean {
  return value === null || value === false || (typeof value === "object" && Object.keys(value).length === 0);
}
