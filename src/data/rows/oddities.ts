/**
 * What is odd about rows without keeping them from being trained on: counted, each kind with the first rows it was seen
 * in, so that nobody has to find it out from the loss.
 */
import { createHash } from "node:crypto";
import { type TrainingRow, isPlain } from "./preferenceRow";

/** Each kind, and what to say of one row of it, with the verbs in braces. */
export const ODDITIES = {
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
  seam: "{has} a prompt whose last tokens change with the answer; they count as the answer's",
} as const;

export type OddityKind = keyof typeof ODDITIES;

export interface Oddity {
  readonly count: number;
  /** The first ten rows. */
  readonly first: readonly number[];
}

/** Counts by kind; kinds that were not seen are not there. */
export type Oddities = { readonly [kind in OddityKind]?: Oddity };

const FIRST = 10;

/** Counts the row under this kind. */
export function note(oddities: Oddities, kind: OddityKind, index: number): Oddities {
  return mergeOddities(oddities, { [kind]: { count: 1, first: [index] } });
}

/** Both counts together; the rows of `b` come after those of `a`. */
export function mergeOddities(a: Oddities, b: Oddities): Oddities {
  const merged: { [kind in OddityKind]?: Oddity } = { ...a };
  for (const kind of Object.keys(b) as OddityKind[]) {
    const [old, more] = [a[kind] ?? { count: 0, first: [] }, b[kind]!];
    merged[kind] = { count: old.count + more.count, first: [...old.first, ...more.first].slice(0, FIRST) };
  }
  return merged;
}

/** The counts as lines for a terminal. */
export function describeOddities(oddities: Oddities): string[] {
  return (Object.keys(ODDITIES) as OddityKind[]).flatMap((kind) => {
    const oddity = oddities[kind];
    if (!oddity) return [];
    const rows = oddity.first.join(", ") + (oddity.count > oddity.first.length ? ", …" : "");
    const isOne = oddity.count === 1;
    const says = ODDITIES[kind].replace(/\{(\w+)\}/g, (_, verb: string) => (isOne ? verb : plural(verb)));
    return [`${oddity.count} ${isOne ? "row" : "rows"} (${rows}) ${says}`];
  });
}

const plural = (verb: string): string => ({ has: "have", does: "do" })[verb] ?? verb.replace(/s$/, "");

/** What is odd about rows as they are written, before any tokenizer has seen them. */
export function oddRows(rows: readonly TrainingRow[]): Oddities {
  let found: Oddities = {};
  const seen = new Set<string>();
  for (const row of rows) {
    const { chosen, rejected } = texts(row);
    const kinds: OddityKind[] = [];
    if (row.prompt.length === 0) kinds.push("emptyPrompt");
    const answers = rejected === undefined ? [chosen] : [chosen, rejected];
    if (answers.some((text) => text !== "" && text.trim() === "")) kinds.push("blankAnswer");
    if (rejected !== undefined && chosen !== rejected) {
      if (chosen !== "" && rejected.startsWith(chosen)) kinds.push("chosenBeginsRejected");
      if (rejected !== "" && chosen.startsWith(rejected)) kinds.push("rejectedBeginsChosen");
    }
    if (isPlain(row) && row.prompt.trim() !== "" && answers.some((text) => text.startsWith(row.prompt)))
      kinds.push("promptRepeated");
    const same = digest(row, chosen, rejected);
    if (seen.has(same)) kinds.push("duplicate");
    else if (rejected !== undefined && seen.has(digest(row, rejected, chosen))) kinds.push("contradiction");
    seen.add(same);
    for (const kind of kinds) found = note(found, kind, row.index);
  }
  return found;
}

/** Whether the prompt ends with an assistant turn, so that the answer is a second one. */
export function endsWithAssistant(row: TrainingRow): boolean {
  return !isPlain(row) && row.prompt.at(-1)?.role === "assistant";
}

/** The answers as texts that can be compared: of messages their content, or their JSON where that is no text. */
export function texts(row: TrainingRow): { prompt: string; chosen: string; rejected?: string } {
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
