/**
 * Rows that a program passes directly, instead of a file. Their form is checked up front, since plain JavaScript checks
 * nothing, and their indices are filled in. Whether a row can be trained on is decided in pairTokenizer.ts.
 */
import { InputError } from "../../base/errors";
import { nearest } from "../../base/names";
import { received } from "../../base/received";
import { isObject } from "../../base/values";
import type { ChatRow, PlainRow, PreferenceRow } from "./preferenceRow";
import { type TokenizedPair, areTokenized } from "../tokenize/tokenizedPair";

type Given<Row extends PreferenceRow> = Omit<Row, "index"> & {
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
export type GivenRow = Given<PlainRow> | Given<ChatRow>;

const SHAPE = `rows such as { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }`;
const PARTS = ["prompt", "chosen", "rejected"] as const;
const KEYS = ["index", ...PARTS, "tools", "chatTemplateKwargs"];

/**
 * Throws unless `rows` is a list of rows, each of strings or of conversations.
 *
 * @param name the name of the argument or option
 * @throws TypeError when it is not a list; InputError that names the row, such as `train[3]`, when a row is malformed
 */
export function expectRows(rows: unknown, name: string): asserts rows is readonly GivenRow[] {
  expectList(rows, name, SHAPE);
  rows.forEach((row, i) => expectRow(row, `${name}[${i}]`));
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

/** The rows with their indices. */
export function numbered(rows: readonly GivenRow[]): readonly PreferenceRow[] {
  const isNumbered = (row: GivenRow): row is PreferenceRow => row.index !== undefined;
  return rows.every(isNumbered) ? rows : rows.map((row, index) => ({ ...row, index: row.index ?? index }) as PreferenceRow);
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

function expectRow(row: unknown, place: string): void {
  if (!isObject(row)) throw new InputError(`Expected ${SHAPE} but received ${received(row)} for '${place}'`);
  const { chosen, index, tools, chatTemplateKwargs: kwargs } = row;
  const isChat = Array.isArray(chosen);
  for (const part of PARTS) {
    const value = row[part];
    const wrong = isChat ? wrongMessages(value) : typeof value === "string" ? undefined : received(value);
    if (wrong === undefined) continue;
    const other = Object.keys(row).filter((key) => !KEYS.includes(key));
    const near = value === undefined ? nearest(part, other) : undefined;
    const expected = isChat ? "a list of messages" : part === "chosen" ? "a string or a list of messages" : "a string";
    throw new InputError(
      `Expected ${expected} for '${place}.${part}'${isChat && part !== "chosen" ? ", like 'chosen'," : ""} but received ` +
        `${wrong}${near === undefined ? "" : `; did you mean '${near}'?`}`,
    );
  }
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

/** What is wrong with a conversation, if anything. */
function wrongMessages(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return received(messages);
  const at = messages.findIndex((message) => !isObject(message) || typeof message["role"] !== "string");
  return at < 0 ? undefined : `${received(messages[at])} as its message ${at}, which has no 'role'`;
}
