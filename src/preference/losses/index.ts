export { type AotOptions, aot, aotUnpaired } from "./aot";
export { type ApoOptions, apoDown, apoZero } from "./apo";
export { type BcoPairOptions, bcoPair } from "./bcoPair";
export { type CalDpoOptions, calDpo } from "./calDpo";
export { type CpoOptions, cpo } from "./cpo";
export { createLoss } from "./createLoss";
export { type DiscopopOptions, discopop } from "./discopop";
export { type DpopOptions, dpop } from "./dpop";
export { type DpoShiftOptions, dpoShift } from "./dpoShift";
export { type ExoPairOptions, exoPair } from "./exoPair";
export type { DivergenceOptions } from "./fDivergence";
export { type HingeOptions, hinge } from "./hinge";
export { type IpoOptions, ipo } from "./ipo";
export { ldWeights } from "./ldAlpha";
export { type NcaPairOptions, ncaPair } from "./ncaPair";
export { type OrpoOptions, orpo } from "./orpo";
export {
  type DivergenceType,
  type DpopPlacement,
  type LossConfig,
  type LossParameters,
  divergenceTypes,
  dpopPlacements,
  lossNames,
} from "./lossConfig";
export {
  type LossNeed,
  type LossTraits,
  type PairLogProbs,
  type PairValues,
  type PreferenceLoss,
  defineLoss,
  logRatios,
  lossNeeds,
  pairRewards,
} from "./preferenceLoss";
export { type RobustOptions, robust } from "./robust";
export { type SftOptions, sft } from "./sft";
export { type SigmoidOptions, sigmoid } from "./sigmoid";
export { type SigmoidNormOptions, sigmoidNorm } from "./sigmoidNorm";
export { type SimpoOptions, simpo } from "./simpo";
export { type SlicOptions, slic } from "./slic";
export { type SppoHardOptions, sppoHard } from "./sppoHard";
export { weightedSum } from "./weightedSum";
export { wpo } from "./wpo";
