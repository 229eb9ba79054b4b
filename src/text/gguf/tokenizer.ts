/**
 * The tokenizer in a GGUF file's metadata as the text files of a model folder: tokenizer.json, the named tokens, the
 * chat templates; read, and written next to a model or an adapter made from it. Left out: Unigram and WordPiece
 * vocabularies.
 */

import { StagedFiles } from "../../base/files/wholeFiles";
import { shown } from "../../base/values";
import { companionPlaces } from "../../models/companions";
import { FolderError } from "../../models/folder";
import { tokenIds } from "../../models/formats/gguf/config";
import { GgufMetadata, readGgufHeader } from "../../models/formats/gguf/header";
import { findGguf } from "../../models/formats/gguf/paths";
import { TokenizerError } from "../errors";
import type { Step } from "../pipeline";
import type { AddedToken, TokenizerFolder } from "../tokenizerJson";
import { byteLevelPipelines, type Pipeline, sentencePiecePipeline } from "./pipelines";

/** Kinds of tokens in `tokenizer.ggml.token_type`. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4 };

const named = { bos: "bos_token", eos: "eos_token", unknown: "unk_token", padding: "pad_token" } as const;

/** @throws TokenizerError when the file has no tokenizer, or one that is not supported */
export function readGgufTokenizer(file: string): TokenizerFolder {
  try {
    return read(new GgufMetadata(readGgufHeader(file)));
  } catch (error) {
    if (error instanceof FolderError) throw new TokenizerError(error.message, { cause: error });
    throw error;
  }
}

function read(metadata: GgufMetadata): TokenizerFolder {
  const { file } = metadata;
  const written = metadata.strings("tokenizer.ggml.tokens");
  const types = metadata.has("tokenizer.ggml.token_type")
    ? metadata.numbers("tokenizer.ggml.token_type")
    : written.map(() => kinds.normal);
  const model = metadata.string("tokenizer.ggml.model");
  const { tokens, merges, pipeline } =
    model === "gpt2" ? byteLevel(metadata, written) : sentencePiece(metadata, written, types, model);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));

  const specialTokens: Record<string, string> = {};
  for (const [key, name] of Object.entries(named)) {
    const id = metadata.get(`tokenizer.ggml.${key}_token_id`);
    if (id === undefined) continue;
    const token = tokens[id as number];
    if (token === undefined)
      throw new TokenizerError(
        `Expected one of ${tokens.length} ids for 'tokenizer.ggml.${key}_token_id' in ${file} ` + `but received ${shown(id)}`,
      );
    specialTokens[name] = token;
  }
  return {
    file,
    json: {
      model: {
        type: "BPE",
        vocab,
        merges,
        unk_token: model === "gpt2" ? null : (specialTokens.unk_token ?? null),
        ...pipeline.model,
      },
      normalizer: pipeline.normalizer,
      pre_tokenizer: pipeline.preTokenizer,
      post_processor: around(metadata, pipeline, specialTokens, vocab),
      decoder: pipeline.decoder,
      added_tokens: addedTokens(tokens, types, Object.values(specialTokens)),
    },
    specialTokens,
    ...chatTemplates(metadata),
    splitSpecialTokens: false,
    generationConfig: { ...tokenIds(metadata) },
  };
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly merges: readonly (string | [string, string])[];
  readonly pipeline: Pipeline;
}

function byteLevel(metadata: GgufMetadata, tokens: readonly string[]): Vocabulary {
  const name = metadata.string("tokenizer.ggml.pre", "default");
  if (!Object.hasOwn(byteLevelPipelines, name)) throw unsupported(metadata, "pre", Object.keys(byteLevelPipelines), name);
  return { tokens, merges: metadata.strings("tokenizer.ggml.merges"), pipeline: byteLevelPipelines[name]! };
}

/**
 * Gemma's files write runs of spaces as such, and its merges go by the place of a token, after those of runs, where
 * others go by its score.
 */
function sentencePiece(metadata: GgufMetadata, written: readonly string[], types: readonly number[], model: string): Vocabulary {
  if (model !== "llama") throw unsupported(metadata, "model", ["gpt2", "llama"], model);
  const isGemma = metadata.string("general.architecture").startsWith("gemma");
  const pipeline = sentencePiecePipeline(metadata.boolean("tokenizer.ggml.add_space_prefix", true));
  const tokens = isGemma ? written.map((token) => (/^ +$/.test(token) ? "▁".repeat(token.length) : token)) : written;
  if (metadata.has("tokenizer.ggml.merges")) return { tokens, merges: metadata.strings("tokenizer.ggml.merges"), pipeline };

  const scores = isGemma ? tokens.map((_, id) => -id) : metadata.numbers("tokenizer.ggml.scores");
  const order = tokens.map((_, id) => {
    if (types[id] === kinds.userDefined) return isGemma ? Infinity : scores[id];
    return types[id] === kinds.normal ? scores[id] : undefined;
  });
  return { tokens, merges: mergesOf(tokens, order), pipeline };
}

/** The tokens that are found in a text as they are. */
function addedTokens(tokens: readonly string[], types: readonly number[], names: readonly string[]): AddedToken[] {
  const specials = new Set(names);
  return tokens.flatMap((content, id) => {
    const special = types[id] === kinds.control || types[id] === kinds.unknown || specials.has(content);
    if (!special && types[id] !== kinds.userDefined) return [];
    return [{ id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false }];
  });
}

/** BOS before a text and EOS after it. */
function around(
  metadata: GgufMetadata,
  { addBos }: Pipeline,
  { bos_token: bos, eos_token: eos }: Readonly<Record<string, string>>,
  vocab: Readonly<Record<string, number>>,
): Step | null {
  const before = metadata.boolean("tokenizer.ggml.add_bos_token", addBos) && bos !== undefined ? [bos] : [];
  const after = metadata.boolean("tokenizer.ggml.add_eos_token", false) && eos !== undefined ? [eos] : [];
  const added = [...before, ...after];
  if (added.length === 0) return null;
  const special = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
  return {
    type: "TemplateProcessing",
    single: [...before.map(special), { Sequence: { id: "A", type_id: 0 } }, ...after.map(special)],
    pair: [],
    special_tokens: Object.fromEntries(added.map((token) => [token, { id: token, ids: [vocab[token]], tokens: [token] }])),
  };
}

/** `tokenizer.chat_template` is the one without a name. */
function chatTemplates(metadata: GgufMetadata): Pick<TokenizerFolder, "chatTemplates" | "templatePlaces"> {
  const templates: Record<string, string> = {};
  const names = metadata.has("tokenizer.chat_templates") ? metadata.strings("tokenizer.chat_templates") : [];
  for (const name of names) templates[name] = metadata.string(`tokenizer.chat_template.${name}`);
  if (metadata.has("tokenizer.chat_template")) templates.default = metadata.string("tokenizer.chat_template");
  const places = Object.keys(templates).map((name) => {
    const key = name === "default" ? "tokenizer.chat_template" : `tokenizer.chat_template.${name}`;
    return [name, `'${key}' in ${metadata.file}`] as const;
  });
  return { chatTemplates: templates, templatePlaces: Object.fromEntries(places) };
}

function unsupported(metadata: GgufMetadata, key: string, supported: readonly string[], value: string): TokenizerError {
  return new TokenizerError(
    `Expected ${supported.join(", ")} for 'tokenizer.ggml.${key}' in ${metadata.file} but received ` +
      `${JSON.stringify(value)}; it is not supported`,
  );
}

/**
 * The merges of a SentencePiece vocabulary, which its GGUF file leaves out: each token is made of any two others that
 * it is the concatenation of, the best token first, as transformers' `generate_merges` has it.
 *
 * @param order for each token how early it is made, higher first; undefined when it never is
 */
function mergesOf(tokens: readonly string[], order: readonly (number | undefined)[]): [string, string][] {
  const known = new Set(tokens);
  const merges: { order: number; pair: [string, string]; lengths: [number, number] }[] = [];
  for (const [id, token] of tokens.entries()) {
    const own = order[id];
    if (own === undefined) continue;
    const characters = Array.from(token);
    let left = token;
    for (let length = characters.length - 1; length > 0; length--) {
      left = left.slice(0, -characters[length]!.length);
      const right = token.slice(left.length);
      if (known.has(left) && known.has(right))
        merges.push({ order: own, pair: [left, right], lengths: [length, characters.length - length] });
    }
  }
  // Of one token, or among equals, the longest left part first.
  merges.sort((a, b) => b.order - a.order || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
  return merges.map(({ pair }) => pair);
}

/**
 * Writes tokenizer.json and tokenizer_config.json for a model whose tokenizer is in a GGUF file; does nothing for any
 * other.
 */
export async function saveGgufTokenizer(
  { folder: model, adapterFolder }: { readonly folder: string | undefined; readonly adapterFolder: string | undefined },
  folder: string,
): Promise<void> {
  const gguf = model === undefined ? undefined : findGguf(companionPlaces(model, adapterFolder).tokenizer);
  if (gguf === undefined) return;
  const { json, specialTokens, chatTemplates } = readGgufTokenizer(gguf);
  const { default: template } = chatTemplates;
  const config = {
    clean_up_tokenization_spaces: false,
    tokenizer_class: "PreTrainedTokenizerFast",
    ...specialTokens,
    ...(template === undefined ? {} : { chat_template: template }),
  };
  const staged = await StagedFiles.in(folder);
  try {
    await staged.add("tokenizer.json", (file) =>
      file.writeFile(JSON.stringify({ version: "1.0", truncation: null, padding: null, ...json })),
    );
    await staged.add("tokenizer_config.json", (file) => file.writeFile(`${JSON.stringify(config, null, 2)}\n`));
    await staged.commit();
  } finally {
    await staged.discard();
  }
}
