/**
 * One record as a preference row, by TRL's rules. Standard rows hold texts, conversational ones lists of messages, and
 * a file holds one kind. Where there is no `prompt`, it is what both answers begin with: the longest common prefix, in
 * characters or in turns, without a space at its end, and never a whole answer.
 *
 * A `prompt` in text alongside answers that are whole conversations (as in UltraFeedback) repeats what is in them: there
 * the prompt is taken from the conversations, as TRL's `maybe_extract_prompt` does.
 *
 * A row without `rejected`, where that is allowed, has its answer under `chosen` or under TRL's names: `completion`, or
 * `messages`, a whole conversation. Of a whole conversation the last assistant message is the answer.
 *
 * Every fault names the file, the line and the key, what was found and what is expected.
 */
import { isDeepStrictEqual } from "node:util";
import { expected, InputError } from "../../base/errors";
import { parseIfJson } from "../../base/files/inputFiles";
import { commonPrefixLength } from "../../base/lists";
import { isObject, type JsonObject, shown } from "../../base/values";
import type { ChatMessage, JsonValue } from "../../text";
import { copyNumbers, hasNumber, parseExact, rememberNumbers } from "../../text/exactNumbers";
import { ANSWER_KEYS, type AnswerKey, columnList, MissingRejectedError, rowForms, SourceColumns } from "../reading/columnMapping";
import type { SourceRecord } from "../reading/source";

/** A prompt and two answers in text. */
export interface PlainRow {
  /** Place in the data set, counted from 0 over rows (blank lines are not rows). */
  readonly index: number;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** A conversation and two ways to continue it. */
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

type WithoutRejected<Row extends PreferenceRow> = Omit<Row, "rejected"> & { readonly rejected?: undefined };

/** A prompt with the chosen answer alone, for the loss `sft`. */
export type AnswerRow = WithoutRejected<PlainRow> | WithoutRejected<ChatRow>;

/** What a run trains on: pairs, or for the loss `sft` chosen answers alone. */
export type TrainingRow = PreferenceRow | AnswerRow;

const MESSAGES = `[{"role": "assistant", "content": "4"}]`;

export function isPlain<Row extends TrainingRow>(row: Row): row is Extract<Row, { readonly prompt: string }> {
  return typeof row.prompt === "string";
}

type Part = string | readonly ChatMessage[];

interface Answers<P extends Part> {
  readonly chosen: P;
  readonly rejected: P | undefined;
}
type Texts = Answers<string>;
type Messages = Answers<readonly ChatMessage[]>;

/** Makes rows of records; the first decides which kind the others are of. */
export class RowReader {
  /** How many rows have been read. */
  count = 0;
  private isChat: boolean | undefined;
  private hasPrompt: boolean | undefined;
  private hasRejected: boolean | undefined;

  constructor(private readonly columns = new SourceColumns("the rows")) {}

  read(record: SourceRecord): TrainingRow {
    const { place } = record;
    if (!isObject(record.value))
      throw new InputError(expected("a JSON object", shown(record.value), { where: `in ${place}`, wayOut: this.form }));
    const value = this.columns.rename(record.value, place);
    const exact = exactCells(record, this.columns);
    const { chosen, rejected } = this.answers(value, place, exact);
    const hasPrompt = value.prompt !== undefined;
    this.hasPrompt ??= hasPrompt;
    expectSameColumns("prompt", this.hasPrompt, hasPrompt, value, place);
    const index = this.count++;
    if (typeof chosen === "string") return { index, ...this.texts(value, { chosen, rejected } as Texts, place) };
    const messages = conversation(value, { chosen, rejected } as Messages, { place, exact, form: this.form });
    return { index, ...messages, ...templateInputs(value, place, exact) };
  }

  /** Notes about the columns, after all records. @throws InputError when the mapping names columns that were not found */
  finish(): string[] {
    this.columns.expectAllMapped();
    return this.columns.notes(this.isChat === true);
  }

  /** What a row of this source looks like, for errors. */
  private get form(): string {
    return rowForms[this.hasRejected ? "required" : this.columns.rejected];
  }

  /** Both answers, or the only one under any of its names. */
  private answers(value: JsonObject, place: string, exact: ExactCells): Answers<Part> {
    if (this.columns.rejected === "optional") {
      const hasRejected = isThere(value.rejected);
      this.hasRejected ??= hasRejected;
      expectSameColumns("rejected", this.hasRejected, hasRejected, value, place);
      const name = ANSWER_KEYS.find((key) => isThere(value[key])) ?? "chosen";
      if (!hasRejected) return { chosen: this.part(value, name, place, exact), rejected: undefined };
    }
    return { chosen: this.part(value, "chosen", place, exact), rejected: this.part(value, "rejected", place, exact) };
  }

  private texts(value: JsonObject, { chosen, rejected }: Texts, place: string): Parts<string> {
    if (typeof value.prompt === "string") return partsOf(value.prompt, chosen, rejected);
    if (value.prompt !== undefined)
      throw new InputError(
        expected("a string", shown(value.prompt), { name: "prompt", where: `in ${place}`, wayOut: this.form }),
      );
    this.columns.expectNoPromptLike(value, place);
    if (rejected !== undefined) return withCommonCharacters(chosen, rejected);
    throw new InputError(
      `Expected 'prompt' in ${place} but received only ${keysOf(value)}: a text alone does not tell where the answer begins`,
    );
  }

  /** One answer, of the kind of those before it. */
  private part(record: JsonObject, key: AnswerKey | "rejected", place: string, exact: ExactCells): Part {
    const found = record[key];
    if (typeof found !== "string" && !Array.isArray(found)) {
      const what = found === undefined ? `only ${keysOf(record)}` : shown(found);
      const wayOut =
        isObject(found) && ("role" in found || "from" in found) ? `a conversation is a list, ${MESSAGES}` : this.form;
      const lacksRejected = found === undefined && !isThere(record.rejected) && ANSWER_KEYS.some((name) => isThere(record[name]));
      throw new (lacksRejected ? MissingRejectedError : InputError)(
        expected("a string or messages", what, { name: key, where: `in ${place}`, wayOut }),
      );
    }
    const isChat = typeof found !== "string";
    if (isChat !== (this.isChat ??= isChat))
      throw new InputError(
        `Expected ${this.isChat ? "messages" : "a string"} for '${key}' in ${place}, as in what precedes it, ` +
          `but received ${shown(found)}; one data set holds texts or conversations, not both`,
      );
    return typeof found === "string" ? found : messagesOf(found, key, place, exact);
  }
}

/** A row's prompt and answers. */
type Parts<P extends Part> =
  | { readonly prompt: P; readonly chosen: P; readonly rejected: P }
  | { readonly prompt: P; readonly chosen: P };

function partsOf<P extends Part>(prompt: P, chosen: P, rejected: P | undefined): Parts<P> {
  return rejected === undefined ? { prompt, chosen } : { prompt, chosen, rejected };
}

/** A null is what Arrow writes for a cell that is not there. */
const isThere = (value: unknown): boolean => value !== undefined && value !== null;

function expectSameColumns(key: string, before: boolean, now: boolean, value: JsonObject, place: string): void {
  if (before !== now)
    throw new InputError(
      `Expected ${before ? "" : "no "}'${key}' in ${place}, as in the rows before it, but received ${keysOf(value)}`,
    );
}

/** A cell of a record with its numbers as they are written; undefined if those are already remembered. */
type ExactCells = (key: string) => unknown;

function exactCells(record: SourceRecord, columns: SourceColumns): ExactCells {
  let exact: unknown;
  return (key) => (isObject((exact ??= record.exact?.())) ? exact[columns.fileNameOf(key)] : undefined);
}

/** What the parts of a record are read with. */
interface RecordContext {
  /** Where the record is, for messages. */
  readonly place: string;
  readonly exact: ExactCells;
  /** What a row looks like, for messages. */
  readonly form: string;
}

function conversation(
  record: JsonObject,
  answers: Messages,
  { place, exact, form }: RecordContext,
): Parts<readonly ChatMessage[]> {
  const { prompt: given } = record;
  if (given === undefined) return withOwnPrompt(answers);
  if (typeof given === "string") {
    const row = withOwnPrompt(answers);
    const asked = given.trim();
    if (row.prompt.some(({ content }) => typeof content === "string" && content.includes(asked))) return row;
    throw new InputError(
      `Expected messages for 'prompt' in ${place}, or answers that both begin with it, ` +
        `but received ${shown(given)}; write it as [{"role": "user", "content": ...}]`,
    );
  }
  if (!Array.isArray(given))
    throw new InputError(expected("messages", shown(given), { name: "prompt", where: `in ${place}`, wayOut: form }));
  const prompt = messagesOf(given, "prompt", place, exact);
  if (prompt.length === 0) throw new InputError(expected("a message", "none", { name: "prompt", where: `in ${place}` }));
  for (const [key, answer] of Object.entries(answers) as [string, Messages["rejected"]][])
    if (answer && answer.length >= prompt.length && isDeepStrictEqual(answer.slice(0, prompt.length), prompt))
      throw new InputError(
        `Expected the messages after 'prompt' for '${key}' in ${place} but they begin with the prompt again; ` +
          `leave 'prompt' out of every row: it is then what both answers begin with`,
      );
  return partsOf(prompt, answers.chosen, answers.rejected);
}

function withCommonCharacters(chosen: string, rejected: string): Parts<string> {
  let end = commonPrefixLength(chosen, rejected);
  if (end === Math.min(chosen.length, rejected.length) && end > 0)
    end--; // never a whole answer
  else if (end > 0 && chosen[end - 1] === " ") end--;
  const isLow = (text: string) => /[\udc00-\udfff]/.test(text[end] ?? "");
  if (end > 0 && /[\ud800-\udbff]/.test(chosen[end - 1]!) && (isLow(chosen) || isLow(rejected))) end--;
  return { prompt: chosen.slice(0, end), chosen: chosen.slice(end), rejected: rejected.slice(end) };
}

/** The last assistant message of a whole conversation is the answer. Without one at the end there is no answer. */
export function splitConversation(messages: readonly ChatMessage[]): Pick<ChatRow, "prompt" | "chosen"> {
  const end = messages.length - (messages.at(-1)?.role === "assistant" ? 1 : 0);
  return { prompt: messages.slice(0, end), chosen: messages.slice(end) };
}

/** The prompt of whole conversations: what both begin with, or what comes before a single one's answer. */
function withOwnPrompt({ chosen, rejected }: Messages): Parts<readonly ChatMessage[]> {
  if (rejected === undefined) return splitConversation(chosen);
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && isDeepStrictEqual(chosen[end], rejected[end])) end++;
  if (end === shorter && end > 0) end--; // never a whole answer
  return { prompt: chosen.slice(0, end), chosen: chosen.slice(end), rejected: rejected.slice(end) };
}

function messagesOf(list: readonly unknown[], key: string, place: string, exact: ExactCells): ChatMessage[] {
  let isNumeric = false;
  const messages = list.map((message, i) => {
    expectMessage(
      message,
      (what, found, wayOut) =>
        new InputError(expected(what, shown(found), { name: `${key}[${i}]`, where: `in ${place}`, wayOut })),
    );
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

type Fault = (what: string, found: unknown, wayOut?: string) => InputError;

function expectMessage(message: unknown, fault: Fault): asserts message is JsonObject {
  if (!isObject(message)) throw fault("a message", message);
  if (typeof message.role !== "string") {
    const isShareGpt = "from" in message;
    const wayOut = isShareGpt ? `ShareGPT's 'from' and 'value' are not read; write ${MESSAGES}` : undefined;
    throw fault(`a message with a 'role'`, message, wayOut);
  }
  const { content } = message;
  if (typeof content === "string") return;
  if (Array.isArray(content) && content.some((part) => isObject(part) && part.type !== "text"))
    throw fault("text alone", content);
  if (!(content === undefined || content === null || Array.isArray(content))) throw fault("a text as 'content'", content);
}

/** Arrow writes null for a key that only other messages have; templates test whether a key is defined. */
function withoutNulls(message: JsonObject): ChatMessage {
  const present = Object.entries(message).filter(([name, value]) => value !== null || name === "content");
  const copy = Object.fromEntries(present) as ChatMessage;
  copyNumbers(message, copy);
  return copy;
}

/** What a record gives a chat template, other than its messages. */
export function templateInputs(
  record: JsonObject,
  place: string,
  exact: ExactCells,
): Pick<ChatRow, "tools" | "chatTemplateKwargs"> {
  return { ...toolsOf(record.tools, place, exact), ...kwargsOf(record.chat_template_kwargs, place, exact) };
}

/** As in TRL: a list or its JSON, which may be "null". A template is given an empty list as such. */
function toolsOf(value: unknown, place: string, exact: ExactCells): Pick<ChatRow, "tools"> {
  const tools = typeof value === "string" ? parseIfJson(value, `the JSON of 'tools' in ${place}`) : value;
  if (tools === null || value === undefined) return {};
  if (!Array.isArray(tools) || !tools.every(isObject))
    throw new InputError(expected("a list of tools, or its JSON,", shown(value), { name: "tools", where: `in ${place}` }));
  if (hasNumber(tools))
    rememberNumbers(tools, typeof value === "string" ? parseExact(value, `'tools' in ${place}`) : exact("tools"));
  return { tools: tools as JsonValue[] };
}

function kwargsOf(value: unknown, place: string, exact: ExactCells): Pick<ChatRow, "chatTemplateKwargs"> {
  if (value === undefined || value === null) return {};
  if (!isObject(value))
    throw new InputError(expected("an object", shown(value), { name: "chat_template_kwargs", where: `in ${place}` }));
  if (hasNumber(value)) rememberNumbers(value, exact("chat_template_kwargs"));
  return { chatTemplateKwargs: value as Record<string, JsonValue> };
}

function keysOf(record: JsonObject): string {
  return columnList(Object.keys(record)) || "an empty object";
}
