/** What the experiment found, complete enough to draw the report and write the summary without the models. */

import type { CurvePoint, LogProbs, PositionMean } from "./measure";
import type { Settings } from "./settings";

/** The reference and the three models trained from it, in the order of every table. */
export const METHODS = ["reference", "sft", "dpo", "dpop"] as const;
export type Method = (typeof METHODS)[number];

/** A value for each method. */
export function byMethod<T>(of: (method: Method) => T): Record<Method, T> {
  return Object.fromEntries(METHODS.map((method) => [method, of(method)])) as Record<Method, T>;
}

/** How methods are written for people. */
export const METHOD_NAMES: Record<Method, string> = { reference: "reference", sft: "SFT", dpo: "DPO", dpop: "DPOP" };

/** The means of summary.json. */
export interface Measures extends LogProbs {
  /** Share of held-out problems answered rightly by greedy generation, 0 to 1. */
  accuracy: number;
}

export interface MethodResult {
  readonly measures: Measures;
  readonly positions: PositionMean[];
  /** Measured on the first pairs, from step 0; a single point for the reference. */
  readonly curve: CurvePoint[];
}

/** A pair with the log-prob of every chosen token under each model. */
export interface SampleScores {
  /** Why this pair is shown. */
  readonly title: string;
  readonly prompt: string;
  /** The chosen answer's tokens as text, the end token last and empty. */
  readonly chosen: readonly string[];
  readonly rejected: readonly string[];
  readonly difference: number;
  readonly logps: Record<Method, readonly number[]>;
}

/** A held-out problem with what each model writes. */
export interface SampleAnswer {
  readonly prompt: string;
  readonly expected: string;
  readonly answers: Record<Method, { readonly text: string; readonly correct: boolean }>;
}

export interface ExperimentResult {
  readonly seed: number;
  readonly preset: string;
  /** The user's file, or null for generated problems. */
  readonly data: string | null;
  readonly versions: Record<string, string>;
  readonly seconds: number;
  readonly settings: Settings;
  readonly counts: {
    readonly vocabulary: number;
    readonly weights: number;
    readonly examples: number;
    readonly pairs: number;
    readonly heldOut: number;
    readonly refused: number;
  };
  /** Mean normalised edit distance of the pairs, in tokens. */
  readonly editDistance: number;
  /** How the reference was made. */
  readonly reference: { readonly steps: number; readonly loss: number; readonly reachedGoal: boolean };
  readonly methods: Record<Method, MethodResult>;
  readonly samples: readonly SampleScores[];
  readonly answers: readonly SampleAnswer[];
}
