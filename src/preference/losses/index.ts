/** Losses of preference pairs: one declaration each, in files by family. Loads no libtorch. */
export * from "./calibrated";
export { ldWeights, weightedSum, wpo } from "./combinations";
export { createLoss, type LossConfig, type LossMetric, type LossParameters, lossNames } from "./configuration";
export {
  choiceOption,
  declareLoss,
  type LossDeclaration,
  type LossMaker,
  type LossOption,
  type LossRange,
  numberOption,
} from "./declaration";
export * from "./dpo";
export * from "./dpop";
export {
  defineLoss,
  type LossNeed,
  type LossTraits,
  logRatios,
  lossNeeds,
  meanOverTokens,
  type PairLogProbs,
  type PairValues,
  type PreferenceLoss,
  pairRewards,
} from "./loss";
export * from "./referenceFree";
export * from "./transport";
