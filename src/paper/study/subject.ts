/**
 * What a study is made on: a model, and pairs of low and of high edit distance. Two are built in, a small model that is
 * trained here (smallModel.ts) and a user's (ownModel.ts); the plan, the cells on disk and the report know only this.
 */
import { InputError } from "../../base/errors";
import { normalisedDistance } from "../../data/rows/editDistance";
import type { LossConfig } from "../../preference";
import type { PhaseProgress, StartPhase } from "../experiment";
import type { MethodResult } from "../measure";
import type { SftOutcome } from "../training";
import type { Cell, Corpus } from "./plan";

export interface Subject extends Disposable {
  readonly description: SubjectDescription;
  /** All that the numbers of a seed's cells depend on besides the cell and its loss. */
  settingsOf(seed: number, corpus: Corpus): object;
  /** Finds or makes what the cells of a seed and corpus start from. Null when nothing has to be made. */
  prepare(seed: number, corpus: Corpus, startPhase: StartPhase): Promise<ReferenceResult | null>;
  /** For cells of a seed and corpus, which is prepared. The caller disposes it. */
  open(seed: number, corpus: Corpus): Promise<Bench>;
}

/** What the cells of one seed and corpus share. */
export interface Bench extends Disposable {
  /** Trains from the reference with the loss, or not at all without one, and measures. */
  run(cell: Cell, loss: LossConfig | null, phase: PhaseProgress): Promise<CellResult>;
  /** Steps of training. */
  readonly steps: number;
}

/** The result of a cell. */
export interface CellResult extends MethodResult {
  /** Mean normalised edit distance of the pairs, in tokens. */
  readonly editDistance: number;
}

/** How a reference was made. */
export interface ReferenceResult extends SftOutcome {
  /** Corpora that start from the same reference have one name for it. */
  readonly name: string;
  /** The loss it was to reach, in nats a token. */
  readonly goal: number;
  readonly seconds: number;
}

/** In words and numbers, for tables and the report. */
export interface SubjectDescription {
  /** What was done, in a sentence or two. */
  readonly lead: string;
  readonly corpora: Readonly<Partial<Record<Corpus, CorpusDescription>>>;
  readonly settings: readonly (readonly [name: string, text: string])[];
}

export interface CorpusDescription {
  /** After "low edit distance: ". */
  readonly title: string;
  /** What accuracy is the share of. */
  readonly accuracy: string;
  /** The accuracy of guessing: 0 if a model answers in its own words. */
  readonly chance: number;
  /** Questions held out of training, on which accuracy is measured. */
  readonly heldOut: number;
}

/** Rows with their name and a digest that identifies them. */
export interface RowSource<Row> {
  readonly name: string;
  readonly digest: string;
  readonly rows: readonly Row[];
}

/**
 * Of two sources the one whose answers are nearer on average is `low`. One source is cut in the middle: the half of its
 * rows whose answers are nearest, and the other half, each in the order of the source.
 *
 * @param answersOf both answers in the units of which the edit distance is taken
 * @throws InputError for more than two sources, or one source of a single row
 */
export function splitByDistance<Row>(
  sources: readonly RowSource<Row>[],
  answersOf: (row: Row) => readonly [chosen: ArrayLike<number | string>, rejected: ArrayLike<number | string>],
): { low: RowSource<Row>; high: RowSource<Row> } {
  const [first, second] = sources;
  if (!first || sources.length > 2)
    throw new InputError(`Expected one or two sources of rows for '--data' but received ${sources.length}`);
  const distance = (row: Row) => normalisedDistance(...answersOf(row));
  if (second) {
    const mean = ({ rows }: RowSource<Row>) => rows.reduce((sum, row) => sum + distance(row), 0) / rows.length;
    return mean(first) <= mean(second) ? { low: first, high: second } : { low: second, high: first };
  }
  const { name, digest, rows } = first;
  if (rows.length < 2)
    throw new InputError(`Expected at least two rows in '${name}', to have near and far answers, but received one`);
  const order = rows.map((row, i) => ({ i, at: distance(row) })).sort((a, b) => a.at - b.at || a.i - b.i);
  const half = (part: typeof order, which: string): RowSource<Row> => ({
    name: `the half of ${name} whose answers are ${which}`,
    digest,
    rows: part
      .map(({ i }) => i)
      .sort((a, b) => a - b)
      .map((i) => rows[i]!),
  });
  const middle = Math.ceil(rows.length / 2);
  return { low: half(order.slice(0, middle), "nearest"), high: half(order.slice(middle), "farthest") };
}
