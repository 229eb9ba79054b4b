/**
 * Which columns of a source are read, and under which names. `column_mapping` renames the file's columns to smaug's before
 * anything else, like `rename_columns` in datasets. Columns that are not read are named once: nothing is silently
 * dropped.
 */

import { InputError } from "../../base/errors";
import { excerpt, isObject, type JsonObject, shown } from "../../base/values";

/** The columns of a row's two answers. */
export const SIDES = ["chosen", "rejected"] as const;
/** The columns of plain text rows. */
export const PAIR_KEYS = ["prompt", ...SIDES] as const;
/** The names of a row's columns; `tools` and `chat_template_kwargs` are for templates. */
const KEYS = [...PAIR_KEYS, "tools", "chat_template_kwargs"] as const;
type Key = (typeof KEYS)[number];

/** The columns that may hold the only answer of a row: smaug's name for it, and those of TRL's SFT data sets. */
export const ANSWER_KEYS = ["chosen", "completion", "messages"] as const;
export type AnswerKey = (typeof ANSWER_KEYS)[number];

/** Text columns that hold a prompt, or part of one, in files for other programs. */
const PROMPT_LIKE = ["question", "instruction", "input", "query", "system"];
/** How many names a message lists. */
const MOST_NAMES = 20;

/**
 * Whether every row must have a rejected answer. Only a loss that reads the chosen answers alone (`sft`) can do without;
 * then either all rows of a data set have one or none has.
 */
export type RejectedRule = "required" | "optional";

/** What a row looks like, as the way out of an error. */
export const rowForms: Readonly<Record<RejectedRule, string>> = {
  required:
    'every row is an object with texts or lists of messages, such as {"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}',
  optional:
    'every row is an object such as {"prompt": "2 + 2 =", "completion": " 4"} or ' +
    '{"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}',
};

/** Rows without a rejected answer where one is required, which the loss `sft` could train on. */
export class MissingRejectedError extends InputError {}

/** From the file's name of a column to smaug's: `{ question: "prompt" }`. */
export type ColumnMapping = Readonly<Record<string, string>>;

/** The columns of one source. */
export class SourceColumns {
  private readonly renamed: ReadonlyMap<string, Key>;
  /** The columns seen, in order of appearance. */
  private readonly seen = new Set<string>();

  /**
   * @throws InputError for an invalid mapping
   */
  constructor(
    private readonly source: string,
    mapping: ColumnMapping = {},
    readonly rejected: RejectedRule = "required",
  ) {
    this.renamed = checked(mapping);
  }

  /** Of a file's columns, those to read. @throws InputError when the mapping does not match them */
  choose(found: readonly string[]): string[] {
    this.expectMapped(found, [...this.renamed.keys()], `'${this.source}'`);
    for (const name of found) this.seen.add(name);
    const ours = found.filter((name) => this.nameOf(name) !== undefined);
    const has = (key: string) => ours.some((name) => this.nameOf(name) === key);
    const missing = this.required.filter((name) => !found.includes(name));
    if (missing.length > 0 && !has("rejected") && ANSWER_KEYS.some((key) => has(key) || found.includes(key)))
      throw new MissingRejectedError(
        `Expected the column ${columnList(missing)} in '${this.source}' but received only ${columnList(found)}`,
      );
    if (!has("prompt")) ours.push(...found.filter((name) => isPromptLike(name)));
    const answer = has("chosen") ? undefined : this.answerAmong(found);
    return answer === undefined ? ours : [...ours, answer];
  }

  /** The columns that a file must have. */
  get required(): string[] {
    return (this.rejected === "required" ? SIDES : []).map((key) => this.fileNameOf(key));
  }

  /** The file's name for one of smaug's columns. */
  fileNameOf(key: string): string {
    for (const [name, ours] of this.renamed) if (ours === key) return name;
    return key;
  }

  /** The record with smaug's names. The mapping is checked against the first record. */
  rename(record: JsonObject, place: string): JsonObject {
    const isFirst = this.seen.size === 0;
    for (const name in record) if (!this.seen.has(name)) this.seen.add(name);
    if (this.renamed.size === 0) return record;
    const needed = [...this.renamed].filter(([, key]) => isFirst && PAIR_KEYS.some((each) => each === key)).map(([name]) => name);
    this.expectMapped(Object.keys(record), needed, place);
    return Object.fromEntries(Object.entries(record).map(([name, value]) => [this.renamed.get(name) ?? name, value]));
  }

  /** For plain text answers without a prompt: throws if there is a column that looks like the prompt. */
  expectNoPromptLike(record: JsonObject, place: string): void {
    const found = Object.keys(record).filter((name) => isPromptLike(name) && typeof record[name] === "string");
    if (found.length === 0) return;
    const [names, first] = [columnList(found), found.find((name) => name.toLowerCase() !== "system") ?? found[0]!];
    const ways = [
      `name the prompt's column with column_mapping, such as {${excerpt(first)}: prompt}`,
      ...(found.length > 1
        ? [
            `join several into one prompt with smaug data pairs --prompt-template '${found.map((name) => `{${excerpt(name)}}`).join("\\n")}'`,
          ]
        : []),
      "or remove it from the file",
    ];
    throw new InputError(
      `Expected 'prompt' in ${place} but received only ${columnList(Object.keys(record))}; ${names} would not be read: ${ways.join(", ")}`,
    );
  }

  /** Call after all records. @throws InputError when no record had a column of the mapping */
  expectAllMapped(): void {
    this.expectMapped([...this.seen], [...this.renamed.keys()], `'${this.source}'`);
  }

  /** Notes about the columns that were not read, one line each. */
  notes(isChat: boolean): string[] {
    const keys: readonly string[] = isChat ? KEYS : PAIR_KEYS;
    const names = [...this.seen];
    const answer = names.some((name) => this.nameOf(name) === "chosen") ? undefined : this.answerAmong(names);
    const unread = names.filter((name) => name !== answer && !keys.includes(this.renamed.get(name) ?? name));
    const notes = unread.length > 0 ? [`not read: ${unread.map((name) => excerpt(name)).join(", ")}`] : [];
    if (isChat && unread.includes("system"))
      notes.push(
        "warning: the column 'system' is not read, since the answers are conversations; put the system message first in " +
          `the prompt: {"role": "system", "content": ...}`,
      );
    return notes;
  }

  /** The column that may replace `chosen`. */
  private answerAmong(names: readonly string[]): string | undefined {
    return this.rejected === "optional" ? ANSWER_KEYS.find((key) => names.includes(key) && !this.renamed.has(key)) : undefined;
  }

  /** smaug's name for a column of the file. A renamed column is no longer available under its own name. */
  private nameOf(name: string): Key | undefined {
    return this.renamed.get(name) ?? KEYS.find((key) => key === name);
  }

  /** Checks that the columns include `needed`, and that no new name is already taken by another column. */
  private expectMapped(found: readonly string[], needed: readonly string[], place: string): void {
    const missing = needed.filter((name) => !found.includes(name));
    if (missing.length > 0)
      throw new InputError(
        `Expected the column ${columnList(missing)}, which column_mapping renames, in ${place} but received only ${columnList(found)}; ` +
          "the mapping goes from the file's name to smaug's, such as {question: prompt}",
      );
    for (const [name, key] of this.renamed)
      if (found.includes(name) && name !== key && found.includes(key) && !this.renamed.has(key))
        throw new InputError(
          `Expected no column '${key}' in ${place}, since column_mapping renames '${excerpt(name)}' to it, but received both; ` +
            "remove one of them from the file, or leave the mapping out",
        );
  }
}

/** @throws InputError for an invalid mapping */
export function expectColumnMapping(mapping: ColumnMapping): void {
  checked(mapping);
}

const isPromptLike = (name: string): boolean => PROMPT_LIKE.includes(name.toLowerCase());

function checked(mapping: ColumnMapping): Map<string, Key> {
  if (!isObject(mapping))
    throw new InputError(
      `Expected a mapping from the file's column names to smaug's for 'column_mapping', such as {question: prompt}, but received ${shown(mapping)}`,
    );
  const renamed = new Map<string, Key>();
  for (const [name, to] of Object.entries(mapping)) {
    const key = KEYS.find((each) => each === to);
    if (!key)
      throw new InputError(
        `Expected one of ${KEYS.join(", ")} as the new name of '${excerpt(name)}' in column_mapping but received ${shown(to)}; ` +
          "the mapping goes from the file's name to smaug's",
      );
    const other = [...renamed].find(([, taken]) => taken === key)?.[0];
    if (other !== undefined)
      throw new InputError(
        `Expected each new name once in column_mapping but received '${key}' for '${excerpt(other)}' and '${excerpt(name)}'`,
      );
    renamed.set(name, key);
  }
  return renamed;
}

/** Columns for a message, quoted, abbreviated if there are many. */
export function columnList(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : "";
  return `${names
    .slice(0, MOST_NAMES)
    .map((name) => `'${excerpt(name)}'`)
    .join(", ")}${more}`;
}
