/**
 * Which columns of a source are read, and under which name. `column_mapping` renames the file's columns to ours before
 * anything else, as datasets' `rename_columns` does. Columns that are not read are named once: nothing is dropped in
 * silence.
 */
import { excerpt, isObject, shown } from "../base/values";
import { InputError } from "../base/errors";

/** The names of a row's columns. */
const KEYS = ["prompt", "chosen", "rejected", "tools", "chat_template_kwargs"] as const;
type Key = (typeof KEYS)[number];

/** Text columns that are a prompt, or a part of one, in other programs' files. */
const PROMPT_LIKE = ["question", "instruction", "input", "query", "system"];
/** What rows of texts have; `tools` and `chat_template_kwargs` are for templates. */
const TEXT_KEYS: readonly string[] = ["prompt", "chosen", "rejected"];
/** Names in a message. */
const MOST_NAMES = 20;

/** From the file's name of a column to ours: `{ question: "prompt" }`. */
export type ColumnMapping = Readonly<Record<string, string>>;

type Json = Readonly<Record<string, unknown>>;

/** The columns of one source. */
export class SourceColumns {
  private readonly renamed: ReadonlyMap<string, Key>;
  /** In the order in which they were seen. */
  private readonly seen = new Set<string>();

  /** @throws InputError when the mapping is not one */
  constructor(
    private readonly source: string,
    mapping: ColumnMapping = {},
  ) {
    this.renamed = checked(mapping);
  }

  /** Of the columns that a file has, those to read. @throws InputError when the mapping does not fit them */
  choose(found: readonly string[]): string[] {
    this.expectMapped(found, [...this.renamed.keys()], `'${this.source}'`);
    for (const name of found) this.seen.add(name);
    const ours = found.filter((name) => this.nameOf(name) !== undefined);
    const isPromptThere = ours.some((name) => this.nameOf(name) === "prompt");
    return isPromptThere ? ours : [...ours, ...found.filter((name) => isPromptLike(name))];
  }

  /** The file's name of one of our columns. */
  fileNameOf(key: string): string {
    for (const [name, ours] of this.renamed) if (ours === key) return name;
    return key;
  }

  /** The record with our names. The first record says whether the mapping fits. */
  rename(record: Json, place: string): Json {
    const isFirst = this.seen.size === 0;
    for (const name in record) if (!this.seen.has(name)) this.seen.add(name);
    if (this.renamed.size === 0) return record;
    const needed = [...this.renamed].filter(([, key]) => isFirst && TEXT_KEYS.includes(key)).map(([name]) => name);
    this.expectMapped(Object.keys(record), needed, place);
    return Object.fromEntries(Object.entries(record).map(([name, value]) => [this.renamed.get(name) ?? name, value]));
  }

  /** Answers that are texts, without a prompt: no column that looks like one may be passed over. */
  expectNoPromptLike(record: Json, place: string): void {
    const found = Object.keys(record).filter((name) => isPromptLike(name) && typeof record[name] === "string");
    if (found.length === 0) return;
    const [names, first] = [listed(found), found.find((name) => name.toLowerCase() !== "system") ?? found[0]!];
    const ways = [
      `Name the prompt's column with column_mapping, such as {${excerpt(first)}: prompt}`,
      ...(found.length > 1 ? [`make one text of several with smaug data pairs --prompt-template '${found.map((name) => `{${excerpt(name)}}`).join("\\n")}'`] : []),
      "or take it out of the file",
    ];
    throw new InputError(
      `Expected 'prompt' in ${place}, but found only ${listed(Object.keys(record))}; ${names} would not be read. ${ways.join(", ")}.`,
    );
  }

  /** When all records have been read. @throws InputError when a column of the mapping was in none of them */
  expectAllMapped(): void {
    this.expectMapped([...this.seen], [...this.renamed.keys()], `'${this.source}'`);
  }

  /** What to tell about columns that were not read, as lines. */
  notes(isChat: boolean): string[] {
    const keys: readonly string[] = isChat ? KEYS : TEXT_KEYS;
    const unread = [...this.seen].filter((name) => !keys.includes(this.renamed.get(name) ?? name));
    const notes = unread.length > 0 ? [`not read: ${unread.map((name) => excerpt(name)).join(", ")}`] : [];
    if (isChat && unread.includes("system"))
      notes.push(
        "warning: the column 'system' is not read, as the answers are conversations; a system message is the first one of " +
          `the prompt: {"role": "system", "content": ...}`,
      );
    return notes;
  }

  /** Our name of a column of the file. A column that the mapping renames is no longer there under its own name. */
  private nameOf(name: string): Key | undefined {
    return this.renamed.get(name) ?? KEYS.find((key) => key === name);
  }

  /** Checks that `needed` are among the columns, and that no other column has the name that one of them gets. */
  private expectMapped(found: readonly string[], needed: readonly string[], place: string): void {
    const missing = needed.filter((name) => !found.includes(name));
    if (missing.length > 0)
      throw new InputError(
        `Expected the column ${listed(missing)} of column_mapping in ${place}, but found only ${listed(found)}. ` +
          "It maps the file's name to ours, such as {question: prompt}.",
      );
    for (const [name, key] of this.renamed)
      if (found.includes(name) && name !== key && found.includes(key) && !this.renamed.has(key))
        throw new InputError(
          `Expected no column '${key}' in ${place}, as column_mapping gives that name to '${excerpt(name)}', but found both. ` +
            "Take one of them out of the file, or leave the mapping out.",
        );
  }
}

/** @throws InputError when the mapping is not one */
export function expectColumnMapping(mapping: ColumnMapping): void {
  checked(mapping);
}

const isPromptLike = (name: string): boolean => PROMPT_LIKE.includes(name.toLowerCase());

function checked(mapping: ColumnMapping): Map<string, Key> {
  if (!isObject(mapping))
    throw new InputError(`Expected the file's names of columns with ours for 'column_mapping', such as {question: prompt}, but received ${shown(mapping)}.`);
  const renamed = new Map<string, Key>();
  for (const [name, to] of Object.entries(mapping)) {
    const key = KEYS.find((each) => each === to);
    if (!key)
      throw new InputError(
        `Expected one of ${KEYS.join(", ")} as the new name of '${excerpt(name)}' in column_mapping, but received ${shown(to)}. ` +
          "It maps the file's name to ours.",
      );
    const other = [...renamed].find(([, taken]) => taken === key)?.[0];
    if (other !== undefined)
      throw new InputError(`Expected each new name once in column_mapping, but received '${key}' for '${excerpt(other)}' and '${excerpt(name)}'.`);
    renamed.set(name, key);
  }
  return renamed;
}

/** Names for a message, the first of many. */
export function listed(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : "";
  return `${names.slice(0, MOST_NAMES).map((name) => `'${excerpt(name)}'`).join(", ")}${more}`;
}
