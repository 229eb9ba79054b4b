export { type DpopOptions, type DpopPlacement, dpop } from "./dpop";
export { type PairLogProbs, type PreferenceLoss, logRatios } from "./preferenceLoss";
export { type SigmoidOptions, sigmoid } from "./sigmoid";
