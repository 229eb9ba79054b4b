/**
 * A loss from a run's configuration: TRL's names (`loss_type: sigmoid`, or a list with `loss_weights`) and ours. Each
 * error names the key as a configuration file writes it. `ld_alpha` is not here: it changes the sums (`ldWeights`).
 */
import { problemsError } from "../../base/problems";
import { checkOptions, given } from "../../base/options";
import { aot, aotUnpaired } from "./aot";
import { apoDown, apoZero } from "./apo";
import { bcoPair } from "./bcoPair";
import { calDpo } from "./calDpo";
import { cpo } from "./cpo";
import { discopop } from "./discopop";
import { dpop } from "./dpop";
import { dpoShift } from "./dpoShift";
import { exoPair } from "./exoPair";
import { hinge } from "./hinge";
import { ipo } from "./ipo";
import { type LossConfig, type LossName, type LossParameters, lossDefaults, lossParameters, lossProblems } from "./lossConfig";
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

type Open = "cpoAlpha" | "dpopTolerance";
type Settings = Required<Omit<LossParameters, Open>> & Pick<LossParameters, Open> & { beta: number };

/** β and the divergence, for the losses that take both. */
const shared = ({ beta, fDivergenceType, fAlphaDivergenceCoef }: Settings) => ({ beta, fDivergenceType, fAlphaDivergenceCoef });

const makers: Record<LossName, (settings: Settings) => PreferenceLoss> = {
  dpop: ({ beta, dpopLambda, dpopPlacement, dpopTolerance, labelSmoothing }) =>
    dpop({ beta, lambda: dpopLambda, placement: dpopPlacement, tolerance: dpopTolerance, labelSmoothing }),
  sigmoid: (settings) => sigmoid({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  sigmoid_norm: (settings) => sigmoidNorm(shared(settings)),
  hinge: (settings) => hinge(shared(settings)),
  ipo: (settings) => ipo(shared(settings)),
  robust: (settings) => robust({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  exo_pair: (settings) => exoPair({ ...shared(settings), labelSmoothing: settings.labelSmoothing }),
  nca_pair: ({ beta }) => ncaPair({ beta }),
  bco_pair: ({ beta }) => bcoPair({ beta }),
  sppo_hard: ({ beta }) => sppoHard({ beta }),
  aot: ({ beta, labelSmoothing }) => aot({ beta, labelSmoothing }),
  aot_unpaired: ({ beta, labelSmoothing }) => aotUnpaired({ beta, labelSmoothing }),
  apo_zero: ({ beta }) => apoZero({ beta }),
  apo_down: ({ beta }) => apoDown({ beta }),
  discopop: (settings) => discopop({ ...shared(settings), tau: settings.discopopTau }),
  sft: ({ beta }) => sft({ beta }),
  slic: ({ beta, slicLambda }) => slic({ beta, lambda: slicLambda }),
  simpo: ({ beta, simpoGamma, cpoAlpha = 0, labelSmoothing }) =>
    simpo({ beta, gamma: simpoGamma, alpha: cpoAlpha, labelSmoothing }),
  orpo: ({ beta }) => orpo({ beta }),
  cpo: ({ beta, cpoAlpha = 1, labelSmoothing }) => cpo({ beta, alpha: cpoAlpha, labelSmoothing }),
  dpo_shift: ({ beta, dpoShiftFactor }) => dpoShift({ beta, shift: dpoShiftFactor }),
  cal_dpo: ({ beta }) => calDpo({ beta }),
};

/**
 * The loss a configuration asks for. Throws an `InputError` that names every key that is wrong, in snake case.
 *
 * ```ts
 * const loss = createLoss({ lossType: ["sigmoid", "sft"], lossWeights: [1, 0.2], beta: 0.1 });
 * ```
 */
export function createLoss(config: LossConfig = {}): PreferenceLoss {
  checkOptions("createLoss", config, ["lossType", "lossWeights", "useWeighting", ...lossParameters]);
  const { lossType = "dpop", lossWeights, useWeighting = false, ...parameters } = given(config);
  const problems = lossProblems(config);
  if (problems.length > 0) throw problemsError(problems);

  const names = (typeof lossType === "string" ? [lossType] : lossType) as readonly LossName[];
  const settings: Settings = { ...lossDefaults, ...parameters };
  const losses = names.map((name) => makers[name](settings));
  const loss = losses.length === 1 && !lossWeights ? losses[0]! : weightedSum(losses, lossWeights);
  return useWeighting ? wpo(loss) : loss;
}
