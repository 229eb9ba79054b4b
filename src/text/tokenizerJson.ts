/**
 * tokenizer.json, checked, with the tokens that its companions add. Every fault names file and key.
 */
import { dirname, join } from "node:path";
import { isObject, type JsonObject, shown } from "../base/values";
import { MOST_IDS } from "./bpe";
import { TokenizerError } from "./errors";
import type { Step } from "./pipeline";

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  normalized: boolean;
  lstrip: boolean;
  rstrip: boolean;
  single_word: boolean;
}

export interface TokenizerJson {
  readonly model: Step & { readonly vocab: Readonly<Record<string, number>> | readonly [string, number][] };
  readonly normalizer: Step | null;
  readonly pre_tokenizer: Step | null;
  readonly post_processor: Step | null;
  readonly decoder: Step | null;
  readonly added_tokens: AddedToken[];
}

export interface TokenizerFolder {
  /** The path of tokenizer.json or of the GGUF file, for messages. */
  readonly file: string;
  readonly json: TokenizerJson;
  /** `bos_token`, `eos_token`, ... and whatever other `*_token` the folder names. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** By name; a folder with one template calls it "default". */
  readonly chatTemplates: Readonly<Record<string, string>>;
  /** Where each template was read, for messages. */
  readonly templatePlaces: Readonly<Record<string, string>>;
  /** Whether special tokens written in a text are plain text (`split_special_tokens`). */
  readonly splitSpecialTokens: boolean;
  readonly generationConfig: JsonObject;
}

/** The special tokens that have a name of their own, in the order in which transformers adds them. */
const named = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** Checks the JSON of a tokenizer. */
export function readTokenizer(json: JsonObject, file: string): TokenizerJson {
  const model = json.model as TokenizerJson["model"] | undefined;
  if (!isObject(model) || (!isObject(model.vocab) && !Array.isArray(model.vocab)))
    throw new TokenizerError(`Expected an object with a 'vocab' for 'model' in ${file} but received ${shown(model)}`);
  const merges = (model as JsonObject).merges;
  if (Array.isArray(model.vocab)) checkScores(model, file);
  // A missing type is written by old versions: merges make it BPE, a list of scores Unigram.
  const type = model.type ?? (merges ? "BPE" : Array.isArray(model.vocab) ? "Unigram" : undefined);
  if (type === "BPE" && !(Array.isArray(merges) && !Array.isArray(model.vocab)))
    throw new TokenizerError(`Expected a list for 'model.merges' in ${file} but received ${shown(merges)}`);
  if (type === "Unigram" && !Array.isArray(model.vocab))
    throw new TokenizerError(`Expected a list for 'model.vocab' in ${file} but received ${shown(model.vocab)}`);
  const step = (key: string): Step | null => {
    const value = json[key] ?? null;
    if (value !== null && !(isObject(value) && typeof value.type === "string"))
      throw new TokenizerError(`Expected an object with a 'type' for '${key}' in ${file} but received ${shown(value)}`);
    return value as Step | null;
  };
  const addedTokens = json.added_tokens ?? [];
  if (!Array.isArray(addedTokens))
    throw new TokenizerError(`Expected a list for 'added_tokens' in ${file} but received ${shown(addedTokens)}`);
  return {
    model: { ...model, type: type as string },
    normalizer: step("normalizer"),
    pre_tokenizer: step("pre_tokenizer"),
    post_processor: step("post_processor"),
    decoder: step("decoder"),
    added_tokens: addedTokens.map((token: unknown, i) => addedToken(token, `added_tokens[${i}]`, file)),
  };
}

/** A Unigram vocabulary: texts with their scores, and which of them is the unknown token. */
function checkScores(model: JsonObject, file: string): void {
  const vocab = model.vocab as readonly unknown[];
  if (vocab.length === 0 || vocab.length > MOST_IDS)
    throw new TokenizerError(`Expected 1 to ${MOST_IDS} tokens for 'model.vocab' in ${file} but received ${vocab.length}`);
  for (const [i, entry] of vocab.entries()) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== "string" || typeof score !== "number")
      throw new TokenizerError(`Expected [text, score] for 'model.vocab[${i}]' in ${file} but received ${shown(entry)}`);
  }
  const { unk_id: unk = null } = model;
  if (unk !== null && !(isId(unk) && unk < vocab.length))
    throw new TokenizerError(`Expected one of ${vocab.length} ids for 'model.unk_id' in ${file} but received ${shown(unk)}`);
}

/** Whether a value can be the id of a token. */
export const isId = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < MOST_IDS;

function addedToken(token: unknown, key: string, file: string): AddedToken {
  if (!isObject(token) || typeof token.content !== "string" || token.content === "" || !isId(token.id))
    throw new TokenizerError(
      `Expected an object with 'content' and an 'id' from 0 to ${MOST_IDS - 1} for '${key}' in ${file} ` +
        `but received ${shown(token)}`,
    );
  if (token.single_word === true)
    throw new TokenizerError(`Expected false for '${key}.single_word' in ${file} but received true; it is not supported`);
  const special = token.special === true;
  return {
    id: token.id as number,
    content: token.content,
    special,
    normalized: typeof token.normalized === "boolean" ? token.normalized : !special,
    lstrip: token.lstrip === true,
    rstrip: token.rstrip === true,
    single_word: false,
  };
}

/** The named special tokens of a tokenizer_config.json or special_tokens_map.json. */
export function readSpecialTokens(config: JsonObject, file: string): Record<string, string> {
  const tokens: Record<string, string> = {};
  const extra = isObject(config.extra_special_tokens) ? config.extra_special_tokens : {};
  for (const [key, value] of [...Object.entries(config), ...Object.entries(extra)]) {
    if (!(key.endsWith("_token") || key in extra) || value === null || typeof value === "boolean") continue;
    const content = isObject(value) ? value.content : value;
    if (typeof content !== "string")
      throw new TokenizerError(`Expected a token's text for '${key}' in ${file} but received ${shown(value)}`);
    tokens[key] = content;
  }
  return tokens;
}

/** Adds the tokens that stand only in the companions of tokenizer.json, and marks the named ones as special. */
export function addTokens(json: TokenizerJson, specialTokens: Record<string, string>, config: JsonObject, file: string): void {
  const { vocab } = json.model;
  const isList = Array.isArray(vocab);
  let places: Map<string, number> | undefined;
  const idOf = (token: string): number | undefined => {
    if (!isList) return Object.hasOwn(vocab, token) ? (vocab as Record<string, number>)[token] : undefined;
    // Of a token that occurs twice, the first place counts.
    places ??= new Map(vocab.map(([each], i) => [each, i] as const).reverse());
    return places.get(token);
  };
  const size = isList ? vocab.length : Object.keys(vocab).length;
  const known = new Map(json.added_tokens.map((token) => [token.content, token]));
  let next = json.added_tokens.reduce((end, { id }) => Math.max(end, id + 1), size);
  const add = (content: string, details: Partial<AddedToken>) => {
    const found = known.get(content);
    if (found) found.special ||= details.special === true;
    if (found || content === "") return;
    const id = details.id ?? idOf(content) ?? next;
    const token = { lstrip: false, rstrip: false, normalized: false, special: true, ...details };
    json.added_tokens.push({ ...token, id, content, single_word: false });
    known.set(content, json.added_tokens.at(-1)!);
    next = Math.max(next, id + 1);
  };
  const decoder = Object.entries((config.added_tokens_decoder ?? {}) as JsonObject).map(([id, token]) => {
    const key = `added_tokens_decoder.${id}`;
    return addedToken(isObject(token) ? { ...token, id: Number(id) } : token, key, file);
  });
  for (const { id, content, ...flags } of decoder.sort((a, b) => a.id - b.id)) {
    const found = known.get(content);
    if (found)
      Object.assign(found, flags); // they win over tokenizer.json's
    else add(content, { id, ...flags });
  }
  for (const [content, id] of Object.entries(config.added as JsonObject)) {
    if (!isId(id))
      throw new TokenizerError(
        `Expected an id from 0 to ${MOST_IDS - 1} for '${shown(content)}' in ${join(dirname(file), "added_tokens.json")} ` +
          `but received ${shown(id)}`,
      );
    add(content, { id, special: false, normalized: true });
  }
  for (const key of named) if (specialTokens[key] !== undefined) add(specialTokens[key], { special: true });
  for (const [key, content] of Object.entries(specialTokens)) if (!named.includes(key)) add(content, { special: true });
  const lists = [config.additional_special_tokens, config.extra_special_tokens].filter(Array.isArray).flat();
  for (const token of lists) {
    const content: unknown = isObject(token) ? token.content : token;
    if (typeof content === "string") add(content, { special: true });
  }
}
