/** The study's cells with the seeds taken together: the mean of each measure, and how far it scatters. */

import { mean, sum } from "../../base/samples";
import type { Measures } from "../measure";
import { QUANTITIES } from "../summary";
import { type Corpus, type Parameters, parametersOf, STUDY_METHODS, type StudyMethod } from "./plan";
import type { FinishedCell, StudyResult } from "./run";

export interface Spread {
  readonly mean: number;
  /** Standard deviation of the sample, with n − 1; null for a single value. */
  readonly std: number | null;
}

/** Null when there are no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const middle = mean(values);
  if (values.length === 1) return { mean: middle, std: null };
  return { mean: middle, std: Math.sqrt(sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1)) };
}

export type MeasureSpreads = Record<keyof Measures, Spread | null>;

/** The same cell over all seeds. */
export interface ComparisonRow extends Parameters {
  readonly corpus: Corpus;
  readonly method: StudyMethod;
  readonly measures: MeasureSpreads;
}

/** The cells of a method, in the order of the seeds. */
export function cellsOver(
  { cells }: Pick<StudyResult, "cells">,
  corpus: Corpus,
  method: StudyMethod,
  { beta, lambda }: Parameters,
): FinishedCell[] {
  return cells.filter((cell) => cell.corpus === corpus && cell.method === method && cell.beta === beta && cell.lambda === lambda);
}

/** Means and deviations of cells; of a measure that some lack (no such token), over those that have it. */
function measuresOver(cells: readonly FinishedCell[]): MeasureSpreads {
  const values = (key: keyof Measures) =>
    cells.map(({ measures }) => measures[key]).filter((value): value is number => value !== null);
  return Object.fromEntries(QUANTITIES.map(({ key }) => [key, spreadOf(values(key))])) as MeasureSpreads;
}

/** Every method at its own parameters. */
export function comparison(result: StudyResult, corpus: Corpus): ComparisonRow[] {
  return STUDY_METHODS.map((method) => rowOf(result, corpus, method, parametersOf(result.study, method)));
}

/** DPO over beta (lambda null), then DPOP over beta and lambda. */
export function ablation(result: StudyResult, corpus: Corpus): ComparisonRow[] {
  const { betas, lambdas } = result.study;
  return [
    ...betas.map((beta) => rowOf(result, corpus, "dpo", { beta, lambda: null })),
    ...betas.flatMap((beta) => lambdas.map((lambda) => rowOf(result, corpus, "dpop", { beta, lambda }))),
  ];
}

function rowOf(result: StudyResult, corpus: Corpus, method: StudyMethod, parameters: Parameters): ComparisonRow {
  const { beta, lambda } = parameters;
  return { corpus, method, beta, lambda, measures: measuresOver(cellsOver(result, corpus, method, parameters)) };
}
