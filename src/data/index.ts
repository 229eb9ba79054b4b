/** Preference data: reading rows, and tokenising them once. */

export type { ColumnMapping, RejectedRule } from "./reading/columnMapping";
export type { GivenAnswer, GivenRow } from "./rows/givenRows";
export {
  type AnswerRow,
  type ChatRow,
  isPlain,
  type LoadPreferencesOptions,
  type LoadRowsOptions,
  loadPreferences,
  type PlainRow,
  type PreferenceRow,
  streamPreferences,
  type TrainingRow,
} from "./rows/preferences";
export type { DataWarning, DataWarningKind, DataWarnings, RejectedRow } from "./rows/screening";
export type { TruncationMode } from "./tokenize/lengths";
export type { Cut } from "./tokenize/pairTokenizer";
export type { TokenizedAnswer, TokenizedPair } from "./tokenize/tokenizedPair";
export {
  describeTokenized,
  type LengthSummary,
  type TokenizedPairs,
  type TokenizeOptions,
  type TokenStatistics,
  tokenizePairs,
} from "./tokenize/tokenizePairs";
