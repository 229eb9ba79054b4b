/** What the experiment found, complete enough to draw the report and write the summary without the models. */
import type { Answer, MethodResult } from "./measure";
import type { Settings } from "./settings";
import type { SftOutcome } from "./training";

/** The reference and the three models trained from it, in the order of every table. */
export const METHODS = ["reference", "sft", "dpo", "dpop"] as const;
export type Method = (typeof METHODS)[number];

/** How methods are written for people. */
export const METHOD_NAMES: Record<Method, string> = { reference: "reference", sft: "SFT", dpo: "DPO", dpop: "DPOP" };

/** A value for each method. */
export function byMethod<T>(of: (method: Method) => T): Record<Method, T> {
  return Object.fromEntries(METHODS.map((method) => [method, of(method)])) as Record<Method, T>;
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
  readonly logps: Record<Method, ArrayLike<number>>;
}

/** A held-out problem with what each model writes. */
export interface SampleAnswer {
  readonly prompt: string;
  readonly expected: string;
  readonly answers: Record<Method, Answer>;
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
  readonly reference: SftOutcome;
  readonly methods: Record<Method, MethodResult>;
  readonly samples: readonly SampleScores[];
  readonly answers: readonly SampleAnswer[];
}
