/**
 * The options of generation, under transformers' names in camelCase, checked and completed. Sampling settings in a
 * folder's generation_config.json are not applied: greedy unless the caller asks for sampling, whatever the folder says. Only which
 * tokens end a text is taken from it.
 */

import { fits, integer, number } from "../base/arguments";
import { expected, InputError } from "../base/errors";
import { checkOptions } from "../base/options";
import { isObject, received } from "../base/values";
import type { CausalLM } from "../models";
import { expectModel } from "../models/causalLm";
import type { Tokenizer } from "../text";
import { expectTokenizer } from "../text/tokenizer";
import type { ProcessorSettings } from "./sampling";

export interface GenerateOptions {
  /** The most tokens an answer may have; never more than the model's `max_position_embeddings` leaves. Default 256. */
  maxNewTokens?: number;
  /** No end of text before an answer has this many tokens. Default 0. */
  minNewTokens?: number;
  /** Whether tokens are drawn by chance. Default: when `temperature` is given and above 0. */
  doSample?: boolean;
  /** What scores are divided by when sampling: 1 when left out. 0 is greedy. */
  temperature?: number;
  /** Sample among this many most likely tokens; 0 for all of them. Default 0, where transformers has 50. */
  topK?: number;
  /** Sample among the most likely tokens whose probabilities add up to this. */
  topP?: number;
  /** Sample among the tokens at least this many times as likely as the most likely one. */
  minP?: number;
  /** Above 1 makes tokens of prompt and answer less likely to come again, also without sampling. */
  repetitionPenalty?: number;
  /** The same seed gives the same answers. Left out, libtorch's default generator rules (`manualSeed`). */
  seed?: number;
  /**
   * Ends an answer, and is its last token; `[]` for none. Left out: generation_config.json's when there is a tokenizer
   * and it has one, else config.json's.
   */
  eosTokenId?: number | readonly number[];
  /**
   * End an answer's text where they begin. Looked for in the generated text; a special token ends an answer as well.
   * They need a tokenizer.
   */
  stopStrings?: string | readonly string[];
  /** Makes the text of answers; without it there are only tokens. */
  tokenizer?: Tokenizer;
  /** Ends the generation between two tokens with the signal's reason. */
  signal?: AbortSignal;
}

/** The options that are numbers, except those whose range depends on others. */
export const generationArguments = {
  maxNewTokens: integer(256, "the most tokens of an answer", { min: 1 }),
  temperature: number(0, "0: the most likely token; above: tokens drawn by chance", { min: 0 }),
  topK: integer(0, "draw among this many most likely tokens", { min: 0 }),
  topP: number(0, "draw among the most likely tokens that make up this share", { min: 0, max: 1 }),
  minP: number(0, "draw among tokens at least this many times as likely as the first", { min: 0, max: 1 }),
  repetitionPenalty: number(1, "above 1: repeat less", { above: 0 }),
} as const;

const names = [
  "maxNewTokens",
  "minNewTokens",
  "doSample",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "seed",
  "eosTokenId",
  "stopStrings",
  "tokenizer",
  "signal",
];

/** Everything decoding has to know. */
export interface DecodingSettings {
  /** The most new tokens of each row. */
  limits: readonly number[];
  minNewTokens: number;
  sampled: boolean;
  seed: number | undefined;
  processors: ProcessorSettings;
  eosTokens: ReadonlySet<number>;
  /** Special tokens among the stop strings. */
  stopTokens: ReadonlySet<number>;
  stopStrings: readonly string[];
  tokenizer: Tokenizer | undefined;
  signal: AbortSignal | undefined;
}

export function resolve(model: CausalLM, prompts: readonly (readonly number[])[], options: GenerateOptions): DecodingSettings {
  expectModel(model);
  expectPrompts(prompts);
  checkOptions("generate", options, names);
  for (const [name, argument] of Object.entries(generationArguments))
    check(
      name,
      options[name as keyof typeof generationArguments],
      (n) => Number.isFinite(n) && fits(n, argument),
      argument.expected,
    );
  const {
    maxNewTokens = generationArguments.maxNewTokens.fallback,
    minNewTokens = 0,
    doSample,
    tokenizer,
    signal,
    seed,
  } = options;
  const most = `an integer from 0 to maxNewTokens (${maxNewTokens})`;
  check("minNewTokens", minNewTokens, (n) => Number.isSafeInteger(n) && n >= 0 && n <= maxNewTokens, most);
  check("seed", seed, Number.isSafeInteger, "an integer");
  check("doSample", doSample, (value) => typeof value === "boolean", "true or false");
  check("signal", signal, (value) => value instanceof AbortSignal, "an AbortSignal");
  if (tokenizer !== undefined) expectTokenizer(tokenizer);
  const stopStrings = list(options.stopStrings ?? []);
  for (const each of stopStrings)
    check("stopStrings", each, (value) => typeof value === "string" && value !== "", "strings that are not empty");
  if (stopStrings.length > 0 && !tokenizer)
    throw new TypeError("Expected a 'tokenizer' with 'stopStrings' but received none; they are looked for in text");

  const stopTokens = stopStrings.map((text) => tokenizer!.tokenToId(text)!);
  const isSpecial = (id: number | undefined) => id !== undefined && tokenizer!.specialTokenIds.has(id);
  return {
    limits: rowLimits(model, prompts, maxNewTokens),
    minNewTokens,
    ...sampling(options),
    seed,
    eosTokens: eosTokens(model, options),
    stopTokens: new Set(stopTokens.filter(isSpecial)),
    stopStrings: stopStrings.filter((_, i) => !isSpecial(stopTokens[i])),
    tokenizer,
    signal,
  };
}

function sampling(options: GenerateOptions): { sampled: boolean; processors: ProcessorSettings } {
  const { doSample, temperature, topK, topP, minP, repetitionPenalty: penalty } = options;
  const repetition = penalty === 1 ? {} : { repetitionPenalty: penalty };
  const sampled = (doSample ?? temperature !== undefined) && temperature !== 0;
  if (sampled)
    return {
      sampled,
      processors: {
        ...repetition,
        temperature: temperature === 1 ? undefined : temperature,
        topK: topK === 0 ? undefined : topK,
        topP: topP === 1 ? undefined : topP,
        minP,
      },
    };
  const unused = Object.entries({ topK, topP, minP }).find(([, value]) => value !== undefined)?.[0];
  if (unused && doSample === undefined && temperature === undefined)
    throw new TypeError(
      `Expected 'temperature' or 'doSample' with '${unused}' but received neither; ` +
        "the most likely token is taken without it",
    );
  return { sampled, processors: repetition };
}

function eosTokens(model: CausalLM, { eosTokenId, tokenizer }: GenerateOptions): Set<number> {
  const { vocabSize, eosTokenIds } = model.config;
  const fits = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  const inFolder = tokenizer?.generationConfig.eos_token_id as number | number[] | null | undefined;
  // A folder may name ids that its model never gives.
  if (eosTokenId === undefined) return new Set(list(inFolder ?? eosTokenIds).filter(fits));
  for (const id of list(eosTokenId)) check("eosTokenId", id, fits, `token ids from 0 to ${vocabSize - 1}`);
  return new Set(list(eosTokenId));
}

/** Throws unless the prompts are lists of token ids, as opposed to strings, conversations or the ids of one prompt. */
function expectPrompts(prompts: unknown): void {
  if (!Array.isArray(prompts))
    throw new TypeError(
      `Expected a list of prompts, each a list of token ids, for 'prompts' but received ${received(prompts)}${wayToPrompts(prompts)}`,
    );
  prompts.forEach((prompt: unknown, row) => {
    if (prompt instanceof Int32Array || (Array.isArray(prompt) && typeof (prompt[0] ?? 0) === "number")) return;
    const [part] = Array.isArray(prompt) ? (prompt as unknown[]) : [prompt];
    throw new TypeError(`Expected token ids for 'prompts[${row}]' but received ${received(prompt)}${wayToPrompts(part)}`);
  });
}

function wayToPrompts(value: unknown): string {
  if (typeof value === "string") return "; encode strings with [tokenizer.encode(text)]";
  if (typeof value === "number") return "; put the ids of a single prompt into a list: [ids]";
  if (isObject(value) && "role" in value)
    return "; encode conversations with [tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tokenize: true })]";
  return "";
}

/** How many tokens may follow each prompt. */
function rowLimits(model: CausalLM, prompts: readonly (readonly number[])[], maxNewTokens: number): number[] {
  const { vocabSize } = model.config;
  const context = contextLength(model);
  return prompts.map((prompt, row) => {
    const place = `'prompts[${row}]'`;
    if (prompt.length === 0) throw new InputError(`Expected at least one token for ${place} but received none`);
    const wrong = prompt.find((id) => !(Number.isSafeInteger(id) && id >= 0 && id < vocabSize));
    if (wrong !== undefined)
      throw new InputError(`Expected token ids from 0 to ${vocabSize - 1} for ${place} but received ${wrong}`);
    if (prompt.length >= context)
      throw new InputError(
        `Expected fewer than ${context} tokens for ${place} but received ${prompt.length}; ` +
          "the model's max_position_embeddings leaves no room for an answer",
      );
    return Math.min(maxNewTokens, context - prompt.length);
  });
}

/**
 * The longest text the model is made for, by its config or by the scaling of its positions. transformers only warns
 * when generation leaves it behind, and the text falls apart; here an answer ends there, as at its `maxNewTokens`.
 */
function contextLength({ config, model }: CausalLM): number {
  const { maxPositionEmbeddings: positions } = config;
  const scaled = model.rotaryEmb.map(({ scaling }) => {
    if (!(scaling && "factor" in scaling)) return 0;
    return scaling.factor * ("originalMaxPositions" in scaling ? scaling.originalMaxPositions : positions);
  });
  return Math.max(positions, ...scaled);
}

function check<T>(name: string, value: T | undefined, holds: (value: T) => boolean, what: string): void {
  if (value === undefined || holds(value)) return;
  const shown = typeof value === "string" ? `'${value}'` : String(value);
  throw new RangeError(expected(what, shown, { name }));
}

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
