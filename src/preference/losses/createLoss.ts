/**
 * A loss from a run's configuration: TRL's names (`loss_type: sigmoid`, or a list with `loss_weights`) and ours. Each
 * error names the key as a configuration file writes it. A key that no chosen loss reads is an error unless it stands at
 * its default: TRL ignores `label_smoothing` with most losses in silence. `ld_alpha` is not here: it changes the sums
 * (`ldWeights`).
 */
import { closest } from "fastest-levenshtein";
import { InputError } from "../../native/errors";
import { checkOptions, given } from "../../torch/options";
import { aot, aotUnpaired } from "./aot";
import { apoDown, apoZero } from "./apo";
import { bcoPair } from "./bcoPair";
import { calDpo } from "./calDpo";
import {
  type NumberRange,
  anyNumber,
  checkChoice,
  checkNumber,
  flippedShare,
  nonNegative,
  positive,
  upToOne,
} from "./checks";
import { cpo } from "./cpo";
import { discopop } from "./discopop";
import { type DpopPlacement, dpop, dpopPlacements } from "./dpop";
import { dpoShift } from "./dpoShift";
import { exoPair } from "./exoPair";
import { type DivergenceType, divergenceTypes } from "./fDivergence";
import { hinge } from "./hinge";
import { ipo } from "./ipo";
import { ncaPair } from "./ncaPair";
import { orpo } from "./orpo";
import type { PreferenceLoss } from "./preferenceLoss";
import { robust } from "./robust";
import { sft } from "./sft";
import { sigmoid } from "./sigmoid";
import { sigmoidNorm } from "./sigmoidNorm";
import { simpo } from "./simpo";
import { slic } from "./slic";
import { sppoHard } from "./sppoHard";
import { weightedSum } from "./weightedSum";
import { wpo } from "./wpo";

/** What some losses read and others do not. */
export interface LossParameters {
  /** ε of `sigmoid` (then cDPO), `dpop`, `robust`, `exo_pair` (required), `aot`, `aot_unpaired`, `simpo`, `cpo`; default 0. */
  labelSmoothing?: number;
  /** Default 50. */
  dpopLambda?: number;
  /** Default "inside_beta". */
  dpopPlacement?: DpopPlacement;
  /** Nats; left open when left out: see `PreferenceLoss.withTolerance`. */
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
  /** One weight a loss; default 1 each. */
  lossWeights?: readonly number[];
  /** Default 0.3, the paper's. */
  beta?: number;
  /** WPO weighting; default false. */
  useWeighting?: boolean;
}

type Parameter = keyof LossParameters;
type Open = "cpoAlpha" | "dpopTolerance";
type Settings = Required<Omit<LossParameters, Open>> & Pick<LossParameters, Open> & { beta: number };

interface Recipe {
  reads: readonly Parameter[];
  make(settings: Settings): PreferenceLoss;
}

const divergence = ["fDivergenceType", "fAlphaDivergenceCoef"] as const;
/** β and the divergence, for the losses that take both. */
const shared = ({ beta, fDivergenceType, fAlphaDivergenceCoef }: Settings) => ({
  beta,
  fDivergenceType,
  fAlphaDivergenceCoef,
});

const recipes: Record<string, Recipe> = {
  dpop: {
    reads: ["dpopLambda", "dpopPlacement", "dpopTolerance", "labelSmoothing"],
    make: ({ beta, dpopLambda, dpopPlacement, dpopTolerance, labelSmoothing }) =>
      dpop({ beta, lambda: dpopLambda, placement: dpopPlacement, tolerance: dpopTolerance, labelSmoothing }),
  },
  sigmoid: {
    reads: ["labelSmoothing", ...divergence],
    make: (settings) => sigmoid({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  },
  sigmoid_norm: { reads: divergence, make: (settings) => sigmoidNorm(shared(settings)) },
  hinge: { reads: divergence, make: (settings) => hinge(shared(settings)) },
  ipo: { reads: divergence, make: (settings) => ipo(shared(settings)) },
  robust: {
    reads: ["labelSmoothing", ...divergence],
    make: (settings) => robust({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  },
  exo_pair: {
    reads: ["labelSmoothing", ...divergence],
    make: (settings) => exoPair({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  },
  nca_pair: { reads: [], make: ({ beta }) => ncaPair({ beta }) },
  bco_pair: { reads: [], make: ({ beta }) => bcoPair({ beta }) },
  sppo_hard: { reads: [], make: ({ beta }) => sppoHard({ beta }) },
  aot: { reads: ["labelSmoothing"], make: ({ beta, labelSmoothing }) => aot({ beta, labelSmoothing }) },
  aot_unpaired: {
    reads: ["labelSmoothing"],
    make: ({ beta, labelSmoothing }) => aotUnpaired({ beta, labelSmoothing }),
  },
  apo_zero: { reads: [], make: ({ beta }) => apoZero({ beta }) },
  apo_down: { reads: [], make: ({ beta }) => apoDown({ beta }) },
  discopop: {
    reads: ["discopopTau", ...divergence],
    make: (settings) => discopop({ ...shared(settings), tau: settings.discopopTau }),
  },
  sft: { reads: [], make: ({ beta }) => sft({ beta }) },
  slic: { reads: ["slicLambda"], make: ({ beta, slicLambda }) => slic({ beta, lambda: slicLambda }) },
  simpo: {
    reads: ["simpoGamma", "cpoAlpha", "labelSmoothing"],
    make: ({ beta, simpoGamma, cpoAlpha = 0, labelSmoothing }) =>
      simpo({ beta, gamma: simpoGamma, alpha: cpoAlpha, labelSmoothing }),
  },
  orpo: { reads: [], make: ({ beta }) => orpo({ beta }) },
  cpo: {
    reads: ["cpoAlpha", "labelSmoothing"],
    make: ({ beta, cpoAlpha = 1, labelSmoothing }) => cpo({ beta, alpha: cpoAlpha, labelSmoothing }),
  },
  dpo_shift: {
    reads: ["dpoShiftFactor"],
    make: ({ beta, dpoShiftFactor }) => dpoShift({ beta, shift: dpoShiftFactor }),
  },
  cal_dpo: { reads: [], make: ({ beta }) => calDpo({ beta }) },
};

/** Every `loss_type`. */
export const lossNames: readonly string[] = Object.keys(recipes);

const defaults = {
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
} as const satisfies Settings;

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

/**
 * The loss a configuration asks for. Throws an `InputError` that names the key in snake case.
 *
 * ```ts
 * const loss = createLoss({ lossType: ["sigmoid", "sft"], lossWeights: [1, 0.2], beta: 0.1 });
 * ```
 */
export function createLoss(config: LossConfig = {}): PreferenceLoss {
  checkOptions("createLoss", config, ["lossType", "lossWeights", "useWeighting", ...Object.keys(allowedValues)]);
  const { lossType = "dpop", lossWeights, useWeighting = false, ...parameters } = given(config);
  const names = typeof lossType === "string" ? [lossType] : lossType;
  checkNames(names);
  checkWeights(lossWeights, names);
  for (const [key, value] of Object.entries(parameters)) {
    const allowed = allowedValues[key as Parameter | "beta"];
    if ("holds" in allowed) checkNumber(written(key), value, allowed, InputError);
    else checkChoice(written(key), value, allowed, InputError);
  }
  const settings: Settings = { ...defaults, ...parameters };
  checkRead(parameters, names);
  checkTogether(settings, names, useWeighting);

  const losses = names.map((name) => recipes[name]!.make(settings));
  const loss = losses.length === 1 && !lossWeights ? losses[0]! : weightedSum(losses, lossWeights);
  return useWeighting ? wpo(loss) : loss;
}

/** Names by which papers call losses, and which are near to those of others. */
const papersNames = new Map([
  ["dpo", "sigmoid"],
  ["cdpo", "sigmoid' with 'label_smoothing"],
]);

function checkNames(names: readonly string[]): void {
  if (!Array.isArray(names) || names.length === 0)
    throw new InputError(`Expected a name or a list of names for 'loss_type' but received ${JSON.stringify(names)}`);
  for (const name of names) {
    if (Object.hasOwn(recipes, name)) continue;
    const nearest = papersNames.get(name) ?? closest(String(name), lossNames);
    throw new InputError(
      `Expected a known loss for 'loss_type' but received ${JSON.stringify(name)}; did you mean '${nearest}'? ` +
        `There are ${lossNames.join(", ")}`,
    );
  }
}

function checkWeights(weights: readonly number[] | undefined, names: readonly string[]): void {
  if (weights === undefined) return;
  if (!Array.isArray(weights))
    throw new InputError(`Expected a list of numbers for 'loss_weights' but received ${JSON.stringify(weights)}`);
  if (weights.length !== names.length)
    throw new InputError(
      `Expected ${names.length} numbers for 'loss_weights', one for each of ${names.join(", ")}, but received ${weights.length}`,
    );
  weights.forEach((weight, i) => checkNumber(`loss_weights[${i}]`, weight, anyNumber, InputError));
}

/** Every parameter away from its default is read by at least one of the losses. */
function checkRead(parameters: LossParameters & { beta?: number }, names: readonly string[]): void {
  for (const [key, value] of Object.entries(parameters)) {
    if (key === "beta" || value === (defaults as Partial<Record<string, unknown>>)[key]) continue;
    if (names.some((name) => recipes[name]!.reads.includes(key as Parameter))) continue;
    const readers = lossNames.filter((name) => recipes[name]!.reads.includes(key as Parameter));
    throw new InputError(
      `Expected '${written(key)}' only with a loss that reads it (${readers.join(", ")}) ` +
        `but received ${JSON.stringify(value)} with ${names.join(", ")}; leave it out`,
    );
  }
}

function checkTogether(settings: Settings, names: readonly string[], useWeighting: boolean): void {
  const { fDivergenceType, fAlphaDivergenceCoef, labelSmoothing } = settings;
  // A mixture of divergences would be nobody's loss; cross-entropy alone has no reference to diverge from.
  const unmoved = names.find((name) => name !== "sft" && !recipes[name]!.reads.includes("fDivergenceType"));
  if (fDivergenceType !== "reverse_kl" && unmoved !== undefined)
    throw new InputError(`Expected "reverse_kl" for 'f_divergence_type' with ${unmoved} but received "${fDivergenceType}"`);
  if (fAlphaDivergenceCoef !== defaults.fAlphaDivergenceCoef && fDivergenceType !== "alpha_divergence")
    throw new InputError(
      `Expected "alpha_divergence" for 'f_divergence_type' with 'f_alpha_divergence_coef' ${fAlphaDivergenceCoef} ` +
        `but received "${fDivergenceType}"`,
    );
  if (labelSmoothing === 0 && names.includes("exo_pair"))
    throw new InputError("Expected a number above 0 (1e-3 is usual) for 'label_smoothing' with exo_pair but received 0");
  const sorting = names.find((name) => name.startsWith("aot"));
  if (useWeighting && sorting !== undefined)
    throw new InputError(`Expected false for 'use_weighting' with ${sorting}, which sorts the batch, but received true`);
}

/** `labelSmoothing` as a configuration file writes it. */
function written(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
