/** From what one model gave on the pairs and the held-out problems to its numbers. */

import { type CurvePoint, byPosition, curvePoint, mean, summarise } from "./measure";
import type { MethodResult } from "./result";
import type { ModelOutput } from "./samples";
import type { Answer } from "./scoring";
import type { Pair } from "./task";

/** What one model gave, in full. */
export interface Measured extends ModelOutput {
  readonly curve: CurvePoint[];
}

/** Reduces the output to the means of the summary and the lines of the pictures. */
export function toMethodResult({ scores, answers, curve }: Measured, pairs: readonly Pick<Pair, "difference">[]): MethodResult {
  const measures = { ...summarise(scores, pairs), accuracy: accuracyOf(answers) };
  return { measures, positions: byPosition(scores, pairs), curve };
}

const accuracyOf = (answers: readonly Answer[]): number => mean(answers.map(({ correct }) => (correct ? 1 : 0)));

/** For the line that ends a phase. */
export const inShort = ({ scores, answers }: Pick<Measured, "scores" | "answers">): string =>
  `chosen ${curvePoint(0, scores).chosen.toFixed(2)}  accuracy ${(100 * accuracyOf(answers)).toFixed(1)}%`;
