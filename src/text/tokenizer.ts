/**
 * Text to token ids and back, with the ids of the Python library `tokenizers` on the same tokenizer.json.
 *
 * tokenizer.json decides, along with the settings in settings.ts. transformers 5 instead rebuilds the pipeline of some
 * classes in code: where a text begins with a space, its `LlamaTokenizer` leaves out the additional one that
 * the Prepend normalizer of Llama 2 adds; its GPT-2, GPT-NeoX, Qwen 2 and Cohere tokenizers split by their own patterns.
 * `clean_up_tokenization_spaces` is ignored, as transformers 5 does for BPE.
 */
import { InputError } from "../base/errors";
import { checkOptions } from "../base/options";
import { isObject, received, shown } from "../base/values";
import { resolveModel } from "../models/modelSource";
import { Bpe } from "./bpe";
import { type ChatMessage, ChatRenderer, type JsonValue, templateMessages } from "./chatTemplate";
import { createDecoder, type TokenDecoder } from "./decoder";
import { ChatTemplateError, TokenizerError } from "./errors";
import { withExactNumbers } from "./exactNumbers";
import { readTokenizerFolder } from "./folder";
import { areKnown, expectPattern, TokenizerLimits } from "./limits";
import { checkModel, checkPostProcessor, normalizer, type Origin, preTokenizer, type Step, splitByteLevel } from "./pipeline";
import type { TokenizerFolder } from "./tokenizerJson";

type Library = import("@huggingface/tokenizers", { with: { "resolution-mode": "import" }}).Tokenizer;

/** The model and the adapter that a tokenizer is loaded from. */
interface TokenizerSource {
  readonly base: string;
  readonly adapter: string | undefined;
}

export interface EncodeOptions {
  /** Whether the tokens that the tokenizer itself puts around a text (BOS, rarely EOS) are added. Default true. */
  addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Whether special tokens are left out of the text. Default false. */
  skipSpecialTokens?: boolean;
}

export interface ChatTemplateOptions {
  /** Whether the prompt ends where the assistant's answer begins. Default false. */
  addGenerationPrompt?: boolean;
  /** JSON schemas of the functions the model may call. */
  tools?: readonly JsonValue[];
  /** Further variables of the template, such as `enable_thinking`. They win over the special tokens. */
  chatTemplateKwargs?: Readonly<Record<string, JsonValue>>;
  /** A template to use instead of the folder's, or the name of one of the folder's. */
  chatTemplate?: string;
}

export interface LoadTokenizerOptions {
  /** The branch, tag or commit of a model on the hub. */
  revision?: string | undefined;
  /** The folder or hub id of an adapter for the model. */
  adapter?: string | undefined;
}

/** A tokenizer loaded by {@link loadTokenizer}. */
export class Tokenizer {
  /** The model it was loaded from, and can be reloaded from: a folder or a GGUF file. */
  readonly path: string;
  /** The folder of the adapter it was loaded with. */
  readonly adapterPath: string | undefined;
  /** How many ids there are, added tokens included. A model's embedding may have more rows. */
  readonly vocabSize: number;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  readonly padToken: string | undefined;
  readonly unkToken: string | undefined;
  /** `bos_token`, `eos_token` and every other token the folder names. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Every special id: named, or marked so in tokenizer.json. */
  readonly specialTokenIds: ReadonlySet<number>;
  /** What generation_config.json says, empty without one. */
  readonly generationConfig: Readonly<Record<string, unknown>>;
  private readonly file: string;

  private constructor(
    folder: TokenizerFolder,
    private readonly library: Library,
    private readonly decoder: TokenDecoder,
    private readonly chat: ChatRenderer,
    private readonly limits: TokenizerLimits,
    { base, adapter }: TokenizerSource,
  ) {
    this.file = folder.file;
    this.path = folder.file.endsWith(".gguf") ? folder.file : base;
    this.adapterPath = adapter;
    this.vocabSize = library.model!.vocab.length;
    this.specialTokens = folder.specialTokens;
    this.specialTokenIds = new Set(folder.json.added_tokens.flatMap(({ special, id }) => (special ? [id] : [])));
    this.generationConfig = folder.generationConfig;
    this.bosToken = folder.specialTokens.bos_token;
    this.eosToken = folder.specialTokens.eos_token;
    this.padToken = folder.specialTokens.pad_token;
    this.unkToken = folder.specialTokens.unk_token;
  }

  /** @internal The tokenizer of a folder that has been read. */
  static of(
    folder: TokenizerFolder,
    library: Library,
    decoder: TokenDecoder,
    chat: ChatRenderer,
    limits: TokenizerLimits,
    source: TokenizerSource,
  ): Tokenizer {
    return new Tokenizer(folder, library, decoder, chat, limits, source);
  }

  get bosTokenId(): number | undefined {
    return this.named(this.bosToken);
  }

  get eosTokenId(): number | undefined {
    return this.named(this.eosToken);
  }

  get padTokenId(): number | undefined {
    return this.named(this.padToken);
  }

  get unkTokenId(): number | undefined {
    return this.named(this.unkToken);
  }

  /** The ids that end a generated text: generation_config.json's, or the tokenizer's own. */
  get eosTokenIds(): number[] {
    const { eos_token_id: ids } = this.generationConfig;
    if (ids !== undefined && ids !== null) return [ids].flat() as number[];
    return this.eosTokenId === undefined ? [] : [this.eosTokenId];
  }

  /** The names of the folder's chat templates; most have one, "default". */
  get chatTemplates(): string[] {
    return this.chat.names;
  }

  /**
   * The token ids of a text. Special tokens written in it are special tokens, unless tokenizer_config.json sets
   * `split_special_tokens`. Lone surrogates, which UTF-8 cannot encode, are read as U+FFFD.
   *
   * @throws InputError when a pattern of the tokenizer takes too long on this text
   * @example
   * const tokenizer = await loadTokenizer("models/SmolLM2-135M-Instruct");
   * const ids = tokenizer.encode("Hello");
   */
  encode(text: string, options: EncodeOptions = {}): number[] {
    checkOptions("encode", options, ["addSpecialTokens"]);
    const { addSpecialTokens = true } = options;
    if (typeof text !== "string") throw new TypeError(`Expected a string for 'text' but received ${shown(text)}`);
    const whole = text.replace(/\p{Cs}/gu, "\ufffd");
    const { ids } = this.limits.encode(whole, () => this.library.encode(whole, { add_special_tokens: addSpecialTokens }));
    const at = ids.indexOf(undefined as unknown as number);
    if (at >= 0)
      throw new TokenizerError(
        `Expected a token for every part of the text but '${this.file}' has none for its token ${at}, ` +
          "and no 'model.unk_id' for what it does not know",
      );
    return ids;
  }

  /**
   * The text of token ids. Ids beyond the vocabulary (embeddings may have more rows) have no text, as in Python.
   *
   * @throws RangeError when an id is not a non-negative integer
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    checkOptions("decode", options, ["skipSpecialTokens"]);
    const { skipSpecialTokens = false } = options;
    if (typeof ids !== "object" || ids === null || !(Symbol.iterator in ids))
      throw new TypeError(`Expected a list of token ids for 'ids' but received ${received(ids)}`);
    const tokens: string[] = [];
    for (const id of ids) {
      if (!Number.isSafeInteger(id) || id < 0)
        throw new RangeError(`Expected token ids from 0 on for 'ids' but received ${shown(id)}`);
      const token = skipSpecialTokens && this.specialTokenIds.has(id) ? undefined : this.library.id_to_token(id);
      if (token !== undefined) tokens.push(token);
    }
    return tokens.length > 0 ? this.decoder(tokens).join("") : "";
  }

  /** The id of a token as the vocabulary writes it, such as `<|im_end|>` or `Ġthe`. */
  tokenToId(token: string): number | undefined {
    return this.library.token_to_id(token);
  }

  /** The token of an id as the vocabulary writes it. */
  idToToken(id: number): string | undefined {
    return this.library.id_to_token(id);
  }

  /**
   * A conversation as the model wants to read it: the folder's chat template, rendered as transformers renders it. With
   * `tokenize` it gives ids, without further special tokens: the template has written them.
   *
   * @throws ChatTemplateError when there is no template, when it rejects the conversation, or does not end
   * @example
   * tokenizer.applyChatTemplate([{ role: "user", content: "2 + 2?" }], { addGenerationPrompt: true });
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions & { tokenize: true }): number[];
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions & { tokenize?: false }): string;
  applyChatTemplate(
    messages: readonly ChatMessage[],
    options: ChatTemplateOptions & { tokenize?: boolean } = {},
  ): string | number[] {
    checkOptions("applyChatTemplate", options, [
      "tokenize",
      "addGenerationPrompt",
      "tools",
      "chatTemplateKwargs",
      "chatTemplate",
    ]);
    if (!Array.isArray(messages) || messages.length === 0)
      throw new TypeError(`Expected at least one message for 'messages' but received ${shown(messages)}`);
    const { tokenize = false, tools = null, addGenerationPrompt = false, chatTemplateKwargs = {}, chatTemplate } = options;
    if (tools !== null && !Array.isArray(tools))
      throw new TypeError(`Expected a list of tools for 'tools' but received ${received(tools)}`);
    if (chatTemplate !== undefined && typeof chatTemplate !== "string")
      throw new TypeError(`Expected a template, or the name of one, for 'chatTemplate' but received ${received(chatTemplate)}`);
    expectVariables(chatTemplateKwargs);
    const text = this.chat.render(chatTemplate, {
      ...this.specialTokens,
      ...withExactNumbers(chatTemplateKwargs),
      messages: templateMessages(withExactNumbers(messages)),
      tools: withExactNumbers(tools) as JsonValue,
      documents: chatTemplateKwargs.documents ?? null,
      add_generation_prompt: addGenerationPrompt,
    });
    return tokenize ? this.encode(text, { addSpecialTokens: false }) : text;
  }

  private named(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.tokenToId(token);
  }
}

/** What transformers' `apply_chat_template` takes for itself, and does not hand to the template. */
const ARGUMENTS =
  `conversation messages tools chat_template add_generation_prompt continue_final_message tokenize sanitize_control_tokens padding truncation
  max_length return_tensors return_dict return_assistant_tokens_mask tokenizer_kwargs`.split(/\s+/);

/** Variables for a template; none may be what has a place of its own, since it would do nothing here. */
function expectVariables(variables: Readonly<Record<string, unknown>>): void {
  if (!isObject(variables))
    throw new TypeError(`Expected an object for 'chatTemplateKwargs' but received ${received(variables)}`);
  const found = ARGUMENTS.find(
    (name) => Object.hasOwn(variables, name) && ![undefined, null, false].includes(variables[name] as null),
  );
  if (found === undefined) return;
  throw new ChatTemplateError(
    `Expected variables of the chat template in chat_template_kwargs but received '${found}', which is an argument of apply_chat_template; ` +
      "take it out",
  );
}

/**
 * Loads the tokenizer of a Hugging Face model folder: tokenizer.json with tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json, generation_config.json, chat_template.jinja and
 * additional_chat_templates/, as far as they are there; or that of a GGUF file. A name that is not a path is
 * a model of the hub, at `revision`.
 *
 * The tokenizer and templates in an adapter's folder take precedence over its base's: pass the adapter as `adapter`, or
 * instead of the model.
 *
 * ```ts
 * const tokenizer = await loadTokenizer("models/SmolLM2-135M-Instruct", { adapter: "runs/dpop" });
 * ```
 *
 * @throws HubError when the files of a model on the hub cannot be fetched
 * @throws TokenizerError when tokenizer.json is missing, a file is broken, or a step of it is not supported
 */
export async function loadTokenizer(nameOrFolder: string, options: LoadTokenizerOptions = {}): Promise<Tokenizer> {
  checkOptions("loadTokenizer", options, ["revision", "adapter"]);
  const source = await resolveModel(nameOrFolder, { ...options, files: "tokenizer" });
  const files = await readTokenizerFolder(source.base, source.adapter);
  const { json, file } = files;
  checkModel(json.model, file);
  const preTokenize = preTokenizer(json.pre_tokenizer, file);
  const isBpe = json.model.type === "BPE";
  const [cut, byteLevel] = isBpe ? splitByteLevel(preTokenize) : [preTokenize, false];
  const bpe = isBpe ? new Bpe(json.model, file, byteLevel) : undefined;
  const isPlain = ({ special }: { special: boolean }) => files.splitSpecialTokens && special;
  const pipeline = {
    ...json,
    added_tokens: json.added_tokens.filter((token) => !isPlain(token)),
    model: bpe ? { ...json.model, merges: [], fuse_unk: false } : json.model,
    normalizer: normalizer(json.normalizer, file),
    pre_tokenizer: cut,
    decoder: null,
  };
  const decoder = createDecoder(json.decoder, file);
  const limits = new TokenizerLimits(file, areKnown(pipeline.normalizer, cut));
  const library = build(await import("@huggingface/tokenizers"), pipeline, limits, file);
  if (bpe) (library.model as { encode: Bpe["encode"] }).encode = (pieces) => bpe.encode(pieces);
  else encodeLongTexts(library);
  for (const { id, content } of json.added_tokens.filter(isPlain)) addUnmatched(library, id, content);
  const isToken = (token: string) => library.token_to_id(token) !== undefined;
  checkPostProcessor(json.post_processor, file, isToken);
  const chat = new ChatRenderer(files.chatTemplates, { places: files.templatePlaces });
  return Tokenizer.of(files, library, decoder, chat, limits, source);
}

/** Gives the library a token that has an id but is not looked for in texts. */
function addUnmatched(library: Library, id: number, content: string): void {
  const model = library.model as unknown as { tokens_to_ids: Map<string, number>; vocab: string[] };
  model.tokens_to_ids.set(content, id);
  model.vocab[id] = content;
}

type Pipeline = { normalizer: Step | null; pre_tokenizer: Step | null; added_tokens: { content: string; normalized: boolean }[] };

/** The library's tokenizer, its patterns compiled and its added tokens normalised within limits. */
function build(
  { Tokenizer: Library }: { Tokenizer: new (json: object, config: object) => Library },
  pipeline: Pipeline,
  limits: TokenizerLimits,
  file: string,
): Library {
  // Without vocabulary and added tokens: nothing runs before it is watched.
  const empty = { ...pipeline, model: { type: "BPE", vocab: {}, merges: [] }, added_tokens: [], post_processor: null };
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof InputError) throw error;
      const { message } = error as Error;
      throw new TokenizerError(`Expected a tokenizer in ${file} but it cannot be built: ${message.slice(0, 300)}`);
    }
  };
  for (const step of leaves(pipeline.normalizer, pipeline.pre_tokenizer)) {
    const alone = {
      ...empty,
      normalizer: null,
      pre_tokenizer: { type: "Split", behavior: "Isolated", invert: false, pattern: step.pattern },
    };
    if (step.origin) expectPattern(step.origin as Origin, file, () => new Library(alone, {}));
  }
  const { normalizer: normalize, pre_tokenizer: preTokenize } = attempt(() => new Library(empty, {}));
  limits.watch(normalize as Parameters<TokenizerLimits["watch"]>[0]);
  limits.watch(preTokenize as Parameters<TokenizerLimits["watch"]>[0]);
  const characters = pipeline.added_tokens.reduce((sum, { content }) => sum + content.length, 0);
  return limits.run(characters, 60 + characters / 10_000, () =>
    attempt(() => {
      // The library normalises these tokens again, where nothing watches it.
      for (const { content, normalized } of normalize ? pipeline.added_tokens : [])
        if (normalized) (normalize as (text: string) => string)(content);
      const library = new Library(pipeline, {});
      return Object.assign(library, { normalizer: normalize, pre_tokenizer: preTokenize });
    }),
  );
}

/** The steps within sequences. */
function leaves(...list: (Step | null)[]): Step[] {
  return list.flatMap((step) => {
    const inner = (step?.pretokenizers ?? step?.normalizers) as Step[] | undefined;
    return inner ? leaves(...inner) : step ? [step] : [];
  });
}

/** The library passes the tokens of a text as the arguments of one call, whose number is limited. */
function encodeLongTexts(library: Library): void {
  const model = library.model as unknown as { tokenize(piece: string): string[]; encode(pieces: string[]): string[] };
  model.encode = (pieces) => pieces.flatMap((piece) => model.tokenize(piece));
}

/**
 * Throws unless `value` is a tokenizer. If it is a folder's name, the message says how to load it.
 *
 * @throws TypeError
 */
export function expectTokenizer(value: unknown, name = "tokenizer"): asserts value is Tokenizer {
  if (typeof (value as Partial<Tokenizer> | null | undefined)?.encode === "function") return;
  const way = typeof value === "string" ? `; load it with await loadTokenizer(${JSON.stringify(value)})` : "";
  throw new TypeError(`Expected a tokenizer for '${name}' but received ${received(value)}${way}`);
}
