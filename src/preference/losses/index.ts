/** Losses of preference pairs: one declaration each, in files by family. Loads no libtorch. */
export * from "./calibrated";
export { ldWeights, weightedSum, wpo } from "./combinations";
export { type LossConfig, type LossMetric, type LossParameters, createLoss, lossNames } from "./configuration";
export {
  type LossDeclaration,
  type LossMaker,
  type LossOption,
  type LossRange,
  choiceOption,
  declareLoss,
  numberOption,
} from "./declaration";
export * from "./dpo";
export * from "./dpop";
export {
  type LossNeed,
  type LossTraits,
  type PairLogProbs,
  type PairValues,
  type PreferenceLoss,
  defineLoss,
  logRatios,
  lossNeeds,
  meanOverTokens,
  pairRewards,
} from "./loss";
export * from "./referenceFree";
export * from "./transport";
