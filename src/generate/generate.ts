/**
 * Generation: answers to a batch of prompts, whole or as they come. Greedy unless sampling is asked for. Beam search,
 * assisted decoding and constrained output are left out.
 */
import { setImmediate } from "node:timers/promises";
import type { CausalLM } from "../models";
import { decode } from "./decoding";
import { type DecodingSettings, type GenerateOptions, resolve } from "./options";
import { TextStream } from "./textStream";

/** Why an answer ended: an end-of-text token, a stop string, or the most tokens it may have. */
export type FinishReason = "eos" | "stop" | "length";

/** A prompt's answer. */
export interface Generation {
  /** The new tokens, the one that ended it included. */
  tokens: number[];
  /** Their text, without special tokens, up to the stop string; empty without a `tokenizer`. */
  text: string;
  finishReason: FinishReason;
}

/** A new token. */
export interface GeneratedToken {
  /** The prompt it answers, from 0. */
  row: number;
  token: number;
  /** The text it completes: whole characters, and nothing that may begin a stop string. Joined, a row's text. */
  text: string;
  /** With a row's last token. */
  finishReason?: FinishReason;
}

type Prompts = readonly (readonly number[])[];

/**
 * Answers a batch of prompts, token ids each. What a row gets does not depend on the others, but for rounding. The
 * event loop gets a turn between tokens.
 *
 * ```ts
 * const [answer] = await generate(model, [tokenizer.encode("2 + 2 =")], { tokenizer, maxNewTokens: 20 });
 * console.log(answer.text);
 * ```
 *
 * @throws InputError when a prompt is empty, too long for the model, or has an id that the model does not have
 */
export async function generate(model: CausalLM, prompts: Prompts, options: GenerateOptions = {}): Promise<Generation[]> {
  const settings = resolve(model, prompts, options);
  const answers = prompts.map(newAnswer);
  for await (const event of turnByTurn(model, prompts, settings)) collect(answers, event);
  return answers;
}

/** As `generate`, in one go: the event loop waits for the last token. Text and options are the same. */
export function generateSync(model: CausalLM, prompts: Prompts, options: GenerateOptions = {}): Generation[] {
  const settings = resolve(model, prompts, options);
  const answers = prompts.map(newAnswer);
  for (const events of run(model, prompts, settings)) for (const event of events) collect(answers, event);
  return answers;
}

/**
 * As `generate`, one token after the other. Leaving the loop ends the generation and frees what it held.
 *
 * ```ts
 * for await (const { text } of generateStream(model, [tokenizer.encode("Once upon")], { tokenizer }))
 *   process.stdout.write(text);
 * ```
 */
export function generateStream(
  model: CausalLM,
  prompts: Prompts,
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedToken, void, void> {
  return turnByTurn(model, prompts, resolve(model, prompts, options)); // checked now, not at the first token
}

async function* turnByTurn(
  model: CausalLM,
  prompts: Prompts,
  settings: DecodingSettings,
): AsyncGenerator<GeneratedToken, void, void> {
  for (const events of run(model, prompts, settings)) {
    yield* events;
    await setImmediate();
  }
}

/** The new tokens of each step, of the rows that have not ended. */
function* run(model: CausalLM, prompts: Prompts, settings: DecodingSettings): Generator<readonly GeneratedToken[], void, void> {
  const { limits, eosTokens, stopTokens, stopStrings, tokenizer, signal } = settings;
  signal?.throwIfAborted();
  if (prompts.length === 0) return;
  const texts = prompts.map(() => tokenizer && new TextStream(tokenizer, stopStrings));
  const open = new Set(prompts.keys());
  let step = 0;
  for (const tokens of decode(model, prompts, settings)) {
    step++;
    const events = [...open].map((row): GeneratedToken => {
      const token = tokens[row]!;
      const stream = texts[row];
      let text = stream?.push(token) ?? "";
      let finishReason: FinishReason | undefined;
      if (eosTokens.has(token)) finishReason = "eos";
      else if (stopTokens.has(token)) finishReason = "stop";
      else if (step === limits[row]) finishReason = "length";
      if (finishReason) text += stream?.end() ?? "";
      if (stream?.stopped) finishReason = "stop";
      return finishReason ? { row, token, text, finishReason } : { row, token, text };
    });
    for (const { row, finishReason } of events) if (finishReason) open.delete(row);
    yield events;
    if (open.size === 0) return;
    signal?.throwIfAborted();
  }
}

const newAnswer = (): Generation => ({ tokens: [], text: "", finishReason: "length" });

function collect(answers: readonly Generation[], { row, token, text, finishReason }: GeneratedToken): void {
  const answer = answers[row]!;
  answer.tokens.push(token);
  answer.text += text;
  if (finishReason) answer.finishReason = finishReason;
}
