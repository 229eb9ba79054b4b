/**
 * One row in tokens, or the reason why it cannot be trained on.
 *
 * The completion is what follows the longest common token prefix of the prompt and the prompt with its answer, for each
 * answer on its own (src/text/completion.ts). TRL 1.16 starts both completions at the shorter of the two prefixes, so that
 * the two agree wherever the answers change the prompt's tokens alike. Exactly one BOS is expected where there is one, and
 * EOS at the end of plain answers.
 */

import { InputError } from "../../base/errors";
import { secondsFor, TimeLimitError, withinTime } from "../../base/timeLimit";
import { type ChatMessage, type Tokenizer, tokenizeAnswers, tokenizeChatAnswers } from "../../text";
import { ChatTemplateLimitError, ChatTemplateSyntaxError } from "../../text/errors";
import { SIDES } from "../reading/columnMapping";
import { isPlain, type TrainingRow } from "../rows/preferenceRow";
import {
  addWarning,
  type DataWarningKind,
  type DataWarnings,
  endsWithAssistant,
  mergeWarnings,
  type RejectedRow,
  reasons,
} from "../rows/screening";
import type { TruncationMode } from "./lengths";
import { storePairs, type TokenizedAnswer, type TokenizedPair } from "./tokenizedPair";

export interface Limits {
  /** The most tokens prompt and answer may have together. */
  readonly maxLength?: number | undefined;
  /** Without one nothing is cut: rows that are too long are refused. */
  readonly truncationMode?: TruncationMode | undefined;
}

/** An answer that was cut. */
export interface Cut {
  readonly index: number;
  readonly answer: "chosen" | "rejected";
  /** Tokens of prompt and answer before. */
  readonly tokens: number;
  /** Whether the answer has lost its EOS, so that its end is not learnt. */
  readonly lostEos: boolean;
}

/** What has become of rows. Every row is in `pairs` or in `refused`. */
export interface TokenizedRows {
  readonly pairs: TokenizedPair[];
  readonly refused: RejectedRow[];
  readonly cut: Cut[];
  warnings: DataWarnings;
}

/** The same with its pairs in one array, as files and threads have them. */
export interface StoredRows extends Omit<TokenizedRows, "pairs"> {
  readonly stored: Int32Array;
}

const nothing = (): TokenizedRows => ({ pairs: [], refused: [], cut: [], warnings: {} });
const stored = ({ pairs, ...rest }: TokenizedRows): StoredRows => ({ stored: storePairs(pairs), ...rest });

/** The results of consecutive batches as one. */
export function joinRows(parts: readonly StoredRows[]): StoredRows {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.stored.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part.stored, at);
    at += part.stored.length;
  }
  return {
    stored: joined,
    refused: parts.flatMap(({ refused }) => refused),
    cut: parts.flatMap(({ cut }) => cut),
    warnings: parts.reduce((all, { warnings }) => mergeWarnings(all, warnings), {}),
  };
}

/** Why the row at hand cannot be trained on. */
class Reason extends Error {}

export class PairTokenizer {
  private readonly bos: number | undefined;
  private readonly eos: ReadonlySet<number>;
  private readonly addsBos: boolean;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly limits: Limits,
  ) {
    this.bos = tokenizer.bosTokenId;
    this.eos = new Set([...tokenizer.eosTokenIds, tokenizer.eosTokenId].filter((id) => id !== undefined));
    this.addsBos = this.bos !== undefined && tokenizer.encode("a")[0] === this.bos;
  }

  /**
   * Tokenises rows under one shared time limit: a limit for each text would cost more than the texts. If the
   * batch exceeds it, its rows run again, each under its own limit.
   *
   * @throws TimeLimitError that names the row on which the tokenizer does not end
   */
  tokenizeBatch(rows: readonly TrainingRow[]): StoredRows {
    if (rows.length > 1) {
      const seconds = secondsFor(rows.reduce((sum, row) => sum + charactersOf(row), 0));
      let [at, since] = [0, 0];
      try {
        return withinTime(
          seconds,
          () => {
            const result = nothing();
            for (const row of rows) {
              [at, since] = [row.index, performance.now()];
              this.add(row, result);
            }
            return stored(result);
          },
          () => "a batch took too long",
        );
      } catch (error) {
        if (!(error instanceof TimeLimitError) || error.message.startsWith("Row ")) throw error;
        // A row that took nearly all of the time need not run again.
        if (performance.now() - since > 800 * seconds) throw new TimeLimitError(`Row ${at}: ${error.message}`);
      }
    }
    const result = nothing();
    for (const row of rows) this.add(row, result);
    return stored(result);
  }

  /** Adds the row to `result`. */
  private add(row: TrainingRow, result: TokenizedRows): void {
    const cut: Cut[] = [];
    const warnings = new Set<DataWarningKind>();
    try {
      const pair = this.tokenize(row, cut, warnings);
      result.pairs.push(pair);
      result.cut.push(...cut);
      for (const kind of warnings) result.warnings = addWarning(result.warnings, kind, row.index);
    } catch (error) {
      // A template may refuse a conversation: that row's fault. It says why over several lines at times.
      if (!(error instanceof Reason || error instanceof InputError)) throw error;
      if (error instanceof ChatTemplateSyntaxError) throw error; // every row's fault, to be told once
      // What takes seconds for one row would take hours for all.
      if (error instanceof TimeLimitError || error instanceof ChatTemplateLimitError)
        throw new TimeLimitError(`Row ${row.index}: ${error.message}`, { cause: error });
      result.refused.push({ index: row.index, reason: error.message.split("\n")[0]! });
    }
  }

  private tokenize(row: TrainingRow, cut: Cut[], warnings: Set<DataWarningKind>): TokenizedPair {
    const sides = row.rejected === undefined ? SIDES.slice(0, 1) : SIDES;
    if (row.rejected === undefined && row.chosen.length === 0 && !isPlain(row))
      throw new Reason("the conversation does not end with an assistant message");
    for (const side of sides) if (isEmpty(row[side]!, this.tokenizer.eosToken)) throw new Reason(reasons.emptyAnswer(side));
    if (!isPlain(row) && row.prompt.length === 0) throw new Reason(reasons.emptyPrompt);
    if (endsWithAssistant(row)) warnings.add("assistantLast");
    const { prompt, answers } = isPlain(row)
      ? tokenizeAnswers(this.tokenizer, row.prompt, present(row.chosen, row.rejected))
      : tokenizeChatAnswers(this.tokenizer, row.prompt, present(row.chosen, row.rejected), {
          ...(row.tools ? { tools: row.tools } : {}),
          ...(row.chatTemplateKwargs ? { chatTemplateKwargs: row.chatTemplateKwargs } : {}),
        });
    const [chosen, rejected] = sides.map((side, i): TokenizedAnswer => {
      const { ids, start } = answers[i]!;
      this.check(ids, start, side, isPlain(row), warnings);
      if (start < prompt.length) warnings.add("seam");
      const onCut = (tokens: number, lostEos: boolean) => cut.push({ index: row.index, answer: side, tokens, lostEos });
      return this.fitted(ids, start, onCut);
    });
    if (!rejected) return { index: row.index, chosen: chosen! };
    if (areEqual(chosen!.ids, rejected.ids))
      throw new Reason(`${reasons.identical}${cut.length > 0 ? ` once cut to ${this.limits.maxLength}` : ""}`);
    return { index: row.index, chosen: chosen!, rejected };
  }

  /** One BOS, a token before the completion, a completion, EOS at its end. */
  private check(ids: number[], start: number, side: string, isText: boolean, warnings: Set<DataWarningKind>): void {
    const { bos, eos, tokenizer } = this;
    if (bos !== undefined && ids[0] === bos && ids[1] === bos)
      throw new Reason(
        `begins with '${tokenizer.bosToken}' twice; ` +
          (isText ? "the tokenizer adds it, so take it off the text" : "take it off the messages or the template"),
      );
    if (this.addsBos && ids[0] !== bos) warnings.add("noBos");
    if (start === 0) throw new Reason("no token of the prompt stays before the answer");
    if (start === ids.length) throw new Reason(`the ${side} answer has no tokens`);
    if (isText && ids.at(-1) !== tokenizer.eosTokenId)
      throw new Reason(`the ${side} answer does not end with the token '${tokenizer.eosToken}' when it is tokenised`);
    if (!isText && !this.hasEos(ids, start)) warnings.add("noEos");
    if (ids.length - start > 1 && eos.has(ids.at(-1)!) && ids.at(-1) === ids.at(-2)) warnings.add("twoEos");
  }

  /** The ids within the limit. */
  private fitted(ids: number[], start: number, onCut: (tokens: number, lostEos: boolean) => void): TokenizedAnswer {
    const { maxLength = Infinity, truncationMode } = this.limits;
    const { length } = ids;
    if (length <= maxLength) return { ids: Int32Array.from(ids), start };
    if (start >= maxLength && truncationMode !== "keep_end")
      throw new Reason(`the prompt has ${start} tokens, and no answer fits into ${maxLength}`);
    if (truncationMode === undefined) throw new Reason(`prompt and answer have ${length} tokens, more than ${maxLength}`);
    const from = truncationMode === "keep_end" ? length - maxLength : 0;
    if (start <= from) throw new Reason(`the answer has ${length - start} tokens, and none of its prompt fits into ${maxLength}`);
    const kept = ids.slice(from, from + maxLength);
    onCut(length, this.hasEos(ids, start) && !this.hasEos(kept, start - from));
    return { ids: Int32Array.from(kept), start: start - from };
  }

  private hasEos(ids: readonly number[], start: number): boolean {
    for (let i = ids.length - 1; i >= start; i--) if (this.eos.has(ids[i]!)) return true;
    return false;
  }
}

/** Most rows, and characters, under one time limit. */
const BATCH = { rows: 256, characters: 200_000 };

/** Splits rows into batches, smaller ones where rows are long. */
export function* rowBatches(rows: readonly TrainingRow[]): Generator<readonly TrainingRow[]> {
  let start = 0;
  let characters = 0;
  for (const [i, row] of rows.entries()) {
    characters += charactersOf(row);
    if (i + 1 - start < BATCH.rows && characters < BATCH.characters) continue;
    yield rows.slice(start, i + 1);
    [start, characters] = [i + 1, 0];
  }
  if (start < rows.length) yield rows.slice(start);
}

/** Approximate number of characters to tokenize in a row. */
function charactersOf({ prompt, chosen, rejected }: TrainingRow): number {
  const lengthOf = (part: string | readonly ChatMessage[]): number =>
    typeof part === "string"
      ? part.length
      : part.reduce((sum, { content }) => sum + (typeof content === "string" ? content.length : 100), 0);
  return 2 * lengthOf(prompt) + lengthOf(chosen) + lengthOf(rejected ?? "");
}

/** The answers that a row has. */
function present<Answer>(chosen: Answer, rejected: Answer | undefined): Answer[] {
  return rejected === undefined ? [chosen] : [chosen, rejected];
}

/** No text, or nothing but EOS; of messages, none or no content of any kind. */
function isEmpty(answer: string | readonly ChatMessage[], eosToken: string | undefined): boolean {
  if (typeof answer === "string") return answer === "" || answer === eosToken;
  return answer.every(({ role: _, ...rest }) => Object.values(rest).every((value) => (value ?? "") === ""));
}

function areEqual(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
