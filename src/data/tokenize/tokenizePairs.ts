/**
 * Preference rows in tokens, once: what came of the same rows, tokenizer and limits before is read from a cache. With
 * many rows several threads share the work.
 *
 * No row is silently lost: each becomes a pair or a rejection with a reason, and each truncated answer is listed.
 */

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import { checkOptions, expectCallback, expectPath } from "../../base/options";
import { cacheFolder } from "../../base/package";
import { canStartWorkers } from "../../base/processes";
import { sum } from "../../base/samples";
import { received } from "../../base/values";
import type { Tokenizer } from "../../text";
import { expectTokenizer } from "../../text/tokenizer";
import type { RejectedRule } from "../reading/columnMapping";
import { expectRejectedRule, expectRows, type GivenRow, numbered } from "../rows/givenRows";
import { isPlain, type TrainingRow } from "../rows/preferenceRow";
import { type DataWarnings, describeRejectedRows, describeWarnings, expectSomeKept, type RejectedRow } from "../rows/screening";
import { expectLengths, type TruncationMode } from "./lengths";
import { type Cut, joinRows, type Limits, PairTokenizer, rowBatches, type StoredRows } from "./pairTokenizer";
import { contentKey, readTokenCache, writeTokenCache } from "./tokenCache";
import { readPairs, type TokenizedPair } from "./tokenizedPair";
import { tokenizeInWorkers } from "./workers";

export interface TokenizeOptions {
  /** The most tokens prompt and answer may have together. Default: no limit. */
  maxLength?: number | null;
  /** What of a longer row is kept. Default: nothing, the row is refused; TRL keeps the start. */
  truncationMode?: TruncationMode;
  /** Threads that tokenize; 0 is this one alone. Default: as many as pay. */
  workers?: number;
  /** Where tokenised rows are kept; null keeps none. Default: `smaug/tokens` in the user's cache folder. */
  cacheDir?: string | null;
  /** Whether every row must have a rejected answer; "optional" for the loss `sft`. Default "required". */
  rejected?: RejectedRule;
  /** What to call the rows in messages. */
  name?: string;
  onProgress?: (done: number, total: number) => void;
}

export interface TokenizedPairs {
  readonly pairs: readonly TokenizedPair[];
  /** Rows that cannot be trained on. */
  readonly refused: readonly RejectedRow[];
  /** Answers whose end (or whose prompt's beginning) is gone. */
  readonly cut: readonly Cut[];
  /** About rows that are trained on. */
  readonly warnings: DataWarnings;
  readonly statistics: TokenStatistics;
}

export interface LengthSummary {
  readonly min: number;
  readonly mean: number;
  readonly median: number;
  /** 95 of 100 are not longer. */
  readonly p95: number;
  readonly max: number;
  readonly total: number;
}

export interface TokenStatistics {
  /** Rows that came in; each is one of `pairs` or `refused`. */
  readonly rows: number;
  readonly pairs: number;
  /** Tokens of prompts, per pair the longer one's. */
  readonly prompt: LengthSummary;
  /** Tokens of completions. */
  readonly chosen: LengthSummary;
  /** All zero if no row has a rejected answer. */
  readonly rejected: LengthSummary;
  /** Whether the tokens were in the cache. */
  readonly cached: boolean;
  readonly workers: number;
  readonly seconds: number;
}

/** Characters that keep a thread busy for some four seconds. To start it, with a tokenizer of its own, takes one. */
const CHARACTERS_PER_WORKER = 10_000_000;
const MOST_WORKERS = 8;
const TURN = 50; // ms of work between turns of the event loop

/**
 * Tokenises preference rows: EOS after plain answers, BOS as the tokenizer adds it, chat templates for conversations.
 *
 * @throws InputError when a row is malformed, or no row can be trained on
 *
 * ```ts
 * const rows = await loadPreferences("pairs.jsonl");
 * const { pairs, refused } = await tokenizePairs(rows, await loadTokenizer("models/SmolLM2-135M-Instruct"));
 * ```
 */
export async function tokenizePairs(
  rows: readonly GivenRow[],
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Promise<TokenizedPairs> {
  if (options.rejected !== undefined) expectRejectedRule(options.rejected);
  expectRows(rows, "rows", options.rejected);
  expectTokenizer(tokenizer);
  const result = await tokenizeRows(numbered(rows), tokenizer, options);
  expectSomeKept(result.pairs, result.refused, options.name ?? "the data");
  return result;
}

/** {@link tokenizePairs} of rows of which none may be left. */
export async function tokenizeRows(
  rows: readonly TrainingRow[],
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Promise<TokenizedPairs> {
  const limits = checked(options, rows, tokenizer);
  const { cacheDir = join(cacheFolder(process.env), "tokens"), onProgress = () => undefined } = options;
  const start = performance.now();
  const key = cacheDir === null ? "" : await contentKey(rows, tokenizer, limits);
  const kept = cacheDir === null ? undefined : await readTokenCache(cacheDir, key);
  const workers = kept ? 0 : (options.workers ?? workersFor(rows));
  const report = (done: number) => onProgress(done, rows.length);
  const made =
    kept ??
    (workers > 0
      ? await tokenizeInWorkers(rows, tokenizer, limits, workers, report)
      : await tokenizeHere(rows, tokenizer, limits, report));
  // A cache that cannot be written (a full disk, a read-only home) costs time, not the run.
  if (!kept && cacheDir !== null) await writeTokenCache(cacheDir, key, made).catch(() => undefined);
  const { stored, ...rest } = made;
  const pairs = readPairs(stored);
  const statistics = {
    rows: rows.length,
    pairs: pairs.length,
    prompt: summarise(pairs.map(({ chosen, rejected }) => Math.max(chosen.start, rejected?.start ?? 0))),
    chosen: summarise(pairs.map(({ chosen }) => chosen.ids.length - chosen.start)),
    rejected: summarise(pairs.flatMap(({ rejected }) => (rejected ? [rejected.ids.length - rejected.start] : []))),
    cached: kept !== undefined,
    workers,
    seconds: (performance.now() - start) / 1000,
  };
  return { pairs, ...rest, statistics };
}

/** What was refused or cut, and the warnings, as lines for a terminal; none when all is well. */
export function describeTokenized({ refused, cut, warnings, statistics }: TokenizedPairs, limits: Limits): string[] {
  return [
    ...(refused.length > 0 ? [describeRejectedRows(refused, statistics.rows)] : []),
    ...(cut.length > 0 ? [describeCuts(cut, limits)] : []),
    ...describeWarnings(warnings),
  ];
}

/** All zero when there are none. */
export function summarise(values: readonly number[]): LengthSummary {
  if (values.length === 0) return { min: 0, mean: 0, median: 0, p95: 0, max: 0, total: 0 };
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  const total = sum(sorted);
  return { min: sorted[0]!, mean: total / sorted.length, median: at(0.5), p95: at(0.95), max: sorted.at(-1)!, total };
}

/** How many answers were cut, the worst of it, and the first rows. */
export function describeCuts(cut: readonly Cut[], { maxLength, truncationMode }: Limits): string {
  const rows = [...new Set(cut.map(({ index }) => index))];
  const without = cut.filter(({ lostEos }) => lostEos).length;
  const longest = cut.reduce((most, { tokens }) => Math.max(most, tokens), 0);
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const [are, their, were] = cut.length === 1 ? ["is", "its", "was"] : ["are", "their", "were"];
  return (
    `${count(cut.length, "answer")} of ${count(rows.length, "row")} ${are} longer than ${maxLength} tokens with ` +
    `${their} prompt (up to ${longest}) and ${were} cut (${truncationMode}); ${without} without EOS since. ` +
    `Rows: ${rows.slice(0, 10).join(", ")}${rows.length > 10 ? ", …" : ""}`
  );
}

async function tokenizeHere(
  rows: readonly TrainingRow[],
  tokenizer: Tokenizer,
  limits: Limits,
  report: (done: number) => void,
): Promise<StoredRows> {
  const pairTokenizer = new PairTokenizer(tokenizer, limits);
  const parts: StoredRows[] = [];
  let turn = performance.now();
  let done = 0;
  for (const batch of rowBatches(rows)) {
    parts.push(pairTokenizer.tokenizeBatch(batch));
    done += batch.length;
    if (performance.now() - turn < TURN) continue;
    report(done);
    await new Promise((resolve) => setImmediate(resolve));
    turn = performance.now();
  }
  return joinRows(parts);
}

function workersFor(rows: readonly TrainingRow[]): number {
  if (!canStartWorkers) return 0;
  const most = Math.min(MOST_WORKERS, availableParallelism());
  const lengthOf = (part: TrainingRow["prompt"]) => (typeof part === "string" ? part.length : JSON.stringify(part).length);
  let characters = 0;
  for (const { prompt, chosen, rejected } of rows) {
    characters += 3 * lengthOf(prompt) + lengthOf(chosen) + lengthOf(rejected ?? "");
    if (characters >= most * CHARACTERS_PER_WORKER) return most > 1 ? most : 0;
  }
  const workers = Math.floor(characters / CHARACTERS_PER_WORKER);
  return workers > 1 ? workers : 0;
}

function checked(options: TokenizeOptions, rows: readonly TrainingRow[], tokenizer: Tokenizer): Limits {
  checkOptions("tokenizePairs", options, [
    "maxLength",
    "truncationMode",
    "workers",
    "cacheDir",
    "rejected",
    "name",
    "onProgress",
  ]);
  const { maxLength, truncationMode, workers, cacheDir, onProgress } = options;
  expectLengths(options);
  if (workers !== undefined && !(Number.isSafeInteger(workers) && workers >= 0))
    throw new RangeError(`Expected a number of threads for 'workers' but received ${received(workers)}`);
  if (typeof (cacheDir ?? null) !== "object") expectPath(cacheDir, "cacheDir", "a folder, or null,");
  expectCallback(onProgress, "onProgress");
  expectUsable(tokenizer, rows[0]);
  return { maxLength: maxLength ?? undefined, truncationMode };
}

/** Checks that the tokenizer has what rows of this kind need. */
function expectUsable(tokenizer: Tokenizer, first: TrainingRow | undefined): void {
  if (first && isPlain(first) && !tokenizer.eosToken)
    throw new InputError(`Expected a tokenizer with 'eos_token' in '${tokenizer.path}'; name it in tokenizer_config.json`);
  if (first && !isPlain(first) && tokenizer.chatTemplates.length === 0)
    throw new InputError(
      `Expected a chat template in '${tokenizer.adapterPath ?? tokenizer.path}', since the rows are conversations; ` +
        "add a chat_template.jinja, or write the rows as texts",
    );
}
