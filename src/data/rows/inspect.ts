/**
 * A look at preference data before anything is trained on it: what the model will see of the first rows, how long and
 * how different the answers are, and what was refused, cut or is odd. With a tokenizer in tokens, else in words.
 */
import type { Tokenizer } from "../../text";
import { normalisedDistance } from "./editDistance";
import { type Oddities, endsWithAssistant, mergeOddities, note, oddRows, texts } from "./oddities";
import type { Cut, TruncationMode } from "../tokenize/pairTokenizer";
import { type PreferenceRow, isPlain } from "./preferenceRow";
import { type Refusal, screen } from "./screening";
import { type HistogramBin, type LengthSummary, lengthHistogram, shareHistogram, summarise } from "./summary";
import { type TokenizeOptions, tokenizeRows } from "../tokenize/tokenizePairs";
import { type TokenizedAnswer, hasRejected } from "../tokenize/tokenizedPair";

export interface Distribution extends LengthSummary {
  readonly histogram: readonly HistogramBin[];
}

/** An answer as the model sees it: the prompt, which is masked, and the units of the completion, which are learnt. */
export interface SampleAnswer {
  readonly prompt: string;
  readonly completion: readonly string[];
}

export interface Sample {
  readonly index: number;
  readonly chosen: SampleAnswer;
  readonly rejected: SampleAnswer;
}

export interface Inspection {
  /** What is counted in lengths and distances. */
  readonly unit: "tokens" | "words";
  readonly rows: number;
  /** Rows that can be trained on. */
  readonly usable: number;
  readonly refused: readonly Refusal[];
  readonly cut: readonly Cut[];
  readonly odd: Oddities;
  /** Of the usable rows. */
  readonly lengths: { readonly prompt: Distribution; readonly chosen: Distribution; readonly rejected: Distribution };
  /** Between the two answers, as a share of the longer one. */
  readonly editDistance: Distribution;
  readonly samples: readonly Sample[];
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
  readonly rejected: ArrayLike<number>;
}

/** Inspects rows; `maxLength` needs a tokenizer. */
export async function inspectRows(rows: readonly PreferenceRow[], options: InspectOptions = {}): Promise<Inspection> {
  const { tokenizer, samples: count = 3 } = options;
  const written = oddRows(rows);
  if (!tokenizer) {
    const { kept, refused } = screen(rows, reasonAgainst);
    const samples = kept.slice(0, count).map(sampleOfWords);
    const odd = kept.filter(endsWithAssistant).reduce((all, { index }) => note(all, "assistantLast", index), written);
    return { ...inspection("words", rows, wordsOf(kept), samples), refused, cut: [], odd };
  }
  const { maxLength, truncationMode, onProgress } = options;
  const { pairs, refused, cut, odd } = await tokenizeRows(rows, tokenizer, {
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(truncationMode === undefined ? {} : { truncationMode }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const whole = pairs.filter(hasRejected);
  const measured = whole.map(({ chosen, rejected }) => ({
    prompt: Math.max(chosen.start, rejected.start),
    chosen: chosen.ids.subarray(chosen.start),
    rejected: rejected.ids.subarray(rejected.start),
  }));
  const samples = whole.slice(0, count).map(({ index, chosen, rejected }) => {
    return { index, chosen: decoded(tokenizer, chosen), rejected: decoded(tokenizer, rejected) };
  });
  return { ...inspection("tokens", rows, measured, samples), refused, cut, odd: mergeOddities(written, odd) };
}

function inspection(
  unit: Inspection["unit"],
  rows: readonly PreferenceRow[],
  measured: readonly Measured[],
  samples: readonly Sample[],
): Omit<Inspection, "refused" | "cut" | "odd"> {
  const lengths = (lengthOf: (row: Measured) => number): Distribution => {
    const values = measured.map(lengthOf);
    return { ...summarise(values), histogram: lengthHistogram(values) };
  };
  const distances = measured.map(({ chosen, rejected }) => normalisedDistance(chosen, rejected));
  return {
    unit,
    rows: rows.length,
    usable: measured.length,
    lengths: {
      prompt: lengths(({ prompt }) => prompt),
      chosen: lengths(({ chosen }) => chosen.length),
      rejected: lengths(({ rejected }) => rejected.length),
    },
    editDistance: { ...summarise(distances), histogram: shareHistogram(distances) },
    samples,
  };
}

/** The completion token by token; tokens that hold parts of one character stay together. */
function decoded(tokenizer: Tokenizer, { ids, start }: TokenizedAnswer): SampleAnswer {
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

function reasonAgainst(row: PreferenceRow): string | undefined {
  const { chosen, rejected } = texts(row);
  if (chosen === "") return "the chosen answer is empty";
  if (rejected === "") return "the rejected answer is empty";
  return chosen === rejected ? "the two answers are identical" : undefined;
}

/** A word with the white space before it. */
const words = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

function wordsOf(rows: readonly PreferenceRow[]): Measured[] {
  const numbers = new Map<string, number>();
  const numberOf = (word: string) => {
    const number = numbers.get(word) ?? numbers.size;
    numbers.set(word, number);
    return number;
  };
  return rows.map((row) => {
    const { prompt, chosen, rejected } = texts(row);
    const [first, second] = [chosen, rejected].map((text) => words(text).map(numberOf)) as [number[], number[]];
    return { prompt: words(prompt).length, chosen: first, rejected: second };
  });
}

function sampleOfWords(row: PreferenceRow): Sample {
  const { chosen, rejected } = texts(row);
  const written = (content: unknown) => (typeof content === "string" ? content : JSON.stringify(content));
  const turns = isPlain(row) ? [] : row.prompt.map(({ role, content }) => `${role}: ${written(content)}\n`);
  const prompt = isPlain(row) ? row.prompt : turns.join("");
  return {
    index: row.index,
    chosen: { prompt, completion: words(chosen) },
    rejected: { prompt, completion: words(rejected) },
  };
}
