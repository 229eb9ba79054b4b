/**
 * Settings of tokenizer_config.json that change ids. tokenizer.json decides, except for the settings that transformers
 * 5.24 applies on top of it, which are applied here too: `split_special_tokens`; `add_prefix_space` for the classes that
 * it rebuilds in code, and `legacy` for Llama; and `add_bos_token: false` and `add_eos_token: false` for GPT-NeoX.
 * `fix_mistral_regex` is rejected. What transformers rebuilds without any setting is left out.
 */
import { type JsonObject, shown } from "../base/values";
import { TokenizerError } from "./errors";
import type { Step } from "./pipeline";
import type { TokenizerJson } from "./tokenizerJson";

/** Where settings are read from: tokenizer_config.json's values and path, and the model type if there is a config.json. */
export interface SettingsPlace {
  readonly config: JsonObject;
  readonly file: string;
  readonly modelType: unknown;
  readonly specialTokens: Readonly<Record<string, string>>;
}

/** Classes whose byte-level pre-tokenizer transformers rebuilds with `add_prefix_space`. */
const PREFIXING = new Set(["GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer", "CohereTokenizer"]);

/** The tokenizer with the settings applied. */
export function withSettings(json: TokenizerJson, place: SettingsPlace): TokenizerJson {
  const { config, file } = place;
  for (const key of ["split_special_tokens", "add_prefix_space", "legacy", "add_bos_token", "add_eos_token", "fix_mistral_regex"])
    if (config[key] !== undefined && config[key] !== null && typeof config[key] !== "boolean")
      throw new TokenizerError(`Expected true or false for '${key}' in ${file} but received ${shown(config[key])}`);
  expectMistralPattern(json, place);
  const name = classOf(place);
  const { add_prefix_space: prefix } = config;
  if (name === "LlamaTokenizer") return withScheme(json, config);
  if (name === "CodeLlamaTokenizer") return withScheme(json, { add_prefix_space: prefix });
  const prefixed =
    PREFIXING.has(name) && typeof prefix === "boolean" ? { pre_tokenizer: withPrefix(json.pre_tokenizer, prefix) } : {};
  const ends = name === "GPTNeoXTokenizer" ? { post_processor: withoutEnds(json.post_processor, place) } : {};
  return { ...json, ...prefixed, ...ends };
}

/** The class that transformers 5.24 loads: for some models a fixed one, whatever the file says. */
function classOf({ config, modelType }: SettingsPlace): string {
  if (["mistral", "mixtral", "phi3"].includes(modelType as string)) return "TokenizersBackend";
  if (modelType === "qwen2") return "Qwen2Tokenizer";
  const { tokenizer_class: name = modelType === "qwen3" ? "Qwen2Tokenizer" : "" } = config;
  return String(name).replace(/Fast$/, "");
}

/** The same step, with `add_prefix_space` set on its ByteLevel. */
function withPrefix(step: Step | null, prefix: boolean): Step | null {
  return mapped(step, "pretokenizers", (each) => (each?.type === "ByteLevel" ? { ...each, add_prefix_space: prefix } : each));
}

/** Llama's Metaspace with the scheme that the settings imply, if any; without Prepend if no space is to be added. */
function withScheme(json: TokenizerJson, { add_prefix_space: given, legacy }: JsonObject): TokenizerJson {
  if (typeof given !== "boolean" && typeof legacy !== "boolean") return json;
  const prefix = given !== false;
  const scheme = !prefix ? "never" : legacy === true ? "always" : "first";
  const step = json.pre_tokenizer;
  const inScheme = (each: Step | null): Step | null =>
    each?.type === "Metaspace" ? { ...each, prepend_scheme: scheme, add_prefix_space: prefix } : each;
  return {
    ...json,
    pre_tokenizer: mapped(step, "pretokenizers", inScheme),
    normalizer: prefix ? json.normalizer : withoutPrepend(json.normalizer),
  };
}

function withoutPrepend(step: Step | null): Step | null {
  if (step?.type === "Prepend") return null;
  if (step?.type !== "Sequence" || !Array.isArray(step.normalizers)) return step;
  return { ...step, normalizers: (step.normalizers as (Step | null)[]).filter((each) => each?.type !== "Prepend") };
}

/** Maps a step, or each step of a sequence. */
function mapped(step: Step | null, list: string, change: (step: Step | null) => Step | null): Step | null {
  if (step?.type !== "Sequence" || !Array.isArray(step[list])) return change(step);
  return { ...step, [list]: (step[list] as (Step | null)[]).map((each) => mapped(each, list, change)) };
}

/**
 * GPT-NeoX's post-processor without the tokens that are turned off.
 *
 * @throws TokenizerError when a token is turned on that tokenizer.json does not add, nor would transformers 5.24
 */
function withoutEnds(step: Step | null, { config, file, specialTokens }: SettingsPlace): Step | null {
  let processor = step;
  for (const [key, token] of [
    ["add_bos_token", specialTokens.bos_token],
    ["add_eos_token", specialTokens.eos_token],
  ] as const) {
    const isAdded = JSON.stringify(processor)?.includes(JSON.stringify({ id: token }).slice(1, -1)) === true;
    if (config[key] === true && !isAdded)
      throw new TokenizerError(
        `Expected no '${key}: true' in ${file}, since the post_processor of tokenizer.json does not add ${shown(token)}; ` +
          "transformers 5.24 ignores the setting. Remove it, or add the token to the post_processor",
      );
    if (config[key] === false && isAdded) processor = without(processor, token!);
  }
  return processor;
}

/** The post-processor with a token removed from its template. */
function without(step: Step | null, token: string): Step | null {
  const isOther = (piece: { SpecialToken?: { id?: unknown } } | null) => piece?.SpecialToken?.id !== token;
  return mapped(step, "processors", (each) =>
    each?.type === "TemplateProcessing" && Array.isArray(each.single)
      ? { ...each, single: (each.single as { SpecialToken?: { id?: unknown } }[]).filter(isOther) }
      : each,
  );
}

/** The pattern that `fix_mistral_regex` substitutes for the first one. */
const MISTRAL_PATTERN =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|" +
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|" +
  "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

function expectMistralPattern({ pre_tokenizer: step }: TokenizerJson, { config, file }: SettingsPlace): void {
  if (config.fix_mistral_regex !== true || JSON.stringify(step)?.includes(JSON.stringify(MISTRAL_PATTERN))) return;
  throw new TokenizerError(
    `Expected no 'fix_mistral_regex: true' in ${file}, since the pre_tokenizer of tokenizer.json has a different pattern. ` +
      "Save the tokenizer with the corrected pattern once:\n" +
      "  python -c 'import sys; from transformers import AutoTokenizer; " +
      "AutoTokenizer.from_pretrained(sys.argv[1], fix_mistral_regex=True).save_pretrained(sys.argv[1])' FOLDER",
  );
}
