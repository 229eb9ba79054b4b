/** Which pairs and held-out problems the report shows, by rules that do not depend on how they look. */

import { type PairScores, sum } from "./measure";
import { METHODS, type Method, type SampleAnswer, type SampleScores, byMethod } from "./result";
import type { Answer } from "./scoring";
import type { Task } from "./task";

/** What one model gave on the pairs and on the held-out problems of the task. */
export interface ModelOutput {
  readonly scores: readonly PairScores[];
  readonly answers: readonly Answer[];
}

/** The pairs whose chosen answer DPO changed most for the worse, in the middle, and most for the better. */
export function pickSamples({ pairs, vocabulary }: Task, outputs: Record<Method, ModelOutput>): SampleScores[] {
  const change = (i: number) => sum(outputs.dpo.scores[i]!.chosen) - sum(outputs.reference.scores[i]!.chosen);
  const ranked = pairs.map((pair, i) => ({ pair, i, change: change(i) })).sort((a, b) => a.change - b.change);
  const ranks = { Lowest: 0, Median: Math.floor(ranked.length / 2), Highest: ranked.length - 1 };
  return Object.entries(ranks).map(([name, rank]) => {
    const { pair, i, change } = ranked[rank]!;
    return {
      title: `${name} change of the chosen answer under DPO: ${change < 0 ? "" : "+"}${change.toFixed(2)} nats`,
      prompt: vocabulary.decode(pair.prompt),
      chosen: pair.chosen.map((id) => vocabulary.piece(id)),
      rejected: pair.rejected.map((id) => vocabulary.piece(id)),
      difference: pair.difference,
      logps: byMethod((method) => outputs[method].scores[i]!.chosen),
    };
  });
}

/** The first held-out problems on which the models do not all come to the same verdict. */
export function pickAnswers({ heldOut }: Task, outputs: Record<Method, ModelOutput>): SampleAnswer[] {
  const verdicts = (i: number) => new Set(METHODS.map((method) => outputs[method].answers[i]!.correct));
  return heldOut
    .map(({ prompt, answer }, i) => ({ prompt, answer, i }))
    .filter(({ i }) => verdicts(i).size > 1)
    .slice(0, 3)
    .map(({ prompt, answer, i }) => {
      return { prompt, expected: answer, answers: byMethod((method) => outputs[method].answers[i]!) };
    });
}
