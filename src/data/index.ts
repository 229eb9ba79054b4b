/** Preference data: reading rows, and tokenising them once. */
export {
  type AnswerRow,
  type ChatRow,
  type LoadPreferencesOptions,
  type LoadRowsOptions,
  type PlainRow,
  type PreferenceRow,
  type TrainingRow,
  isPlain,
  loadPreferences,
  streamPreferences,
} from "./rows/preferences";
export type { ColumnMapping, RejectedRule } from "./reading/columnMapping";
export { type GivenAnswer, type GivenRow } from "./rows/givenRows";
export { type Oddities, type Oddity, type OddityKind, type Refusal } from "./rows/screening";
export { type Cut, type TruncationMode } from "./tokenize/pairTokenizer";
export { type TokenizedAnswer, type TokenizedPair } from "./tokenize/tokenizedPair";
export {
  type LengthSummary,
  type TokenStatistics,
  type TokenizeOptions,
  type TokenizedPairs,
  describeTokenized,
  tokenizePairs,
} from "./tokenize/tokenizePairs";
