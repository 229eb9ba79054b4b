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
export { type AnswerFilter, type MatchRules, regexFilter } from "./filters";
export { type EvaluationResults, type Sample, type TaskResults } from "./results";
export { resultsTable } from "./table";
export {
  type AnswerTask,
  type Blank,
  type ChoiceMetric,
  type ChoiceTask,
  type Group,
  type Item,
  type Problem,
  type Question,
  type Row as TaskRow,
  type Task,
} from "./tasks/task";
export { readTaskFile } from "./tasks/file";
export { readTaskModule } from "./tasks/module";
export { type TaskData } from "./tasks/source";
export { taskNames } from "./tasks/list";
