/** The outcome of a recipe: how many pairs, which rows make none and why, and how far apart the answers are. */

import { Random } from "../../base/random";
import { sum } from "../../base/samples";
import type { Tokenizer } from "../../text";
import { normalisedDistance, textDistances } from "../rows/editDistance";

/** Up to here an edit distance counts as low: MetaMath's pairs are mostly below, those of ARC and HellaSwag above. */
const LOW = 0.1;

/** Tokens are counted in a uniform sample of this many pairs. */
export const TOKEN_SAMPLE = 10_000;

/** Examples of a reason: the first rows. */
const EXAMPLES = 10;

export interface Reason {
  readonly reason: string;
  count: number;
  /** The first rows, counted from 0. */
  readonly rows: number[];
}

/** Edit distances as shares of the longer answer. */
export interface Distances {
  /** How many pairs these numbers are of. */
  readonly pairs: number;
  readonly mean: number;
  readonly min: number;
  readonly p10: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
  /** Share of the pairs with at most {@link LOW}. */
  readonly low: number;
}

export interface Statistics {
  readonly rows: number;
  readonly rows_used: number;
  readonly pairs: number;
  readonly unusable_rows: number;
  /** Share of the rows. */
  readonly unusable_share: number;
  readonly unusable: readonly Reason[];
  /** Wrong answers left out of rows that are used. */
  readonly left_out_pairs: readonly Reason[];
  /** How many prompts have 0, 1, 2 … examples. */
  readonly shots: readonly number[];
  readonly low_edit_distance: number;
  readonly edit_distance: { readonly token: Distances | null; readonly character: Distances; readonly word: Distances };
}

export class StatisticsCollector {
  pairs = 0;
  private used = 0;
  private unused = 0;
  private readonly unusable = new Map<string, Reason>();
  private readonly leftOut = new Map<string, Reason>();
  private readonly shots: number[];
  private readonly characters: number[] = [];
  private readonly words: number[] = [];
  private readonly sample: (readonly [string, string])[] = [];
  private readonly random: Random;

  constructor(
    seed: number,
    maxShots: number,
    private readonly tokenizer?: Tokenizer,
  ) {
    this.shots = new Array<number>(maxShots + 1).fill(0);
    this.random = new Random(seed, "token sample");
  }

  refuse(index: number, reason: string): void {
    this.unused++;
    count(this.unusable, index, reason);
  }

  leaveOut(index: number, reason: string): void {
    count(this.leftOut, index, reason);
  }

  use(shots: number): void {
    this.used++;
    this.shots[shots]!++;
  }

  add(chosen: string, rejected: string): void {
    const { character, word } = textDistances(chosen, rejected);
    this.characters.push(character);
    this.words.push(word);
    const place = this.pairs < TOKEN_SAMPLE ? this.pairs : this.random.integer(0, this.pairs);
    this.pairs++;
    if (this.tokenizer && place < TOKEN_SAMPLE) this.sample[place] = [chosen, rejected];
  }

  get rows(): number {
    return this.used + this.unused;
  }

  /** The reasons so far, as lines. */
  describe(): string {
    return describeReasons(this.unusable.values()).join("\n");
  }

  summary(): Statistics {
    const { tokenizer } = this;
    const ids = (text: string) => tokenizer!.encode(text, { addSpecialTokens: false });
    const tokens = this.sample.map(([chosen, rejected]) => normalisedDistance(ids(chosen), ids(rejected)));
    return {
      rows: this.rows,
      rows_used: this.used,
      pairs: this.pairs,
      unusable_rows: this.unused,
      unusable_share: this.rows === 0 ? 0 : this.unused / this.rows,
      unusable: [...this.unusable.values()],
      left_out_pairs: [...this.leftOut.values()],
      shots: this.shots,
      low_edit_distance: LOW,
      edit_distance: {
        token: tokenizer ? distancesOf(tokens) : null,
        character: distancesOf(this.characters),
        word: distancesOf(this.words),
      },
    };
  }
}

/** `12 rows: why (rows 3, 5, …)`, the most frequent first. */
export function describeReasons(reasons: Iterable<Reason>, unit = "row"): string[] {
  return [...reasons]
    .sort((a, b) => b.count - a.count)
    .map(({ reason, count: times, rows }) => {
      const s = times === 1 ? "" : "s";
      const more = times > rows.length ? ", …" : "";
      return `${times} ${unit}${s}: ${reason} (row${s} ${rows.join(", ")}${more})`;
    });
}

function count(reasons: Map<string, Reason>, index: number, reason: string): void {
  let known = reasons.get(reason);
  if (!known) reasons.set(reason, (known = { reason, count: 0, rows: [] }));
  if (++known.count <= EXAMPLES) known.rows.push(index);
}

function distancesOf(values: readonly number[]): Distances {
  const sorted = Float64Array.from(values).sort();
  const { length } = sorted;
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * length) - 1)] ?? 0;
  const low = sorted.findIndex((value) => value > LOW);
  return {
    pairs: length,
    mean: sum(sorted) / Math.max(length, 1),
    min: at(0),
    p10: at(0.1),
    median: at(0.5),
    p90: at(0.9),
    max: at(1),
    low: (low < 0 ? length : low) / Math.max(length, 1),
  };
}
