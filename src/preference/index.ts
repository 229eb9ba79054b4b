export { type Batch, type Row, collate } from "./batch";
export { completionLogProbs, sequenceLogProbs } from "./logProbs";
export * from "./losses";
export { type MicroBatchOptions, microBatches, packOptionsOf } from "./microBatches";
export { packedAttention } from "./packedAttention";
export { type PackedBatch, upload } from "./packedBatch";
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
} from "./packedStep";
export {
  type PackOptions,
  type Packing,
  type PackingStatistics,
  type PairCompletions,
  type Strand,
  pack,
  packingStatistics,
} from "./packing";
export { type PairScore, type ScorePreferencesOptions, scorePreferences } from "./score";
export { type ScoreOptions, type TokenScores, type TokenStatistic } from "./tokenScores";
export { fingerprint } from "./fingerprint";
export { ReferenceCache, type ReferenceLogProbs } from "./referenceCache";
