/**
 * What the paper says of the comparison, each with the number that tests it on every seed. The paper's numbers are of
 * a 7B model on other tasks, so what is tested is the direction, not the size.
 *
 * A claim that something is no better or that settings make little difference has a limit of its own: what a difference
 * must stay below. For accuracy that is 3.5 points, the largest standard error of 200 held-out problems.
 */
import type { Measures } from "../result";
import type { Distance } from "../task";
import { type Parameters, type StudyMethod, parametersOf } from "./plan";
import type { StudyResult } from "./run";
import { type Spread, type Verdict, spreadOf, verdictOf } from "./spread";
import { cellsOver } from "./table";

/** Measures of one seed at one edit distance. */
type Of = (method: StudyMethod, parameters?: Parameters) => Measures;

interface Claim {
  readonly distance: Distance;
  readonly text: string;
  /** What is measured, as a difference. */
  readonly quantity: string;
  readonly unit: "nats" | "points";
  /** Of one seed; null when it cannot be had. Accuracies are shares. */
  readonly measure: (of: Of, study: StudyResult["study"]) => number | null;
  readonly side: "above" | "below";
  readonly limit: number;
}

export interface ClaimResult extends Pick<Claim, "distance" | "text" | "quantity" | "unit" | "side" | "limit"> {
  /** One for each seed. */
  readonly values: readonly number[];
  readonly measured: Spread | null;
  readonly verdict: Verdict;
}

/** The largest standard error of a share of 200. */
const NOISE = 0.035;

const chosen = (method: StudyMethod) => (of: Of) => of(method).chosen_logp - of("reference").chosen_logp;
const accuracy = (method: StudyMethod, other: StudyMethod) => (of: Of) => of(method).accuracy - of(other).accuracy;
const after = (method: StudyMethod) => (of: Of) => {
  const [is, was] = [of(method).token_logp_after, of("reference").token_logp_after];
  return is === null || was === null ? null : is - was;
};

const low = { distance: "low", side: "above", limit: 0 } as const;
const high = { distance: "high", side: "above", limit: 0, unit: "points" } as const;
const against = (method: string, other = "the reference") => `accuracy of ${method} − ${other}`;

const CLAIMS: readonly Claim[] = [
  { ...low, side: "below", unit: "nats", text: "DPO makes the chosen answers less likely",
    quantity: "chosen log-prob, DPO − reference", measure: chosen("dpo") },
  { ...low, unit: "nats", text: "DPOP does not",
    quantity: "chosen log-prob, DPOP − reference", measure: chosen("dpop") },
  { ...low, side: "below", unit: "nats", text: "DPO loses the tokens after the first difference",
    quantity: "token log-prob after, DPO − reference", measure: after("dpo") },
  { ...low, unit: "nats", text: "DPOP gains on them",
    quantity: "token log-prob after, DPOP − reference", measure: after("dpop") },
  { ...low, side: "below", unit: "points", text: "DPO collapses",
    quantity: against("DPO"), measure: accuracy("dpo", "reference") },
  { ...low, side: "below", unit: "points", text: "SLiC collapses",
    quantity: against("SLiC"), measure: accuracy("slic", "reference") },
  { ...low, side: "below", unit: "points", text: "SLiC collapses, in TRL's form",
    quantity: against("SLiC (TRL)"), measure: accuracy("hinge", "reference") },
  { ...low, side: "below", limit: NOISE, unit: "points", text: "IPO does not improve",
    quantity: against("IPO"), measure: accuracy("ipo", "reference") },
  { ...low, unit: "points", text: "DPOP improves", quantity: against("DPOP"), measure: accuracy("dpop", "reference") },
  { ...low, unit: "points", text: "no β rescues DPO",
    quantity: "accuracy of the reference − best DPO over β",
    measure: (of, { betas }) => of("reference").accuracy -
      Math.max(...betas.map((beta) => of("dpo", { beta, lambda: null }).accuracy)) },
  { ...low, side: "below", limit: NOISE, unit: "points", text: "λ makes little difference",
    quantity: "accuracy of DPOP, best λ − worst λ",
    measure: (of, { lambdas, settings: { preference: { beta } } }) => {
      const shares = lambdas.map((lambda) => of("dpop", { beta, lambda }).accuracy);
      return Math.max(...shares) - Math.min(...shares);
    } },
  { ...high, text: "DPO improves", quantity: against("DPO"), measure: accuracy("dpo", "reference") },
  { ...high, text: "SLiC improves", quantity: against("SLiC"), measure: accuracy("slic", "reference") },
  { ...high, text: "SLiC improves, in TRL's form",
    quantity: against("SLiC (TRL)"), measure: accuracy("hinge", "reference") },
  { ...high, text: "DPOP improves", quantity: against("DPOP"), measure: accuracy("dpop", "reference") },
  { ...high, text: "DPOP improves more than DPO", quantity: against("DPOP", "DPO"), measure: accuracy("dpop", "dpo") },
];

/** Tests every claim on the study's seeds. */
export function testClaims(result: StudyResult): ClaimResult[] {
  return CLAIMS.map(({ measure, ...claim }) => {
    const values = result.seeds
      .map((seed) => {
        const cells = result.cells.filter((cell) => cell.seed === seed);
        return measure((method, parameters = parametersOf(result.study, method)) =>
          cellsOver({ cells }, claim.distance, method, parameters)[0]!.measures, result.study);
      })
      .filter((value): value is number => value !== null);
    return { ...claim, values, measured: spreadOf(values), verdict: verdictOf(values, claim.side, claim.limit) };
  });
}
