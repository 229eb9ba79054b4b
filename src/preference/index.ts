export * from "./losses";
export { packedAttention } from "./packed/attention";
export { type PackedBatch, upload } from "./packed/batch";
export { type MicroBatchOptions, microBatches, packOptionsOf } from "./packed/microBatches";
export {
  type Branch,
  type Packing,
  type PackingStatistics,
  type PackOptions,
  type PairCompletions,
  pack,
  packingStatistics,
} from "./packed/packing";
export {
  type AnswerLogProbs,
  answerLogProbs,
  answerSums,
  forwardBackward,
  type LogProbs,
  type PolicyLogProbs,
  policyLogProbs,
  type StepOptions,
  type StepResult,
  scorePairs,
} from "./packed/step";
export type { ScoreOptions, TokenScores, TokenStatistic } from "./packed/tokenScores";
export { ReferenceCache, type ReferenceLogProbs } from "./reference/cache";
export { fingerprint } from "./reference/fingerprint";
export { type PairScore, type ScorePreferencesOptions, scorePreferences } from "./score";
