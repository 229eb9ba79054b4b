/** The numbers of a study: summary.json, and the tables for a terminal. */

import { inColumns, percent, QUANTITIES, type Quantity } from "../summary";
import { type ClaimResult, testClaims } from "./claims";
import { type Corpus, STUDY_NAMES } from "./plan";
import type { StudyResult } from "./run";
import { ablation, type ComparisonRow, comparison, type MeasureSpreads, type Spread, spreadOf } from "./table";

const CORPUS_NAMES: Record<Corpus, string> = {
  low: "low edit distance",
  high: "high edit distance",
  control: "control",
};

/** `low edit distance: …` */
export function titleOf({ subject }: Pick<StudyResult, "subject">, corpus: Corpus): string {
  return `${CORPUS_NAMES[corpus]}: ${subject.corpora[corpus]!.title}`;
}

/** `-1.27 ± 0.20`; without the deviation for a single seed, a dash for no value. */
function spreadText(spread: Spread | null, format: (value: number) => string): string {
  if (spread === null) return "-";
  return spread.std === null ? format(spread.mean) : `${format(spread.mean)} ± ${format(spread.std)}`;
}

/** Mean normalised edit distance of the pairs, over the seeds. */
export function editDistanceOf({ cells }: Pick<StudyResult, "cells">, corpus: Corpus): Spread | null {
  const ofReference = cells.filter((cell) => cell.corpus === corpus && cell.method === "reference");
  return spreadOf(ofReference.map(({ editDistance }) => editDistance));
}

/**
 * The object of summary.json: under each method's name the seed means on pairs of low edit distance, as in the small
 * experiment's; then every corpus with deviations, the ablation, the claims, and every cell.
 */
export function toStudySummary(result: StudyResult): Record<string, unknown> {
  const { preset, seeds, versions, seconds, study, subject, references, cells } = result;
  const means = (measures: MeasureSpreads) =>
    Object.fromEntries(Object.entries(measures).map(([key, spread]) => [key, spread?.mean ?? null]));
  return {
    seed: seeds[0],
    seeds,
    preset,
    versions,
    seconds,
    ...Object.fromEntries(comparison(result, "low").map(({ method, measures }) => [method, means(measures)])),
    edit_distance: Object.fromEntries(study.corpora.map((corpus) => [corpus, editDistanceOf(result, corpus)])),
    corpora: Object.fromEntries(
      study.corpora.map((corpus) => [
        corpus,
        Object.fromEntries(comparison(result, corpus).map(({ method, measures }) => [method, measures])),
      ]),
    ),
    ablation: study.grid.flatMap((corpus) => ablation(result, corpus)),
    claims: testClaims(result).map(({ text, ...claim }) => ({ claim: text, ...claim })),
    reference_training: references.map(({ reachedGoal, ...reference }) => ({ ...reference, reached_goal: reachedGoal })),
    subject,
    study,
    cells: cells.map(({ measures, positions: _positions, curve: _curve, editDistance, ...cell }) => ({
      ...cell,
      edit_distance: editDistance,
      ...measures,
    })),
  };
}

/** The heads of the columns of measures; accuracy first. */
export const COLUMNS: readonly { readonly quantity: Quantity; readonly head: string }[] = [
  ["accuracy", "accuracy"],
  ["chosen_logp", "chosen"],
  ["rejected_logp", "rejected"],
  ["token_logp_before", "before"],
  ["token_logp_at", "at"],
  ["token_logp_after", "after"],
].map(([key, head]) => ({ quantity: QUANTITIES.find((quantity) => quantity.key === key)!, head: head! }));

/** The comparison, the ablation and the claims as aligned text. */
export function formatStudy(result: StudyResult): string {
  const parts = result.study.corpora.flatMap((corpus) => [
    `${titleOf(result, corpus)} (${percent(editDistanceOf(result, corpus)!.mean)} of the tokens)\n` +
      inColumns([["", ...COLUMNS.map(({ head }) => head)], ...comparison(result, corpus).map(rowCells)]),
    ...(result.study.grid.includes(corpus)
      ? [`accuracy / chosen over β and λ, ${CORPUS_NAMES[corpus]}\n${inColumns(ablationCells(result, corpus))}`]
      : []),
  ]);
  const claims = testClaims(result);
  const heads = ["the paper says", "tested by", "measured", ""];
  const rows = claims.map((claim) => [claimText(claim), claim.quantity, claimMeasured(claim), claimVerdict(claim)]);
  return [...parts, inColumns([heads, ...rows], 4)].join("\n\n");
}

/** How many claims came out, and which did not. */
export function claimsInShort(claims: readonly ClaimResult[]): string {
  const count = (verdict: ClaimResult["verdict"]) => claims.filter((claim) => claim.verdict === verdict);
  const names = count("disagree").map((claim) => `“${claimText(claim)}”`);
  return (
    `${count("agree").length} of the ${claims.length} claims agree, ${names.length} disagree` +
    `${names.length === 0 ? "" : ` (${names.join(", ")})`}, ${count("unclear").length} are unclear: ` +
    "within two standard errors of their limit over the seeds, of one seed, or of no effect on models that cannot do the task."
  );
}

/** Such as `unclear: the models cannot do the task`. */
export const claimVerdict = ({ verdict, reason }: ClaimResult): string => (reason === null ? verdict : `${verdict}: ${reason}`);

export const claimText = ({ corpus, text }: ClaimResult): string => `${corpus}: ${text}`;

/** The mean and deviation in the claim's unit, and the limit when it is not 0. */
export function claimMeasured({ measured, unit, side, limit }: ClaimResult): string {
  const format = unit === "points" ? (value: number) => (100 * value).toFixed(1) : (value: number) => value.toFixed(3);
  const aimed = limit === 0 ? "" : ` (${side} ${format(limit)})`;
  return `${spreadText(measured, format)} ${unit}${aimed}`;
}

function rowCells({ method, measures }: ComparisonRow): string[] {
  return [STUDY_NAMES[method], ...COLUMNS.map(({ quantity }) => spreadText(measures[quantity.key], quantity.format))];
}

/** DPO over beta in the first column, DPOP over lambda in the others. */
export function ablationCells(result: StudyResult, corpus: Corpus): string[][] {
  const { betas, lambdas } = result.study;
  const rows = ablation(result, corpus);
  const [accuracy, chosen] = COLUMNS.map(({ quantity }) => quantity) as [Quantity, Quantity];
  const text = (beta: number, lambda: number | null) => {
    const { measures } = rows.find((row) => row.beta === beta && row.lambda === lambda)!;
    return `${spreadText(measures.accuracy, accuracy.format)} / ${spreadText(measures.chosen_logp, chosen.format)}`;
  };
  return [
    ["", STUDY_NAMES.dpo, ...lambdas.map((lambda) => `${STUDY_NAMES.dpop} λ ${lambda}`)],
    ...betas.map((beta) => [`β ${beta}`, text(beta, null), ...lambdas.map((lambda) => text(beta, lambda))]),
  ];
}

/** Seeds whose reference missed its goal, or null. */
export function studyCaveat({ references }: StudyResult): string | null {
  const missed = references.filter(({ reachedGoal }) => !reachedGoal);
  if (missed.length === 0) return null;
  const which = missed.map(({ seed, name, goal }) => `seed ${seed} (${name}, ${goal} nats a token)`).join(", ");
  return (
    `The reference of ${which} stopped at its limit of steps above the loss it was to reach. ` +
    "It is not yet sure of its answers, and the effect needs a model that is."
  );
}
