export * from "./losses";
export { type MicroBatchOptions, microBatches, packOptionsOf } from "./packed/microBatches";
export { packedAttention } from "./packed/attention";
export { type PackedBatch, upload } from "./packed/batch";
export {
  type AnswerLogProbs,
  type LogProbs,
  type PolicyLogProbs,
  type StepOptions,
  type StepResult,
  answerLogProbs,
  answerSums,
  forwardBackward,
  policyLogProbs,
  scorePairs,
} from "./packed/step";
export {
  type PackOptions,
  type Packing,
  type PackingStatistics,
  type PairCompletions,
  type Strand,
  pack,
  packingStatistics,
} from "./packed/packing";
export { type PairScore, type ScorePreferencesOptions, scorePreferences } from "./score";
export { type ScoreOptions, type TokenScores, type TokenStatistic } from "./packed/tokenScores";
export { fingerprint } from "./reference/fingerprint";
export { ReferenceCache, type ReferenceLogProbs } from "./reference/cache";
