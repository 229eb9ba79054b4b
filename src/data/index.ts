/** Preference data: reading rows, and tokenising them once. */
export {
  type ChatRow,
  type LoadPreferencesOptions,
  type PlainRow,
  type PreferenceRow,
  isPlain,
  loadPreferences,
  streamPreferences,
} from "./preferences";
export type { ColumnMapping } from "./columnMapping";
export { type Oddities, type Oddity, type OddityKind } from "./oddities";
export { type Cut, type TruncationMode } from "./pairTokenizer";
export { type Refusal } from "./screening";
export { type LengthSummary } from "./summary";
export { type TokenizedAnswer, type TokenizedPair } from "./tokenizedPair";
export {
  type TokenStatistics,
  type TokenizeOptions,
  type TokenizedPairs,
  describeTokenized,
  tokenizePairs,
} from "./tokenizePairs";
