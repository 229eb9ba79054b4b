/**
 * The loss settings of a configuration, under TRL's names and smaug's, and the checks on them. Does not load libtorch, so
 * that a configuration can be checked before anything else; createLoss.ts creates the loss.
 */
import { closest } from "fastest-levenshtein";
import { type Problem, conflict, unfit } from "../../base/problems";
import { shown } from "../../base/values";
import { type NumberRange, anyNumber, flippedShare, nonNegative, positive, upToOne } from "./ranges";

export const dpopPlacements = ["inside_beta", "inside", "outside"] as const;

/**
 * Where the penalty goes. `inside_beta` is the paper's; `inside` is −log σ(βΔ − λ·pen), of the authors' first code;
 * `outside` is −log σ(βΔ) + λ·pen, of some other libraries. Δ = ρ_w − ρ_l.
 */
export type DpopPlacement = (typeof dpopPlacements)[number];

export const divergenceTypes = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] as const;
export type DivergenceType = (typeof divergenceTypes)[number];

/** Settings that only some losses read. */
export interface LossParameters {
  /** ε of `sigmoid` (then cDPO), `dpop`, `robust`, `exo_pair` (required), `aot`, `aot_unpaired`, `simpo`, `cpo`; default 0. */
  labelSmoothing?: number;
  /** Default 50. */
  dpopLambda?: number;
  /** Default "inside_beta". */
  dpopPlacement?: DpopPlacement;
  /** Nats; set later when left out, see `PreferenceLoss.withTolerance`. */
  dpopTolerance?: number;
  /** Default 0.05. */
  discopopTau?: number;
  /** Default "reverse_kl". */
  fDivergenceType?: DivergenceType;
  /** α of `alpha_divergence`; default 0.5. */
  fAlphaDivergenceCoef?: number;
  /** Default 0.5. */
  simpoGamma?: number;
  /** Weight of the cross-entropy in `cpo` (default 1) and `simpo` (default 0). */
  cpoAlpha?: number;
  /** Weight of the rejected answer in `dpo_shift`; default 0.95. */
  dpoShiftFactor?: number;
  /** Weight of the negative log-likelihood in `slic`; default 0.1. */
  slicLambda?: number;
}

export interface LossConfig extends LossParameters {
  /** One of `lossNames`, or several; default "dpop". */
  lossType?: string | readonly string[];
  /** One weight per loss; default 1 each. */
  lossWeights?: readonly number[];
  /** Default 0.3, the paper's. */
  beta?: number;
  /** WPO weighting; default false. */
  useWeighting?: boolean;
}

type Parameter = keyof LossParameters;

const divergence = ["fDivergenceType", "fAlphaDivergenceCoef"] as const;

/** Every loss, with the parameters that it reads besides β. */
const lossReads = {
  dpop: ["dpopLambda", "dpopPlacement", "dpopTolerance", "labelSmoothing"],
  sigmoid: ["labelSmoothing", ...divergence],
  sigmoid_norm: divergence,
  hinge: divergence,
  ipo: divergence,
  robust: ["labelSmoothing", ...divergence],
  exo_pair: ["labelSmoothing", ...divergence],
  nca_pair: [],
  bco_pair: [],
  sppo_hard: [],
  aot: ["labelSmoothing"],
  aot_unpaired: ["labelSmoothing"],
  apo_zero: [],
  apo_down: [],
  discopop: ["discopopTau", ...divergence],
  sft: [],
  slic: ["slicLambda"],
  simpo: ["simpoGamma", "cpoAlpha", "labelSmoothing"],
  orpo: [],
  cpo: ["cpoAlpha", "labelSmoothing"],
  dpo_shift: ["dpoShiftFactor"],
  cal_dpo: [],
} as const satisfies Record<string, readonly Parameter[]>;

export type LossName = keyof typeof lossReads;

/** Every `loss_type`. */
export const lossNames = Object.keys(lossReads) as readonly LossName[];

export const lossDefaults = {
  beta: 0.3,
  labelSmoothing: 0,
  dpopLambda: 50,
  dpopPlacement: "inside_beta",
  discopopTau: 0.05,
  fDivergenceType: "reverse_kl",
  fAlphaDivergenceCoef: 0.5,
  simpoGamma: 0.5,
  dpoShiftFactor: 0.95,
  slicLambda: 0.1,
} as const;

const allowedValues: Record<Parameter | "beta", NumberRange | readonly string[]> = {
  beta: positive,
  labelSmoothing: flippedShare,
  dpopLambda: nonNegative,
  dpopPlacement: dpopPlacements,
  dpopTolerance: nonNegative,
  discopopTau: upToOne,
  fDivergenceType: divergenceTypes,
  fAlphaDivergenceCoef: nonNegative,
  simpoGamma: anyNumber,
  cpoAlpha: nonNegative,
  dpoShiftFactor: upToOne,
  slicLambda: nonNegative,
};

/** The settings of a loss other than its names, weights and WPO weighting. */
export const lossParameters = Object.keys(allowedValues) as readonly (Parameter | "beta")[];

/**
 * All problems with the loss settings of a configuration. A parameter that no chosen loss reads is a problem unless it has
 * its default value; TRL silently ignores `label_smoothing` with most losses. Keys are in snake case.
 */
export function lossProblems(config: LossConfig): Problem[] {
  const { lossType = "dpop", lossWeights, useWeighting = false, ...parameters } = config;
  const names: readonly string[] = typeof lossType === "string" ? [lossType] : lossType;
  const values = lossParameters.flatMap((key) => valueProblems(key, parameters[key]));
  const nameProblems = problemsOfNames(names);
  const weights = Array.isArray(names) && names.length > 0 ? problemsOfWeights(lossWeights, names) : [];
  if (nameProblems.length > 0) return [...nameProblems, ...weights, ...values];
  const fit = Object.fromEntries(
    Object.entries(parameters).filter(
      ([key, value]) => value !== undefined && !values.some((problem) => problem.key === written(key)),
    ),
  );
  const known = names as readonly LossName[];
  return [...weights, ...values, ...unreadProblems(fit, known), ...problemsTogether(fit, known, useWeighting)];
}

function valueProblems(key: Parameter | "beta", value: unknown): Problem[] {
  if (value === undefined) return [];
  const allowed = allowedValues[key];
  if ("holds" in allowed) return isNumberIn(value, allowed) ? [] : [unfit(written(key), allowed.says, shown(value))];
  if (typeof value === "string" && allowed.includes(value)) return [];
  return [unfit(written(key), `one of ${allowed.map((each) => JSON.stringify(each)).join(", ")}`, shown(value))];
}

function isNumberIn(value: unknown, range: NumberRange): boolean {
  return typeof value === "number" && Number.isFinite(value) && range.holds(value);
}

/** Names that papers use for losses and that resemble the names of other losses. */
const papersNames = new Map([
  ["dpo", "sigmoid"],
  ["cdpo", "sigmoid' with 'label_smoothing"],
]);

function problemsOfNames(names: readonly string[]): Problem[] {
  if (!Array.isArray(names) || names.length === 0) return [unfit("loss_type", "a name or a list of names", shown(names))];
  return names
    .filter((name) => !Object.hasOwn(lossReads, name))
    .map((name) => {
      const nearest = papersNames.get(name) ?? closest(String(name), [...lossNames]);
      return unfit("loss_type", "a known loss", shown(name), `did you mean '${nearest}'? Known losses: ${lossNames.join(", ")}`);
    });
}

function problemsOfWeights(weights: readonly number[] | undefined, names: readonly string[]): Problem[] {
  if (weights === undefined) return [];
  if (!Array.isArray(weights)) return [unfit("loss_weights", "a list of numbers", shown(weights))];
  if (weights.length !== names.length)
    return [
      conflict(
        ["loss_weights", "loss_type"],
        `${names.length} numbers for 'loss_weights', one for each of ${names.join(", ")},`,
        String(weights.length),
      ),
    ];
  return weights.flatMap((weight, i) =>
    isNumberIn(weight, anyNumber) ? [] : [unfit(`loss_weights[${i}]`, anyNumber.says, shown(weight))],
  );
}

/** Checks that every parameter not at its default is read by at least one of the losses. */
function unreadProblems(parameters: LossParameters & { beta?: number }, names: readonly LossName[]): Problem[] {
  return Object.entries(parameters)
    .filter(([key, value]) => key !== "beta" && value !== (lossDefaults as Partial<Record<string, unknown>>)[key])
    .filter(([key]) => !names.some((name) => reads(name, key)))
    .map(([key, value]) => {
      const readers = lossNames.filter((name) => reads(name, key));
      return conflict(
        written(key),
        `'${written(key)}' only with a loss that reads it (${readers.join(", ")})`,
        `${shown(value)} with ${names.join(", ")}; leave it out`,
      );
    });
}

function reads(name: LossName, key: string): boolean {
  return (lossReads[name] as readonly string[]).includes(key);
}

function problemsTogether(parameters: LossParameters, names: readonly LossName[], useWeighting: boolean): Problem[] {
  const { fDivergenceType, fAlphaDivergenceCoef, labelSmoothing } = { ...lossDefaults, ...parameters };
  const problems: Problem[] = [];
  // A mixture of divergences is not a known loss. `sft` is exempt: it has no reference to diverge from.
  const diverges = names.some((name) => reads(name, "fDivergenceType"));
  const unmoved = names.find((name) => name !== "sft" && !reads(name, "fDivergenceType"));
  if (diverges && fDivergenceType !== "reverse_kl" && unmoved !== undefined)
    problems.push(conflict("f_divergence_type", `"reverse_kl" for 'f_divergence_type' with ${unmoved}`, `"${fDivergenceType}"`));
  if (diverges && fAlphaDivergenceCoef !== lossDefaults.fAlphaDivergenceCoef && fDivergenceType !== "alpha_divergence")
    problems.push(
      conflict(
        ["f_alpha_divergence_coef", "f_divergence_type"],
        `"alpha_divergence" for 'f_divergence_type' with 'f_alpha_divergence_coef' ${fAlphaDivergenceCoef}`,
        `"${fDivergenceType}"`,
      ),
    );
  if (labelSmoothing === 0 && names.includes("exo_pair"))
    problems.push(conflict("label_smoothing", "a number above 0 (1e-3 is usual) for 'label_smoothing' with exo_pair", "0"));
  const sorting = names.find((name) => name.startsWith("aot"));
  if (useWeighting && sorting !== undefined)
    problems.push(conflict("use_weighting", `false for 'use_weighting' with ${sorting}, which sorts the batch,`, "true"));
  return problems;
}

/** `labelSmoothing` as a configuration file writes it. */
function written(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
