/**
 * The text files of a Hugging Face model folder, read as transformers reads them: tokenizer.json with the tokens its
 * companions add, the named special tokens, the chat templates, the generation config. Every fault names file and key.
 * A GGUF file has all of this itself.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { convertInputErrors } from "../base/errors";
import { expectShallow, readInput } from "../base/files/inputFiles";
import { isObject, type JsonObject, shown } from "../base/values";
import { companionPlaces } from "../models/companions";
import { findGguf } from "../models/formats/gguf/paths";
import { TokenizerError } from "./errors";
import { readGgufTokenizer } from "./gguf/tokenizer";
import { withSettings } from "./settings";
import { addTokens, isId, readSpecialTokens, readTokenizer, type TokenizerFolder } from "./tokenizerJson";

/** Reads the tokenizer of a model (a folder or GGUF file); that of an adapter's folder takes precedence. */
export async function readTokenizerFolder(model: string, adapter?: string): Promise<TokenizerFolder> {
  const { tokenizer, templates, generation } = companionPlaces(model, adapter);
  return {
    ...(await readFiles(tokenizer, model)),
    ...(templates === tokenizer ? {} : await readChatTemplates(templates, {})),
    ...(generation === tokenizer ? {} : { generationConfig: await readGeneration(generation) }),
  };
}

/** `model` is the base's folder or file: an adapter's folder has no config.json, so the base's says what model it is. */
async function readFiles(folder: string, model: string): Promise<TokenizerFolder> {
  const path = (name: string) => join(folder, name);
  const file = path("tokenizer.json");
  const json = await readJson(file);
  if (json === undefined) {
    const gguf = findGguf(folder);
    if (gguf !== undefined) return readGgufTokenizer(gguf);
    throw await missing(folder);
  }
  const config = (await readJson(path("tokenizer_config.json"))) ?? {};
  const legacy = config.added_tokens_decoder ? {} : ((await readJson(path("special_tokens_map.json"))) ?? {});
  const added = config.added_tokens_decoder ? {} : ((await readJson(path("added_tokens.json"))) ?? {});
  const names = { ...config, ...legacy };
  const tokenizer = readTokenizer(json, file);
  const specialTokens = readSpecialTokens(names, path("tokenizer_config.json"));
  addTokens(tokenizer, specialTokens, { ...config, ...names, added }, path("tokenizer_config.json"));
  const { model_type: modelType } = (await readJson(path("config.json"))) ?? (await readJson(join(model, "config.json"))) ?? {};
  return {
    file,
    json: withSettings(tokenizer, { config, file: path("tokenizer_config.json"), modelType, specialTokens }),
    specialTokens,
    splitSpecialTokens: config.split_special_tokens === true,
    ...(await readChatTemplates(folder, config)),
    generationConfig: await readGeneration(folder),
  };
}

/** The generation settings; the ids that end a text, which `eosTokenIds` returns, are checked. */
async function readGeneration(folder: string): Promise<JsonObject> {
  const config = (await readJson(join(folder, "generation_config.json"))) ?? {};
  for (const id of [config.eos_token_id ?? []].flat())
    if (!isId(id))
      throw new TokenizerError(
        `Expected token ids for 'eos_token_id' in ${join(folder, "generation_config.json")} but received ` +
          shown(config.eos_token_id),
      );
  return config;
}

/** As in transformers, files win over tokenizer_config.json. */
async function readChatTemplates(
  folder: string,
  config: JsonObject,
): Promise<Pick<TokenizerFolder, "chatTemplates" | "templatePlaces">> {
  const templates: Record<string, string> = {};
  const places: Record<string, string> = {};
  const read = (name: string, file: string) => {
    const text = readText(file, { keepMark: true });
    if (text !== undefined) [templates[name], places[name]] = [text, file];
  };
  read("default", join(folder, "chat_template.jinja"));
  const more = join(folder, "additional_chat_templates");
  for (const name of await readdir(more).catch(() => []))
    if (name.endsWith(".jinja")) read(name.slice(0, -".jinja".length), join(more, name));
  if (Object.keys(templates).length > 0) return { chatTemplates: templates, templatePlaces: places };

  const { chat_template: template } = config;
  const place = `'chat_template' in ${join(folder, "tokenizer_config.json")}`;
  if (typeof template === "string") return { chatTemplates: { default: template }, templatePlaces: { default: place } };
  if (template === undefined || template === null) return { chatTemplates: {}, templatePlaces: {} };
  const entries = Array.isArray(template) ? (template as JsonObject[]) : [];
  const fits = (entry: JsonObject) => typeof entry?.name === "string" && typeof entry.template === "string";
  if (entries.length === 0 || !entries.every(fits))
    throw new TokenizerError(`Expected a template or a list of { name, template } for ${place} but received ${shown(template)}`);
  return {
    chatTemplates: Object.fromEntries(entries.map(({ name, template: text }) => [name as string, text as string])),
    templatePlaces: Object.fromEntries(entries.map(({ name }) => [name as string, place])),
  };
}

async function missing(folder: string): Promise<TokenizerError> {
  const names = await readdir(folder).catch(() => undefined);
  if (!names) return new TokenizerError(`Expected a model folder at '${folder}' but there is none`);
  const convert =
    `python -c 'import sys; from transformers import AutoTokenizer; ` +
    `AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])' '${folder}'`;
  const other = ["tokenizer.model", "spiece.model", "tekken.json", "vocab.json"].find((name) => names.includes(name));
  const expected = `Expected a tokenizer.json in '${folder}' but received`;
  if (!other) return new TokenizerError(`${expected} none, nor any other tokenizer`);
  return new TokenizerError(
    `${expected} only ${other}, which is not read; convert it once with\n  ${convert}\n` +
      "  (pip install transformers sentencepiece protobuf)",
  );
}

async function readJson(file: string): Promise<JsonObject | undefined> {
  const text = readText(file);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TokenizerError(`Expected JSON in ${file} but it does not parse: ${(error as Error).message}`);
  }
  asTokenizerError(() => expectShallow(value, file));
  if (!isObject(value)) throw new TokenizerError(`Expected an object in ${file} but received ${shown(value)}`);
  return value;
}

/**
 * The file's text, or undefined if it does not exist. A byte order mark is kept in a template, which prints it in
 * transformers, but not in JSON.
 */
function readText(file: string, { keepMark = false } = {}): string | undefined {
  if (!existsSync(file)) return undefined;
  const bytes = asTokenizerError(() => readInput(file, "a tokenizer's file"));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: keepMark }).decode(bytes);
  } catch {
    throw new TokenizerError(`Expected UTF-8 text in ${file} but received bytes that are not`);
  }
}

/** Runs `read`, turning its InputErrors into TokenizerErrors. */
function asTokenizerError<T>(read: () => T): T {
  return convertInputErrors(read, (error) => new TokenizerError(error.message, { cause: error }));
}
