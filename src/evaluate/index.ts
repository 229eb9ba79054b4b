/** Scoring models on benchmarks and custom tasks. */
export {
  type ContaminationResult,
  type ContinueOptions,
  type ContinuedText,
  contamination,
  continueTexts,
} from "./contamination";
export {
  type EvaluateOptions,
  type PreparedEvaluation,
  evaluate,
  evaluatePrepared,
  prepareEvaluation,
} from "./evaluate";
export { regexFilter } from "./metrics";
export { type EvaluationResults, type Sample, type TaskResults, resultsTable } from "./results";
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
export { readTaskFile } from "./tasks/file";
export type { TaskData } from "./tasks/data";
export { readTaskModule, taskNames } from "./tasks/list";
