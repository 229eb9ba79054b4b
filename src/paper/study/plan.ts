/**
 * What the paper's comparison consists of: cells, each one model trained from its seed's reference on one corpus and
 * measured. Every method at its own settings on pairs of low and of high edit distance, then DPOP over beta and lambda,
 * and DPO over beta.
 *
 * The paper gives beta 0.3, lambda 50 and the grid; the settings of its IPO and SLiC are not known. Here IPO has the
 * mean over tokens and the same beta, and SLiC is there twice: as published, on the policy's own log-probs, and as TRL
 * has it, a hinge on log-ratios, which is what a comparison made with TRL would show.
 */
import { dpop, type LossConfig, slic } from "../../preference/losses";

/** In the order of every table. */
export const STUDY_METHODS = ["reference", "sft", "dpo", "ipo", "slic", "hinge", "dpop"] as const;
export type StudyMethod = (typeof STUDY_METHODS)[number];

export const STUDY_NAMES: Record<StudyMethod, string> = {
  reference: "reference",
  sft: "SFT",
  dpo: "DPO",
  ipo: "IPO",
  slic: "SLiC",
  hinge: "SLiC (TRL)",
  dpop: "DPOP",
};

/**
 * Pairs whose answers hardly differ and pairs that hardly have a token in common, in the paper MetaMath's and ARC's;
 * `control` has the prompts and chosen answers of the first with rejected ones that are far from them.
 */
export type Corpus = "low" | "high" | "control";

/** Of a loss that has them; SLiC's are its margin in nats and the weight of its pull. */
export interface Parameters {
  readonly beta: number | null;
  readonly lambda: number | null;
}

export interface Cell extends Parameters {
  readonly seed: number;
  readonly corpus: Corpus;
  readonly method: StudyMethod;
}

export interface Study {
  readonly corpora: readonly Corpus[];
  /** Those with every beta and lambda. */
  readonly grid: readonly Corpus[];
  readonly betas: readonly number[];
  readonly lambdas: readonly number[];
  /** The parameters of all losses in the comparison. */
  readonly beta: number;
  readonly lambda: number;
  /** Of SLiC as published: HALOs' defaults. */
  readonly slic: { readonly beta: number; readonly lambda: number };
}

const dpopOptions = dpop.declaration.options;
const slicOptions = slic.declaration.options;

/** The paper's, on the corpora made here; a user's rows are of low and of high edit distance only. */
export const paperStudy: Study = {
  corpora: ["low", "high", "control"],
  grid: ["low", "high"],
  betas: [0.1, 0.3, 1],
  lambdas: [5, 50, 500],
  beta: dpopOptions.beta.fallback,
  lambda: dpopOptions.lambda.fallback,
  slic: { beta: slicOptions.beta.fallback, lambda: slicOptions.lambda.fallback },
};

/** A method's parameters in the comparison. */
export function parametersOf({ beta, lambda, slic }: Study, method: StudyMethod): Parameters {
  if (method === "reference" || method === "sft") return { beta: null, lambda: null };
  if (method === "slic") return slic;
  return { beta, lambda: method === "dpop" ? lambda : null };
}

/** Every cell of one seed. */
export function cellsOf(study: Study, seed: number): Cell[] {
  return study.corpora.flatMap((corpus) => {
    const compared = STUDY_METHODS.map((method) => ({ seed, corpus, method, ...parametersOf(study, method) }));
    if (!study.grid.includes(corpus)) return compared;
    const grid = study.betas.flatMap((beta): Cell[] => [
      { seed, corpus, method: "dpo", beta, lambda: null },
      ...study.lambdas.map((lambda): Cell => ({ seed, corpus, method: "dpop", beta, lambda })),
    ]);
    const known = new Set(compared.map(cellName));
    return [...compared, ...grid.filter((cell) => !known.has(cellName(cell)))];
  });
}

/** A cell's name, and that of its file: `seed-0_low_dpop_beta-0.3_lambda-50`. */
export function cellName({ seed, corpus, method, beta, lambda }: Cell): string {
  const parameters = [beta === null ? [] : `beta-${beta}`, lambda === null ? [] : `lambda-${lambda}`].flat();
  return [`seed-${seed}`, corpus, method, ...parameters].join("_");
}

/** The loss of a cell; null for the reference, which is not trained further. */
export function lossOfCell({ method, beta, lambda }: Cell): LossConfig | null {
  const scaled = { beta: beta ?? undefined };
  switch (method) {
    case "reference":
      return null;
    case "sft":
      return { lossType: "sft" };
    case "dpo":
      return { lossType: "sigmoid", ...scaled };
    case "slic":
      return { lossType: "slic", ...scaled, slicLambda: lambda ?? undefined };
    case "dpop":
      return { lossType: "dpop", ...scaled, dpopLambda: lambda ?? undefined };
    default:
      return { lossType: method, ...scaled };
  }
}
