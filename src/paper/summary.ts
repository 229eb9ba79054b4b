/**
 * What the experiment found: the result, complete enough to draw the report without the models, and its numbers as
 * summary.json, a table for a terminal, and the sentences that say what was measured.
 */
import type { GradedAnswer, Measures, MethodResult } from "./measure";
import type { PaperSettings } from "./settings";
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
  readonly answers: Record<Method, GradedAnswer>;
}

export interface ExperimentResult {
  readonly seed: number;
  readonly preset: string;
  /** The user's file, or null for generated problems. */
  readonly data: string | null;
  readonly versions: Record<string, string>;
  readonly seconds: number;
  readonly settings: PaperSettings;
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

/** A row of the table of methods. */
export interface Quantity {
  readonly key: keyof Measures;
  readonly group: string;
  readonly label: string;
  readonly format: (value: number) => string;
}

export const fixed = (digits: number) => (value: number) => value.toFixed(digits);
export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

const WHOLE = "log-prob of the whole answer";
const TOKEN = "log-prob of a token of the chosen answer";

/** The rows of the table, in order. */
export const QUANTITIES: readonly Quantity[] = [
  { key: "chosen_logp", group: WHOLE, label: "chosen", format: fixed(2) },
  { key: "rejected_logp", group: WHOLE, label: "rejected", format: fixed(2) },
  { key: "token_logp_before", group: TOKEN, label: "before the first difference", format: fixed(3) },
  { key: "token_logp_at", group: TOKEN, label: "at the first difference", format: fixed(3) },
  { key: "token_logp_after", group: TOKEN, label: "after the first difference", format: fixed(3) },
  { key: "accuracy", group: "held-out problems", label: "answered rightly", format: percent },
];

/** One cell; a dash where there is no such token. */
export function cell({ key, format }: Quantity, measures: Measures): string {
  const value = measures[key];
  return value === null ? "-" : format(value);
}

/** The object of summary.json. */
export function toSummary(result: ExperimentResult): Record<string, unknown> {
  const { seed, preset, data, versions, seconds, counts, editDistance, reference, methods } = result;
  return {
    seed,
    preset,
    data,
    versions,
    seconds,
    ...Object.fromEntries(METHODS.map((method) => [method, methods[method].measures])),
    reference_training: { steps: reference.steps, loss: reference.loss, reached_goal: reference.reachedGoal },
    rows: { sft: counts.examples, pairs: counts.pairs, held_out: counts.heldOut, refused: counts.refused },
    weights: counts.weights,
    vocabulary: counts.vocabulary,
    edit_distance: editDistance,
  };
}

/** The table as aligned text, one column a method. */
export function formatTable(methods: ExperimentResult["methods"]): string {
  const rows = [["", ...METHODS.map((method) => METHOD_NAMES[method])]];
  QUANTITIES.forEach((quantity, i) => {
    if (quantity.group !== QUANTITIES[i - 1]?.group) rows.push([quantity.group, ...METHODS.map(() => "")]);
    rows.push([`  ${quantity.label}`, ...METHODS.map((method) => cell(quantity, methods[method].measures))]);
  });
  return inColumns(rows);
}

/** Columns in line: the first `left` of them to the left, the others to the right. */
export function inColumns(rows: readonly string[][], left = 1): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const place = (text: string, column: number) => (column < left ? text.padEnd(widths[column]!) : text.padStart(widths[column]!));
  return rows.map((row) => row.map(place).join("   ").trimEnd()).join("\n");
}

/** Whether DPO made the chosen answers less likely than the reference, and whether DPOP kept them from that. */
export function paperEffect(methods: ExperimentResult["methods"]): { dpoFell: boolean; dpopHeld: boolean } {
  const chosen = (method: Method) => methods[method].measures.chosen_logp;
  return { dpoFell: chosen("dpo") < chosen("reference"), dpopHeld: chosen("dpop") >= chosen("reference") };
}

/** What to know before reading the numbers: a reference that missed its goal. */
export function caveat({ reference, settings }: ExperimentResult): string | null {
  if (reference.reachedGoal) return null;
  const { steps, loss } = reference;
  return (
    `The reference stopped at its limit of ${steps} steps with a loss of ${loss.toFixed(3)}; the goal was` +
    ` ${settings.sft.goalLoss}. It is not yet sure of its answers, and the effect needs a model that is.`
  );
}

/** What the numbers say, in sentences. Nothing is assumed to have come out as the paper has it. */
export function findings({ methods, counts }: ExperimentResult): string[] {
  const { dpoFell, dpopHeld } = paperEffect(methods);
  const reference = methods.reference.measures;
  const change = (method: Method) =>
    `from ${fixed(2)(reference.chosen_logp)} to ${fixed(2)(methods[method].measures.chosen_logp)}`;
  const changes = (method: Method) => {
    const [was, is] = [reference.token_logp_after, methods[method].measures.token_logp_after];
    if (was === null || is === null) return change(method);
    return `${change(method)} (a token after the first difference: from ${fixed(3)(was)} to ${fixed(3)(is)})`;
  };
  const accuracies = METHODS.map((method) => `${METHOD_NAMES[method]} ${percent(methods[method].measures.accuracy)}`);
  const problems = counts.heldOut === 1 ? "1 held-out problem" : `${counts.heldOut} held-out problems`;
  const largestError = 50 / Math.sqrt(counts.heldOut); // points; of a share of one half
  return [
    dpoFell
      ? `DPO made the chosen answers less likely than the reference has them: mean log-prob ${changes("dpo")}.`
      : `DPO did not make the chosen answers less likely on this run: mean log-prob ${changes("dpo")}.`,
    dpopHeld ? `DPOP held them: ${changes("dpop")}.` : `DPOP did not hold them on this run: ${changes("dpop")}.`,
    `Plain SFT on the same chosen answers took them ${change("sft")}. ` +
      `Accuracy on ${problems}: ${accuracies.join(", ")}; ` +
      `the standard error is at most ${largestError.toFixed(1)} points.`,
  ];
}
