/**
 * What a study is made on: a model, and pairs of low and of high edit distance. Two are built in, a small model that is
 * trained here (smallModel.ts) and a user's (ownModel.ts); the plan, the cells on disk and the report know only this.
 */
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

/** What a cell came to. */
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
