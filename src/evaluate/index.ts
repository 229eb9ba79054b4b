/** Scoring models on benchmarks and custom tasks. */
export {
  type ContaminationResult,
  type ContinuedText,
  type ContinueOptions,
  contamination,
  continueTexts,
} from "./contamination";
export {
  type EvaluateOptions,
  evaluate,
  evaluatePrepared,
  type PreparedEvaluation,
  prepareEvaluation,
} from "./evaluate";
export { regexFilter } from "./metrics";
export { type EvaluationResults, resultsTable, type Sample, type TaskResults } from "./results";
export type { TaskData } from "./tasks/data";
export { readTaskFile } from "./tasks/file";
export { readTaskModule, taskNames } from "./tasks/list";
export type {
  AnswerFilter,
  AnswerTask,
  Blank,
  ChoiceMetric,
  ChoiceTask,
  Group,
  Item,
  MatchRules,
  Problem,
  Question,
  Row as TaskRow,
  Task,
} from "./tasks/task";
