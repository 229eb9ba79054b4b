/**
 * What there is to say about rows: those that cannot be trained on, which are refused with a reason and counted, never
 * silently dropped; and warnings about others, counted by kind with the first rows of each, so that nobody has to
 * find it out from the loss.
 */
import { createHash } from "node:crypto";
import { InputError } from "../../base/errors";
import { SIDES } from "../reading/columnMapping";
import { isPlain, type PlainRow, type TrainingRow } from "./preferenceRow";

/** A row that was left out, and why. */
export interface RejectedRow {
  readonly index: number;
  readonly reason: string;
}

/** Why a row is refused, in the words of all that refuse one. */
export const reasons = {
  emptyPrompt: "the prompt is empty",
  emptyAnswer: (side: string) => `the ${side} answer is empty`,
  identical: "the two answers are identical",
} as const;

/** Tokens of a row's parts, the end-of-text token included in the answers. */
export interface TokenCounts {
  readonly prompt: number;
  readonly chosen: number;
  readonly rejected: number;
}

/** Why a row cannot be trained on when prompt and answer may have `limit` tokens together; undefined when it can. */
export function reasonToRefuse(row: PlainRow, tokens: TokenCounts, limit: number): string | undefined {
  if (row.prompt === "") return reasons.emptyPrompt;
  for (const side of SIDES) if (row[side].trim() === "") return reasons.emptyAnswer(side);
  if (row.chosen === row.rejected) return reasons.identical;
  const longest = tokens.prompt + Math.max(tokens.chosen, tokens.rejected);
  if (longest > limit) return `prompt and answer have ${longest} tokens, more than ${limit}`;
  return undefined;
}

/**
 * Splits rows into those that can be trained on and those that cannot.
 *
 * @param reasonAgainst why a row must be left out, or undefined when it may stay
 */
export function screen<Row extends { readonly index: number }>(
  rows: readonly Row[],
  reasonAgainst: (row: Row) => string | undefined,
): { kept: Row[]; refused: RejectedRow[] } {
  const kept: Row[] = [];
  const refused: RejectedRow[] = [];
  for (const row of rows) {
    const reason = reasonAgainst(row);
    if (reason === undefined) kept.push(row);
    else refused.push({ index: row.index, reason });
  }
  return { kept, refused };
}

/** The count of refused rows and the first ten of them, as lines for a terminal. `use` is what they are refused for. */
export function describeRejectedRows(refused: readonly RejectedRow[], total: number, use = "trained on"): string {
  const lines = refused.slice(0, 10).map(({ index, reason }) => `  row ${index}: ${reason}`);
  if (refused.length > 10) lines.push(`  and ${refused.length - 10} more`);
  return [`${refused.length} of ${total} rows cannot be ${use} (rows are counted from 0):`, ...lines].join("\n");
}

/** Throws when no row was left. */
export function expectSomeKept(
  kept: readonly unknown[],
  refused: readonly RejectedRow[],
  name: string,
  use = "trained on",
): void {
  if (kept.length > 0) return;
  throw new InputError(
    `Expected rows that can be ${use} in '${name}', but ` + describeRejectedRows(refused, refused.length, use),
  );
}

/** The text for one row of each kind, with its verbs in braces. Caches and printed JSON have the kinds as keys. */
export const WARNING_TEXTS = {
  emptyPrompt: "{has} an empty prompt; without a 'prompt' key it is what both answers begin with",
  assistantLast:
    "{has} a prompt that ends with an assistant turn, so the answer starts another; make that turn part of the answers",
  blankAnswer: "{has} an answer of white space alone",
  chosenBeginsRejected: "{has} a rejected answer that continues the chosen one",
  rejectedBeginsChosen: "{has} a chosen answer that continues the rejected one",
  promptRepeated: "{has} an answer that begins with the whole prompt again",
  duplicate: "{repeats} an earlier row",
  contradiction: "{prefers} what an earlier row rejects, and {rejects} what it prefers",
  noBos: "{does} not begin with BOS, which the tokenizer puts before texts: the chat template leaves it out",
  noEos: "{has} an answer without EOS: the chat template writes none, so its end is not learnt",
  twoEos: "{has} an answer that ends with EOS twice: the tokenizer adds one of its own",
  /** A boundary shift. */
  seam: "{has} a prompt whose last tokens change with the answer; they count as the answer's",
} as const;

export type DataWarningKind = keyof typeof WARNING_TEXTS;

export interface DataWarning {
  readonly count: number;
  /** The first ten rows. */
  readonly first: readonly number[];
}

/** Counts by kind; kinds that were not seen are not there. */
export type DataWarnings = { readonly [kind in DataWarningKind]?: DataWarning };

const FIRST = 10;

/** Counts the row under this kind. */
export function addWarning(warnings: DataWarnings, kind: DataWarningKind, index: number): DataWarnings {
  return mergeWarnings(warnings, { [kind]: { count: 1, first: [index] } });
}

/** Both counts together; the rows of `b` come after those of `a`. */
export function mergeWarnings(a: DataWarnings, b: DataWarnings): DataWarnings {
  const merged: { [kind in DataWarningKind]?: DataWarning } = { ...a };
  for (const kind of Object.keys(b) as DataWarningKind[]) {
    const [old, more] = [a[kind] ?? { count: 0, first: [] }, b[kind]!];
    merged[kind] = { count: old.count + more.count, first: [...old.first, ...more.first].slice(0, FIRST) };
  }
  return merged;
}

/** The counts as lines for a terminal. */
export function describeWarnings(warnings: DataWarnings): string[] {
  return (Object.keys(WARNING_TEXTS) as DataWarningKind[]).flatMap((kind) => {
    const warning = warnings[kind];
    if (!warning) return [];
    const rows = warning.first.join(", ") + (warning.count > warning.first.length ? ", …" : "");
    const isOne = warning.count === 1;
    const says = WARNING_TEXTS[kind].replace(/\{(\w+)\}/g, (_, verb: string) => (isOne ? verb : plural(verb)));
    return [`${warning.count} ${isOne ? "row" : "rows"} (${rows}) ${says}`];
  });
}

const plural = (verb: string): string => ({ has: "have", does: "do" })[verb] ?? verb.replace(/s$/, "");

/** Warnings about rows as they are written, before any tokenizer has seen them. */
export function rowWarnings(rows: readonly TrainingRow[]): DataWarnings {
  let found: DataWarnings = {};
  const seen = new Set<string>();
  for (const row of rows) for (const kind of kindsOf(row, seen)) found = addWarning(found, kind, row.index);
  return found;
}

/** `seen` holds the rows before, and then this one. */
function kindsOf(row: TrainingRow, seen: Set<string>): DataWarningKind[] {
  const { chosen, rejected } = answerTexts(row);
  const answers = rejected === undefined ? [chosen] : [chosen, rejected];
  const same = digest(row, chosen, rejected);
  const opposite = rejected === undefined ? undefined : digest(row, rejected, chosen);
  const isRepeated = seen.has(same);
  const holds: Partial<Record<DataWarningKind, boolean>> = {
    emptyPrompt: row.prompt.length === 0,
    blankAnswer: answers.some((text) => text !== "" && text.trim() === ""),
    chosenBeginsRejected: continues(rejected, chosen),
    rejectedBeginsChosen: continues(chosen, rejected),
    promptRepeated: isPlain(row) && row.prompt.trim() !== "" && answers.some((text) => text.startsWith(row.prompt)),
    duplicate: isRepeated,
    contradiction: !isRepeated && opposite !== undefined && seen.has(opposite),
  };
  seen.add(same);
  return (Object.keys(holds) as DataWarningKind[]).filter((kind) => holds[kind]);
}

/** Whether a text is another one and more. */
function continues(text: string | undefined, start: string | undefined): boolean {
  return text !== undefined && start !== undefined && start !== "" && text !== start && text.startsWith(start);
}

/** Whether the prompt ends with an assistant turn, so that the answer is a second one. */
export function endsWithAssistant(row: TrainingRow): boolean {
  return !isPlain(row) && row.prompt.at(-1)?.role === "assistant";
}

/** The answers as texts that can be compared: of messages their content, or its JSON if that is not text. */
export function answerTexts(row: TrainingRow): { prompt: string; chosen: string; rejected?: string } {
  if (isPlain(row)) return row;
  const written = (messages: typeof row.prompt) =>
    messages
      .map(({ role: _, content, ...rest }) =>
        typeof content === "string" && Object.keys(rest).length === 0 ? content : JSON.stringify([content, rest]),
      )
      .join("\n");
  const { prompt, chosen, rejected } = row;
  return {
    prompt: written(prompt),
    chosen: written(chosen),
    ...(rejected === undefined ? {} : { rejected: written(rejected) }),
  };
}

function digest({ prompt }: TrainingRow, chosen: string, rejected: string | undefined): string {
  return createHash("sha1")
    .update(JSON.stringify([prompt, chosen, rejected]))
    .digest("base64");
}
