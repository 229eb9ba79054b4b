/**
 * One record as a preference row, by TRL's rules. Standard rows hold texts, conversational ones lists of messages, and
 * a file holds one kind. Where there is no `prompt`, it is what both answers begin with: the longest common prefix, in
 * characters or in turns, without a space at its end, and never a whole answer.
 *
 * A `prompt` in text beside answers that are whole conversations (as in UltraFeedback) repeats what is in them: there
 * the prompt is taken from the conversations, as TRL's `maybe_extract_prompt` does.
 *
 * Every fault names the file, the line and the key, what was found and what is expected.
 */
import { isDeepStrictEqual } from "node:util";
import { parseIfJson } from "../../base/files/inputFiles";
import { isObject, shown } from "../../base/values";
import { InputError } from "../../base/errors";
import type { ChatMessage, JsonValue } from "../../text";
import { copyNumbers, hasNumber, parseExact, rememberNumbers } from "../../text/exactNumbers";
import { SourceColumns, listed } from "../reading/columnMapping";
import type { SourceRecord } from "../reading/source";

/** A prompt and two answers in text. */
export interface PlainRow {
  /** Place in the data set, counted from 0 over rows (blank lines are not rows). */
  readonly index: number;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** A conversation and two ways to go on with it. */
export interface ChatRow {
  /** Place in the data set, counted from 0 over rows (blank lines are not rows). */
  readonly index: number;
  readonly prompt: readonly ChatMessage[];
  readonly chosen: readonly ChatMessage[];
  readonly rejected: readonly ChatMessage[];
  /** JSON schemas of the functions the model may call. */
  readonly tools?: readonly JsonValue[];
  /** Further variables of the chat template. */
  readonly chatTemplateKwargs?: Readonly<Record<string, JsonValue>>;
}

/** One pair of answers to a prompt. */
export type PreferenceRow = PlainRow | ChatRow;

export const FORM =
  `Every row is an object with texts or lists of messages, such as ` + `{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}.`;

const MESSAGES = `[{"role": "assistant", "content": "4"}]`;

export function isPlain(row: PreferenceRow): row is PlainRow {
  return typeof row.prompt === "string";
}

type Json = Readonly<Record<string, unknown>>;
type Part = string | readonly ChatMessage[];

/** Makes rows of records; the first decides which kind the others are of. */
export class RowReader {
  /** How many rows have been read. */
  count = 0;
  private isChat: boolean | undefined;
  private hasPrompt: boolean | undefined;

  constructor(private readonly columns = new SourceColumns("the rows")) {}

  read(record: SourceRecord): PreferenceRow {
    const { place } = record;
    if (!isObject(record.value))
      throw new InputError(`Expected a JSON object in ${place}, but found ${shown(record.value)}. ${FORM}`);
    const value = this.columns.rename(record.value, place);
    const exact = exactCells(record, this.columns);
    const chosen = this.part(value, "chosen", place, exact);
    const rejected = this.part(value, "rejected", place, exact);
    const hasPrompt = value.prompt !== undefined;
    if (hasPrompt !== (this.hasPrompt ??= hasPrompt))
      throw new InputError(
        `Expected ${this.hasPrompt ? "" : "no "}'prompt' in ${place}, as in the rows before it, ` + `but found ${keysOf(value)}.`,
      );
    const index = this.count++;
    if (typeof chosen === "string") {
      const texts = { chosen, rejected: rejected as string };
      if (!hasPrompt) {
        this.columns.expectNoPromptLike(value, place);
        return { index, ...withCommonCharacters(texts.chosen, texts.rejected) };
      }
      if (typeof value.prompt === "string") return { index, prompt: value.prompt, ...texts };
      throw new InputError(`Expected a string for 'prompt' in ${place}, but found ${shown(value.prompt)}. ${FORM}`);
    }
    return {
      index,
      ...conversation(value, { chosen, rejected: rejected as readonly ChatMessage[] }, place, exact),
      ...templateInputs(value, place, exact),
    };
  }

  /** Notes about the columns, after all records. @throws InputError when the mapping names columns that were not found */
  finish(): string[] {
    this.columns.expectAllMapped();
    return this.columns.notes(this.isChat === true);
  }

  /** One answer, of the kind of those before it. */
  private part(record: Json, key: "chosen" | "rejected", place: string, exact: ExactCells): Part {
    const found = record[key];
    if (typeof found !== "string" && !Array.isArray(found)) {
      const what = found === undefined ? `only ${keysOf(record)}` : shown(found);
      const wayOut = isObject(found) && ("role" in found || "from" in found) ? `A conversation is a list, ${MESSAGES}.` : FORM;
      throw new InputError(`Expected a string or messages for '${key}' in ${place}, but found ${what}. ${wayOut}`);
    }
    const isChat = typeof found !== "string";
    if (isChat !== (this.isChat ??= isChat))
      throw new InputError(
        `Expected ${this.isChat ? "messages" : "a string"} for '${key}' in ${place}, as in what precedes it, ` +
          `but found ${shown(found)}. One data set holds texts or conversations, not both.`,
      );
    return typeof found === "string" ? found : messagesOf(found, key, place, exact);
  }
}

/** A cell of a record with its numbers as they are written; undefined if those are already remembered. */
type ExactCells = (key: string) => unknown;

function exactCells(record: SourceRecord, columns: SourceColumns): ExactCells {
  let exact: unknown;
  return (key) => (isObject((exact ??= record.exact?.())) ? exact[columns.fileNameOf(key)] : undefined);
}

function conversation(
  record: Json,
  { chosen, rejected }: Pick<ChatRow, "chosen" | "rejected">,
  place: string,
  exact: ExactCells,
): Pick<ChatRow, "prompt" | "chosen" | "rejected"> {
  const { prompt: given } = record;
  if (given === undefined) return withCommonTurns(chosen, rejected);
  if (typeof given === "string") {
    const row = withCommonTurns(chosen, rejected);
    const asked = given.trim();
    if (row.prompt.some(({ content }) => typeof content === "string" && content.includes(asked))) return row;
    throw new InputError(
      `Expected messages for 'prompt' in ${place}, or answers that both begin with it, ` +
        `but found ${shown(given)}. Write it as [{"role": "user", "content": ...}].`,
    );
  }
  if (!Array.isArray(given))
    throw new InputError(`Expected messages for 'prompt' in ${place}, but found ${shown(given)}. ${FORM}`);
  const prompt = messagesOf(given, "prompt", place, exact);
  if (prompt.length === 0) throw new InputError(`Expected a message for 'prompt' in ${place}, but found none.`);
  for (const [key, answer] of Object.entries({ chosen, rejected }))
    if (answer.length >= prompt.length && isDeepStrictEqual(answer.slice(0, prompt.length), prompt))
      throw new InputError(
        `Expected the messages after 'prompt' for '${key}' in ${place}, but they begin with the prompt again. ` +
          `Leave 'prompt' out of every row: it is then what both answers begin with.`,
      );
  return { prompt, chosen, rejected };
}

function withCommonCharacters(chosen: string, rejected: string): Omit<PlainRow, "index"> {
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && chosen[end] === rejected[end]) end++;
  if (end === shorter && end > 0)
    end--; // never a whole answer
  else if (end > 0 && chosen[end - 1] === " ") end--;
  const isLow = (text: string) => /[\udc00-\udfff]/.test(text[end] ?? "");
  if (end > 0 && /[\ud800-\udbff]/.test(chosen[end - 1]!) && (isLow(chosen) || isLow(rejected))) end--;
  return { prompt: chosen.slice(0, end), chosen: chosen.slice(end), rejected: rejected.slice(end) };
}

function withCommonTurns(
  chosen: readonly ChatMessage[],
  rejected: readonly ChatMessage[],
): Pick<ChatRow, "prompt" | "chosen" | "rejected"> {
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && isDeepStrictEqual(chosen[end], rejected[end])) end++;
  if (end === shorter && end > 0) end--; // never a whole answer
  return { prompt: chosen.slice(0, end), chosen: chosen.slice(end), rejected: rejected.slice(end) };
}

function messagesOf(list: readonly unknown[], key: string, place: string, exact: ExactCells): ChatMessage[] {
  let isNumeric = false;
  const messages = list.map((message, i) => {
    const fault = (expected: string, found: unknown, wayOut = "") =>
      new InputError(`Expected ${expected} for '${key}[${i}]' in ${place}, but found ${shown(found)}.${wayOut}`);
    if (!isObject(message)) throw fault("a message", message);
    if (typeof message.role !== "string")
      throw fault(
        `a message with a 'role'`,
        message,
        "from" in message ? ` ShareGPT's 'from' and 'value' are not read; write ${MESSAGES}.` : "",
      );
    const { content } = message;
    if (Array.isArray(content) && content.some((part) => isObject(part) && part.type !== "text"))
      throw fault("text alone", content);
    if (!(content === undefined || content === null || typeof content === "string" || Array.isArray(content)))
      throw fault("a text as 'content'", content);
    let isWhole = true;
    for (const name in message) {
      const value = message[name];
      if (value === null && name !== "content") isWhole = false;
      else if (typeof value !== "string" && hasNumber(value)) isNumeric = true;
    }
    return isWhole ? (message as ChatMessage) : withoutNulls(message);
  });
  if (isNumeric) rememberNumbers(messages, exact(key)); // for the template
  return messages;
}

/** Arrow writes null for a key that only other messages have; templates test whether a key is defined. */
function withoutNulls(message: Json): ChatMessage {
  const present = Object.entries(message).filter(([name, value]) => value !== null || name === "content");
  const copy = Object.fromEntries(present) as ChatMessage;
  copyNumbers(message, copy);
  return copy;
}

/** What a record gives a chat template, other than its messages. */
export function templateInputs(record: Json, place: string, exact: ExactCells): Pick<ChatRow, "tools" | "chatTemplateKwargs"> {
  return { ...toolsOf(record.tools, place, exact), ...kwargsOf(record.chat_template_kwargs, place, exact) };
}

/** As in TRL: a list or its JSON, which may be "null". A template is given an empty list as such. */
function toolsOf(value: unknown, place: string, exact: ExactCells): Pick<ChatRow, "tools"> {
  const tools = typeof value === "string" ? parseIfJson(value, `the JSON of 'tools' in ${place}`) : value;
  if (tools === null || value === undefined) return {};
  if (!Array.isArray(tools) || !tools.every(isObject))
    throw new InputError(`Expected a list of tools, or its JSON, for 'tools' in ${place}, but found ${shown(value)}.`);
  if (hasNumber(tools))
    rememberNumbers(tools, typeof value === "string" ? parseExact(value, `'tools' in ${place}`) : exact("tools"));
  return { tools: tools as JsonValue[] };
}

function kwargsOf(value: unknown, place: string, exact: ExactCells): Pick<ChatRow, "chatTemplateKwargs"> {
  if (value === undefined || value === null) return {};
  if (!isObject(value))
    throw new InputError(`Expected an object for 'chat_template_kwargs' in ${place}, but found ${shown(value)}.`);
  if (hasNumber(value)) rememberNumbers(value, exact("chat_template_kwargs"));
  return { chatTemplateKwargs: value as Record<string, JsonValue> };
}

function keysOf(record: Json): string {
  return listed(Object.keys(record)) || "an empty object";
}
