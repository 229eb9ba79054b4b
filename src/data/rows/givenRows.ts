/**
 * Rows that a program passes directly, instead of a file. Their form is checked up front, since plain JavaScript checks
 * nothing, and their indices are filled in. Whether a row can be trained on is decided in tokenize/pairTokenizer.ts.
 */
import { InputError } from "../../base/errors";
import { nearest } from "../../base/names";
import { isObject, received } from "../../base/values";
import type { ChatMessage } from "../../text";
import { ANSWER_KEYS, PAIR_KEYS, type RejectedRule } from "../reading/columnMapping";
import { areTokenized, type TokenizedPair } from "../tokenize/tokenizedPair";
import { type ChatRow, type PlainRow, splitConversation, type TrainingRow } from "./preferenceRow";

type Given<Row extends TrainingRow> = Omit<Row, "index"> & {
  /** Index in the data set, for messages; the row's index in its list when left out. */
  readonly index?: number;
};

/**
 * A preference row as a program writes it. Rows from `loadPreferences` have this form too.
 *
 * ```ts
 * const rows: GivenRow[] = [{ prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }];
 * ```
 */
export type GivenRow = Given<PlainRow> | Given<ChatRow> | GivenAnswer;

type TemplateInputs = Pick<ChatRow, "tools" | "chatTemplateKwargs">;
type Messages = readonly ChatMessage[];

/**
 * A row without a rejected answer, for the loss `sft`: `{ prompt, chosen }`, or under TRL's names `{ prompt, completion }`
 * or `{ messages }`, a conversation whose last message is the answer.
 */
export type GivenAnswer = { readonly index?: number; readonly rejected?: undefined } & (
  | { readonly prompt: string; readonly chosen: string }
  | { readonly prompt: string; readonly completion: string }
  | ({ readonly prompt: Messages; readonly chosen: Messages } & TemplateInputs)
  | ({ readonly prompt: Messages; readonly completion: Messages } & TemplateInputs)
  | ({ readonly messages: Messages } & TemplateInputs)
);

const SHAPES: Readonly<Record<RejectedRule, string>> = {
  required: `rows such as { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }`,
  optional: `rows such as { prompt: "2 + 2 =", completion: " 4" } or { messages: […] }`,
};
const KEYS = ["index", ...PAIR_KEYS, "tools", "chatTemplateKwargs"];

/**
 * Throws unless `rows` is a list of rows, each of strings or of conversations.
 *
 * @param name the name of the argument or option
 * @param rejected "optional" also takes rows without a rejected answer, if none of them has one
 * @throws TypeError when it is not a list; InputError that names the row, such as `train[3]`, when a row is malformed
 */
export function expectRows(
  rows: unknown,
  name: string,
  rejected: RejectedRule = "required",
): asserts rows is readonly GivenRow[] {
  expectList(rows, name, SHAPES[rejected]);
  const isPair = (row: unknown) => isObject(row) && row.rejected !== undefined;
  const arePairs = rejected === "required" || isPair(rows[0]);
  rows.forEach((row, i) => {
    const place = `${name}[${i}]`;
    if (!isObject(row))
      throw new InputError(`Expected ${SHAPES[arePairs ? "required" : "optional"]} but received ${received(row)} for '${place}'`);
    if (arePairs || !isPair(row)) return expectRow(row, place, arePairs ? PAIR_KEYS : answerParts(row));
    throw new InputError(`Expected no 'rejected' in '${name}[${i}]', as in the rows before it, but received ${received(row)}`);
  });
}

/** @throws RangeError for any other value */
export function expectRejectedRule(rule: unknown): asserts rule is RejectedRule {
  if (rule !== "required" && rule !== "optional")
    throw new RangeError(`Expected "required" or "optional" for 'rejected' but received ${received(rule)}`);
}

/**
 * Throws unless `pairs` is a list of tokenised pairs.
 *
 * @throws TypeError that says how to turn rows into pairs
 */
export function expectTokenized(pairs: unknown, name: string): asserts pairs is readonly TokenizedPair[] {
  expectList(pairs, name, "pairs in tokens");
  if (areTokenized(pairs)) return;
  throw new TypeError(
    `Expected pairs in tokens for '${name}' but received ${received(pairs)}; make them with ` +
      "(await tokenizePairs(rows, tokenizer)).pairs",
  );
}

/** The rows with their indices, and with answers under smaug's names. */
export function numbered(rows: readonly GivenRow[]): readonly TrainingRow[] {
  const isDone = (row: GivenRow): row is TrainingRow => row.index !== undefined && "chosen" in row;
  return rows.every(isDone) ? rows : rows.map((row, index) => ({ index, ...withChosen(row) }) as TrainingRow);
}

function withChosen(row: GivenRow): GivenRow {
  if ("chosen" in row) return row;
  if ("messages" in row) {
    const { messages, ...rest } = row;
    return { ...rest, ...splitConversation(messages) };
  }
  const { completion, ...rest } = row;
  return { ...rest, chosen: completion } as GivenRow;
}

/** Throws unless `value` is a list. For common mistakes (a path, a Promise, a stream) the message says what to do. */
export function expectList(value: unknown, name: string, what: string): asserts value is readonly unknown[] {
  if (Array.isArray(value)) return;
  const way =
    typeof value === "string"
      ? `; load them with await loadPreferences(${JSON.stringify(value)})`
      : isObject(value) && "pairs" in value
        ? "; pass its 'pairs'"
        : isObject(value) && Symbol.asyncIterator in value
          ? "; collect its rows into a list, or use loadPreferences"
          : "";
  throw new TypeError(`Expected a list of ${what} for '${name}' but received ${received(value)}${way}`);
}

/** The keys of a row without a rejected answer: the answer under one of its names, and the prompt unless it is in there. */
function answerParts(row: Readonly<Record<string, unknown>>): readonly string[] {
  const name = ANSWER_KEYS.find((key) => row[key] !== undefined) ?? "chosen";
  return name === "messages" ? [name] : ["prompt", name];
}

function expectRow(row: Readonly<Record<string, unknown>>, place: string, parts: readonly string[]): void {
  expectParts(row, place, parts);
  const { index, tools, chatTemplateKwargs: kwargs } = row;
  if (index !== undefined && !(Number.isSafeInteger(index) && (index as number) >= 0))
    throw new InputError(`Expected an integer from 0 for '${place}.index' but received ${received(index)}; it may be left out`);
  if (tools !== undefined && !Array.isArray(tools))
    throw new InputError(`Expected a list of tools for '${place}.tools' but received ${received(tools)}`);
  if (kwargs !== undefined && !isObject(kwargs))
    throw new InputError(`Expected an object for '${place}.chatTemplateKwargs' but received ${received(kwargs)}`);
  if ("chat_template_kwargs" in row)
    throw new InputError(
      `Expected the name 'chatTemplateKwargs' in '${place}' but received 'chat_template_kwargs', the name used in files`,
    );
}

/** Checks that the parts are strings, or all of them conversations. */
function expectParts(row: Readonly<Record<string, unknown>>, place: string, parts: readonly string[]): void {
  const answer = parts[1] ?? parts[0]!;
  const isChat = answer === "messages" || Array.isArray(row[answer]);
  for (const part of parts) {
    const wrong = isChat ? wrongMessages(row[part]) : typeof row[part] === "string" ? undefined : received(row[part]);
    if (wrong === undefined) continue;
    const expected = isChat ? "a list of messages" : part === answer ? "a string or a list of messages" : "a string";
    const like = isChat && part !== answer ? `, like '${answer}',` : "";
    throw new InputError(`Expected ${expected} for '${place}.${part}'${like} but received ${wrong}${wayOut(row, part)}`);
  }
}

/** For a part that is missing. */
function wayOut(row: Readonly<Record<string, unknown>>, part: string): string {
  if (row[part] !== undefined) return "";
  const near = nearest(
    part,
    Object.keys(row).filter((key) => !KEYS.includes(key)),
  );
  if (near !== undefined) return `; did you mean '${near}'?`;
  return part === "rejected" ? "; only the loss sft can do without it" : "";
}

/** What is wrong with a conversation, if anything. */
function wrongMessages(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return received(messages);
  const at = messages.findIndex((message) => !isObject(message) || typeof message["role"] !== "string");
  return at < 0 ? undefined : `${received(messages[at])} as its message ${at}, which has no 'role'`;
}
