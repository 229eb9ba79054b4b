/**
 * What the paper's comparison consists of: cells, each one model trained from its seed's reference and measured on its
 * pairs. Every method at its own settings on pairs of low and of high edit distance, then DPOP over beta and lambda,
 * and DPO over beta.
 *
 * The paper gives beta 0.3, lambda 50 and the grid; the settings of its IPO and SLiC are not known. Here IPO has the
 * mean over tokens and the same beta, and SLiC is there twice: as published, on the policy's own log-probs, and as TRL
 * has it, a hinge on log-ratios, which is what a comparison made with TRL would show.
 */
import type { LossConfig } from "../../preference";
import { type Settings, presets } from "../settings";
import { DISTANCES, type Distance } from "../task";

/** In the order of every table. */
export const STUDY_METHODS = ["reference", "sft", "dpo", "ipo", "slic", "hinge", "dpop"] as const;
export type StudyMethod = (typeof STUDY_METHODS)[number];

export const STUDY_NAMES: Record<StudyMethod, string> = {
  reference: "reference", sft: "SFT", dpo: "DPO", ipo: "IPO", slic: "SLiC", hinge: "SLiC (TRL)", dpop: "DPOP",
};

/** Of a loss that has them; SLiC's are its margin in nats and the weight of its pull. */
export interface Parameters {
  readonly beta: number | null;
  readonly lambda: number | null;
}

export interface Cell extends Parameters {
  readonly seed: number;
  readonly distance: Distance;
  readonly method: StudyMethod;
}

export interface Study {
  readonly settings: Settings;
  /** Of SLiC as published, HALOs' defaults; all other losses share the beta and lambda of the settings. */
  readonly slic: { readonly beta: number; readonly lambda: number };
  readonly betas: readonly number[];
  readonly lambdas: readonly number[];
}

const paper: Study = {
  settings: presets.quick,
  slic: { beta: 1, lambda: 0.1 },
  betas: [0.1, 0.3, 1],
  lambdas: [5, 50, 500],
};

export const studies = { paper, "paper-smoke": { ...paper, settings: presets.smoke } } satisfies Record<string, Study>;
export type StudyPreset = keyof typeof studies;

/** The parameters with which a method stands in the comparison. */
export function parametersOf({ settings: { preference }, slic }: Study, method: StudyMethod): Parameters {
  if (method === "reference" || method === "sft") return { beta: null, lambda: null };
  if (method === "slic") return slic;
  return { beta: preference.beta, lambda: method === "dpop" ? preference.lambda : null };
}

/** Every cell of one seed. */
export function cellsOf(study: Study, seed: number): Cell[] {
  return DISTANCES.flatMap((distance) => {
    const compared = STUDY_METHODS.map((method) => ({ seed, distance, method, ...parametersOf(study, method) }));
    const ablated = study.betas.flatMap((beta): Cell[] => [
      { seed, distance, method: "dpo", beta, lambda: null },
      ...study.lambdas.map((lambda): Cell => ({ seed, distance, method: "dpop", beta, lambda })),
    ]);
    const known = new Set(compared.map(cellName));
    return [...compared, ...ablated.filter((cell) => !known.has(cellName(cell)))];
  });
}

/** A cell's name, and that of its file: `seed-0_low_dpop_beta-0.3_lambda-50`. */
export function cellName({ seed, distance, method, beta, lambda }: Cell): string {
  const parameters = [beta === null ? [] : `beta-${beta}`, lambda === null ? [] : `lambda-${lambda}`].flat();
  return [`seed-${seed}`, distance, method, ...parameters].join("_");
}

/** The loss of a cell; null for the reference, which is not trained further. */
export function lossOf({ settings }: Study, { method, beta, lambda }: Cell): LossConfig | null {
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
      return {
        lossType: "dpop",
        ...scaled,
        dpopLambda: lambda ?? undefined,
        dpopTolerance: settings.preference.tolerance,
      };
    default:
      return { lossType: method, ...scaled };
  }
}
