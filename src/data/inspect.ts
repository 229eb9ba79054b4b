/**
 * A look at preference data before anything is trained on it: what the model will see of the first rows, how long and
 * how different the answers are, what was refused or cut, and the warnings. With a tokenizer in tokens, else in words.
 */
import type { Tokenizer } from "../text";
import { SIDES } from "./reading/columnMapping";
import { normalisedDistance, wordNumbers } from "./rows/editDistance";
import { isPlain, type TrainingRow } from "./rows/preferenceRow";
import {
  addWarning,
  answerTexts,
  type DataWarnings,
  endsWithAssistant,
  mergeWarnings,
  type RejectedRow,
  reasons,
  rowWarnings,
  screen,
} from "./rows/screening";
import type { TruncationMode } from "./tokenize/lengths";
import type { Cut } from "./tokenize/pairTokenizer";
import type { TokenizedAnswer } from "./tokenize/tokenizedPair";
import { type LengthSummary, summarise, type TokenizeOptions, tokenizeRows } from "./tokenize/tokenizePairs";

/** A summary of many values, and their histogram. */
export interface Distribution extends LengthSummary {
  readonly histogram: readonly HistogramBin[];
}

/** An answer as the model sees it: the prompt, which is masked, and the units of the completion, which are learnt. */
export interface InspectedAnswer {
  readonly prompt: string;
  readonly completion: readonly string[];
}

export interface InspectedRow {
  readonly index: number;
  readonly chosen: InspectedAnswer;
  readonly rejected?: InspectedAnswer;
}

export interface Inspection {
  /** What is counted in lengths and distances. */
  readonly unit: "tokens" | "words";
  readonly rows: number;
  /** Rows that can be trained on. */
  readonly usable: number;
  readonly refused: readonly RejectedRow[];
  readonly cut: readonly Cut[];
  /** The warnings, under the name they have in the printed JSON. */
  readonly odd: DataWarnings;
  /** Of the usable rows. */
  readonly lengths: { readonly prompt: Distribution; readonly chosen: Distribution; readonly rejected?: Distribution };
  /** Between the two answers, as a share of the longer one. Absent, like all about rejected answers, if no row has one. */
  readonly editDistance?: Distribution;
  readonly samples: readonly InspectedRow[];
}

export interface InspectOptions {
  tokenizer?: Tokenizer;
  maxLength?: number;
  truncationMode?: TruncationMode;
  /** How many rows to show. Default 3. */
  samples?: number;
  onProgress?: TokenizeOptions["onProgress"];
}

/** A usable row in units: of the prompt the count, of the answers a number for each. */
interface Measured {
  readonly prompt: number;
  readonly chosen: ArrayLike<number>;
  readonly rejected?: ArrayLike<number>;
}

/** Inspects rows; `maxLength` needs a tokenizer. */
export async function inspectRows(rows: readonly TrainingRow[], options: InspectOptions = {}): Promise<Inspection> {
  const { tokenizer, samples: count = 3 } = options;
  const written = rowWarnings(rows);
  if (!tokenizer) {
    const { kept, refused } = screen(rows, reasonAgainst);
    const samples = kept.slice(0, count).map(sampleOfWords);
    const warnings = kept.filter(endsWithAssistant).reduce((all, { index }) => addWarning(all, "assistantLast", index), written);
    return { ...inspection("words", rows, wordsOf(kept), samples), refused, cut: [], odd: warnings };
  }
  const { maxLength, truncationMode, onProgress } = options;
  const { pairs, refused, cut, warnings } = await tokenizeRows(rows, tokenizer, {
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(truncationMode === undefined ? {} : { truncationMode }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const measured = pairs.map(({ chosen, rejected }) => ({
    prompt: Math.max(chosen.start, rejected?.start ?? 0),
    chosen: chosen.ids.subarray(chosen.start),
    ...(rejected && { rejected: rejected.ids.subarray(rejected.start) }),
  }));
  const samples = pairs.slice(0, count).map(({ index, chosen, rejected }) => ({
    index,
    chosen: decoded(tokenizer, chosen),
    ...(rejected && { rejected: decoded(tokenizer, rejected) }),
  }));
  return { ...inspection("tokens", rows, measured, samples), refused, cut, odd: mergeWarnings(written, warnings) };
}

function inspection(
  unit: Inspection["unit"],
  rows: readonly TrainingRow[],
  measured: readonly Measured[],
  samples: readonly InspectedRow[],
): Omit<Inspection, "refused" | "cut" | "odd"> {
  const lengths = (values: readonly number[]): Distribution => ({ ...summarise(values), histogram: lengthHistogram(values) });
  const isOfPairs = rows.some(({ rejected }) => rejected !== undefined);
  const distances = measured.map(({ chosen, rejected }) => normalisedDistance(chosen, rejected ?? []));
  return {
    unit,
    rows: rows.length,
    usable: measured.length,
    lengths: {
      prompt: lengths(measured.map(({ prompt }) => prompt)),
      chosen: lengths(measured.map(({ chosen }) => chosen.length)),
      ...(isOfPairs && { rejected: lengths(measured.map(({ rejected }) => rejected?.length ?? 0)) }),
    },
    ...(isOfPairs && { editDistance: { ...summarise(distances), histogram: shareHistogram(distances) } }),
    samples,
  };
}

/** The completion token by token; tokens that hold parts of one character stay together. */
function decoded(tokenizer: Tokenizer, { ids, start }: TokenizedAnswer): InspectedAnswer {
  const completion: string[] = [];
  let begun: number[] = [];
  for (const id of ids.subarray(start)) {
    begun.push(id);
    const text = tokenizer.decode(begun);
    if (text.endsWith("\ufffd") && begun.length < 4) continue;
    completion.push(text);
    begun = [];
  }
  if (begun.length > 0) completion.push(tokenizer.decode(begun));
  return { prompt: tokenizer.decode(ids.subarray(0, start)), completion };
}

function reasonAgainst(row: TrainingRow): string | undefined {
  const answers = answerTexts(row);
  for (const side of SIDES) if (answers[side] === "") return reasons.emptyAnswer(side);
  return answers.chosen === answers.rejected ? reasons.identical : undefined;
}

/** A word with the white space before it. */
const words = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

function wordsOf(rows: readonly TrainingRow[]): Measured[] {
  const numberOf = wordNumbers();
  return rows.map((row) => {
    const { prompt, chosen, rejected } = answerTexts(row);
    const measured = { prompt: words(prompt).length, chosen: words(chosen).map(numberOf) };
    return rejected === undefined ? measured : { ...measured, rejected: words(rejected).map(numberOf) };
  });
}

function sampleOfWords(row: TrainingRow): InspectedRow {
  const { chosen, rejected } = answerTexts(row);
  const written = (content: unknown) => (typeof content === "string" ? content : JSON.stringify(content));
  const turns = isPlain(row) ? [] : row.prompt.map(({ role, content }) => `${role}: ${written(content)}\n`);
  const prompt = isPlain(row) ? row.prompt : turns.join("");
  return {
    index: row.index,
    chosen: { prompt, completion: words(chosen) },
    ...(rejected === undefined ? {} : { rejected: { prompt, completion: words(rejected) } }),
  };
}

/** How many values lie in each of the ranges [from, to); the last one includes its end. */
export interface HistogramBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Up to 12 ranges of whole numbers, all of one width that reads well: 1, 2 or 5 times a power of ten. */
export function lengthHistogram(values: readonly number[]): HistogramBin[] {
  if (values.length === 0) return [];
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) [min, max] = [Math.min(min, value), Math.max(max, value)];
  const width = niceWidth((max - min + 1) / 10);
  const first = Math.floor(min / width) * width;
  return histogram(values, first, width, Math.floor((max - first) / width) + 1);
}

/** Ten ranges of shares from 0 to 1. */
export function shareHistogram(values: readonly number[]): HistogramBin[] {
  return values.length === 0
    ? []
    : histogram(
        values.map((value) => value * 10),
        0,
        1,
        10,
      ).map(({ from, to, count }) => ({ from: from / 10, to: to / 10, count }));
}

function histogram(values: readonly number[], first: number, width: number, count: number): HistogramBin[] {
  const counts = new Array<number>(count).fill(0);
  for (const value of values) counts[Math.min(count - 1, Math.floor((value - first) / width))]!++;
  return counts.map((each, i) => ({ from: first + i * width, to: first + (i + 1) * width, count: each }));
}

function niceWidth(least: number): number {
  for (let power = 1; ; power *= 10) for (const step of [1, 2, 5]) if (step * power >= least) return step * power;
}
