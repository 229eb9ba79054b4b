/**
 * What the paper says of the comparison, each with the number that tests it on every seed. The paper's numbers are of
 * a 7B model on other tasks, so what is tested is the direction, not the size.
 *
 * A claim that something is no better or that settings make little difference has a limit of its own: what a difference
 * must stay below. For accuracy that is the largest standard error of a share of the held-out questions, ½ / √n. The
 * models must also be able to do the task: if their accuracy is within two such errors of guessing, or of a perfect score
 * where the claim needs room to improve, no difference could show, and the claim is unclear instead of confirmed.
 */
import { mean } from "../../base/samples";
import type { Measures } from "../measure";
import { type Corpus, type Parameters, parametersOf, type Study, type StudyMethod } from "./plan";
import type { StudyResult } from "./run";
import { cellsOver, type Spread, spreadOf } from "./table";

/** Measures of one seed. */
type Of = (corpus: Corpus, method: StudyMethod, parameters?: Parameters) => Measures;

interface Claim {
  readonly corpus: Corpus;
  readonly text: string;
  /** What is measured, as a difference. */
  readonly quantity: string;
  readonly unit: "nats" | "points";
  /** Of one seed; null when it cannot be computed. Accuracies are shares. */
  readonly measure: (of: Of, study: Study) => number | null;
  readonly side: "above" | "below";
  /** Whether the claim is that there is no effect, so that the difference may be as large as noise. Needs `able`. */
  readonly withinNoise?: boolean;
  /** For one seed, the accuracy that shows whether the compared models can do the task. */
  readonly able?: (of: Of, study: Study) => number;
  /** Whether the task must also leave room above that accuracy. */
  readonly needsRoom?: boolean;
  /** Whether it takes the cells over beta and lambda. */
  readonly takesGrid?: boolean;
}

export interface ClaimResult extends Pick<Claim, "corpus" | "text" | "quantity" | "unit" | "side"> {
  readonly limit: number;
  /** One for each seed. */
  readonly values: readonly number[];
  readonly measured: Spread | null;
  readonly verdict: Verdict;
  /** Why a claim of no effect cannot be confirmed; null otherwise. */
  readonly reason: string | null;
}

const chosen = (corpus: Corpus, method: StudyMethod) => (of: Of) =>
  of(corpus, method).chosen_logp - of(corpus, "reference").chosen_logp;
const accuracy =
  (corpus: Corpus, method: StudyMethod, other: StudyMethod = "reference") =>
  (of: Of) =>
    of(corpus, method).accuracy - of(corpus, other).accuracy;
const after = (corpus: Corpus, method: StudyMethod) => (of: Of) => {
  const [is, was] = [of(corpus, method).token_logp_after, of(corpus, "reference").token_logp_after];
  return is === null || was === null ? null : is - was;
};

const overLambdas = (of: Of, { lambdas, beta }: Study) => lambdas.map((lambda) => of("low", "dpop", { beta, lambda }).accuracy);

const low = { corpus: "low", side: "above" } as const;
const high = { corpus: "high", side: "above", unit: "points" } as const;
const against = (method: string, other = "the reference") => `accuracy of ${method} − ${other}`;

const CLAIMS: readonly Claim[] = [
  {
    ...low,
    side: "below",
    unit: "nats",
    text: "DPO makes the chosen answers less likely",
    quantity: "chosen log-prob, DPO − reference",
    measure: chosen("low", "dpo"),
  },
  { ...low, unit: "nats", text: "DPOP does not", quantity: "chosen log-prob, DPOP − reference", measure: chosen("low", "dpop") },
  {
    ...low,
    side: "below",
    unit: "nats",
    text: "DPO loses the tokens after the first difference",
    quantity: "token log-prob after, DPO − reference",
    measure: after("low", "dpo"),
  },
  {
    ...low,
    unit: "nats",
    text: "DPOP gains on them",
    quantity: "token log-prob after, DPOP − reference",
    measure: after("low", "dpop"),
  },
  { ...low, side: "below", unit: "points", text: "DPO collapses", quantity: against("DPO"), measure: accuracy("low", "dpo") },
  { ...low, side: "below", unit: "points", text: "SLiC collapses", quantity: against("SLiC"), measure: accuracy("low", "slic") },
  {
    ...low,
    side: "below",
    unit: "points",
    text: "SLiC collapses, in TRL's form",
    quantity: against("SLiC (TRL)"),
    measure: accuracy("low", "hinge"),
  },
  {
    ...low,
    side: "below",
    withinNoise: true,
    unit: "points",
    text: "IPO does not improve",
    able: (of) => of("low", "reference").accuracy,
    needsRoom: true,
    quantity: against("IPO"),
    measure: accuracy("low", "ipo"),
  },
  { ...low, unit: "points", text: "DPOP improves", quantity: against("DPOP"), measure: accuracy("low", "dpop") },
  {
    ...low,
    takesGrid: true,
    unit: "points",
    text: "no β rescues DPO",
    quantity: "accuracy of the reference − best DPO over β",
    measure: (of, { betas }) =>
      of("low", "reference").accuracy - Math.max(...betas.map((beta) => of("low", "dpo", { beta, lambda: null }).accuracy)),
  },
  {
    ...low,
    side: "below",
    withinNoise: true,
    takesGrid: true,
    unit: "points",
    text: "λ makes little difference",
    able: (of, study) => Math.max(...overLambdas(of, study)),
    quantity: "accuracy of DPOP, best λ − worst λ",
    measure: (of, study) => Math.max(...overLambdas(of, study)) - Math.min(...overLambdas(of, study)),
  },
  { ...high, text: "DPO improves", quantity: against("DPO"), measure: accuracy("high", "dpo") },
  { ...high, text: "SLiC improves", quantity: against("SLiC"), measure: accuracy("high", "slic") },
  { ...high, text: "SLiC improves, in TRL's form", quantity: against("SLiC (TRL)"), measure: accuracy("high", "hinge") },
  { ...high, text: "DPOP improves", quantity: against("DPOP"), measure: accuracy("high", "dpop") },
  { ...high, text: "DPOP improves more than DPO", quantity: against("DPOP", "DPO"), measure: accuracy("high", "dpop", "dpo") },
  {
    corpus: "control",
    side: "above",
    unit: "nats",
    text: "the farther apart the answers, the less DPO lowers the chosen ones",
    quantity: "chosen log-prob, DPO − reference, here − at low edit distance",
    measure: (of) => chosen("control", "dpo")(of) - chosen("low", "dpo")(of),
  },
];

export type Verdict = "agree" | "disagree" | "unclear";

/**
 * Whether values are on the claimed side of a limit: `agree` or `disagree` when their mean is more than two of its
 * standard errors on one side or the other, else `unclear`; so too for a single value, which has no spread.
 */
export function verdictOf(values: readonly number[], side: "above" | "below", limit: number): Verdict {
  const spread = spreadOf(values);
  if (spread === null || spread.std === null) return "unclear";
  const error = spread.std / Math.sqrt(values.length);
  const distance = (side === "above" ? 1 : -1) * (spread.mean - limit);
  if (Math.abs(distance) <= 2 * error) return "unclear";
  return distance > 0 ? "agree" : "disagree";
}

/** Tests every claim for which the study has cells, on its seeds. */
export function testClaims(result: StudyResult): ClaimResult[] {
  const { study, seeds, subject } = result;
  const claims = CLAIMS.filter(
    ({ corpus, takesGrid = false }) => study.corpora.includes(corpus) && (!takesGrid || study.grid.includes(corpus)),
  );
  return claims.map(({ measure, withinNoise = false, able, needsRoom = false, takesGrid: _, ...claim }) => {
    const ofSeed = <T>(seed: number, read: (of: Of, study: Study) => T): T => {
      const cells = result.cells.filter((cell) => cell.seed === seed);
      return read(
        (corpus, method, parameters = parametersOf(study, method)) =>
          cellsOver({ cells }, corpus, method, parameters)[0]!.measures,
        study,
      );
    };
    const values = seeds.map((seed) => ofSeed(seed, measure)).filter((value): value is number => value !== null);
    const { heldOut, chance } = subject.corpora[claim.corpus]!;
    const limit = withinNoise ? largestError(heldOut) : 0;
    const verdict = verdictOf(values, claim.side, limit);
    const accuracy = able && mean(seeds.map((seed) => ofSeed(seed, able)));
    const reason = accuracy === undefined || verdict !== "agree" ? null : inability(accuracy, chance, limit, needsRoom);
    return { ...claim, limit, values, measured: spreadOf(values), verdict: reason === null ? verdict : "unclear", reason };
  });
}

/** Why a lack of difference shows nothing at this accuracy; null if it does show something. `error` is the accuracy's. */
function inability(accuracy: number, chance: number, error: number, needsRoom: boolean): string | null {
  if (accuracy - chance <= 2 * error) return "the models cannot do the task";
  return needsRoom && 1 - accuracy <= 2 * error ? "the task leaves no room" : null;
}

/** Standard error of a share of one half, of so many questions. */
const largestError = (questions: number): number => 0.5 / Math.sqrt(questions);
