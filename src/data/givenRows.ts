/**
 * Rows that a program hands over, instead of a file. Their form is checked before any work, since plain JavaScript checks
 * nothing, and their places are filled in. What a row is worth in training is not judged here (pairTokenizer.ts).
 */
import { InputError } from "../base/errors";
import { nearest } from "../base/nearest";
import { received } from "../base/received";
import { isObject } from "../base/values";
import type { ChatRow, PlainRow, PreferenceRow } from "./preferenceRow";
import { type TokenizedPair, areTokenized } from "./tokenizedPair";

type Given<Row extends PreferenceRow> = Omit<Row, "index"> & {
  /** Place in the data set, for messages; the row's place in its list when left out. */
  readonly index?: number;
};

/**
 * A preference row as a program writes it. Rows of `loadPreferences` are such rows.
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
 * Throws unless `rows` is a list of rows, each of texts or of conversations.
 *
 * @param name what the rows are passed as
 * @throws TypeError when it is no list; InputError that names the row, such as `train[3]`, when one has another form
 */
export function expectRows(rows: unknown, name: string): asserts rows is readonly GivenRow[] {
  expectList(rows, name, SHAPE);
  rows.forEach((row, i) => expectRow(row, `${name}[${i}]`));
}

/**
 * Throws unless `pairs` is a list of pairs in tokens.
 *
 * @throws TypeError that says how rows become pairs
 */
export function expectTokenized(pairs: unknown, name: string): asserts pairs is readonly TokenizedPair[] {
  expectList(pairs, name, "pairs in tokens");
  if (areTokenized(pairs)) return;
  throw new TypeError(
    `Expected pairs in tokens for '${name}' but received ${received(pairs)}; make them with ` +
      "(await tokenizePairs(rows, tokenizer)).pairs",
  );
}

/** The rows with their places. */
export function numbered(rows: readonly GivenRow[]): readonly PreferenceRow[] {
  const isNumbered = (row: GivenRow): row is PreferenceRow => row.index !== undefined;
  return rows.every(isNumbered) ? rows : rows.map((row, index) => ({ ...row, index: row.index ?? index }) as PreferenceRow);
}

/** Throws unless `value` is a list. What is mostly passed instead (a path, a Promise, a stream) gets its way out. */
export function expectList(value: unknown, name: string, what: string): asserts value is readonly unknown[] {
  if (Array.isArray(value)) return;
  const way =
    typeof value === "string"
      ? `; load them: await loadPreferences(${JSON.stringify(value)})`
      : isObject(value) && "pairs" in value
        ? "; pass its 'pairs'"
        : isObject(value) && Symbol.asyncIterator in value
          ? "; collect what it gives in a list, or use loadPreferences"
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
    const expected = isChat ? "a list of messages" : part === "chosen" ? "a text or a list of messages" : "a text";
    throw new InputError(
      `Expected ${expected} for '${place}.${part}'${isChat && part !== "chosen" ? ", as for its 'chosen'," : ""} but received ` +
        `${wrong}${near === undefined ? "" : `; did you mean its '${near}'?`}`,
    );
  }
  if (index !== undefined && !(Number.isSafeInteger(index) && (index as number) >= 0))
    throw new InputError(`Expected an integer from 0 for '${place}.index' but received ${received(index)}; it may be left out`);
  if (tools !== undefined && !Array.isArray(tools))
    throw new InputError(`Expected a list of tools for '${place}.tools' but received ${received(tools)}`);
  if (kwargs !== undefined && !isObject(kwargs))
    throw new InputError(`Expected an object for '${place}.chatTemplateKwargs' but received ${received(kwargs)}`);
  if ("chat_template_kwargs" in row)
    throw new InputError(`Expected the name 'chatTemplateKwargs' in '${place}' but received 'chat_template_kwargs', which is that of files`);
}

/** What is wrong with a conversation, if anything. */
function wrongMessages(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return received(messages);
  const at = messages.findIndex((message) => !isObject(message) || typeof message["role"] !== "string");
  return at < 0 ? undefined : `${received(messages[at])} as its message ${at}, which has no 'role'`;
}
