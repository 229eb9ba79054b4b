/**
 * Rows that cannot be trained on: rejected with a reason and counted, never silently dropped.
 */

import { InputError } from "../../base/errors";
import type { PlainRow } from "./preferenceRow";

/** A row that was left out, and why. */
export interface Refusal {
  readonly index: number;
  readonly reason: string;
}

/** Tokens of a row's parts, the end-of-text token included in the answers. */
export interface TokenCounts {
  readonly prompt: number;
  readonly chosen: number;
  readonly rejected: number;
}

/** Why a row cannot be trained on when prompt and answer may have `limit` tokens together; undefined when it can. */
export function reasonToRefuse(row: PlainRow, tokens: TokenCounts, limit: number): string | undefined {
  if (row.prompt === "") return "the prompt is empty";
  if (row.chosen.trim() === "") return "the chosen answer is empty";
  if (row.rejected.trim() === "") return "the rejected answer is empty";
  if (row.chosen === row.rejected) return "the two answers are identical";
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
): { kept: Row[]; refused: Refusal[] } {
  const kept: Row[] = [];
  const refused: Refusal[] = [];
  for (const row of rows) {
    const reason = reasonAgainst(row);
    if (reason === undefined) kept.push(row);
    else refused.push({ index: row.index, reason });
  }
  return { kept, refused };
}

/** The count of refused rows and the first ten of them, as lines for a terminal. `use` is what they are refused for. */
export function describeRefusals(refused: readonly Refusal[], total: number, use = "trained on"): string {
  const lines = refused.slice(0, 10).map(({ index, reason }) => `  row ${index}: ${reason}`);
  if (refused.length > 10) lines.push(`  and ${refused.length - 10} more`);
  return [`${refused.length} of ${total} rows cannot be ${use} (rows are counted from 0):`, ...lines].join("\n");
}

/** Throws when no row was left. */
export function expectSomeKept(kept: readonly unknown[], refused: readonly Refusal[], name: string, use = "trained on"): void {
  if (kept.length > 0) return;
  throw new InputError(`Expected rows that can be ${use} in '${name}', but ` + describeRefusals(refused, refused.length, use));
}
