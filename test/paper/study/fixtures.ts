import type { Measures } from "../../../src/paper/measure";
import { type Cell, cellsOf, paperStudy, type Study } from "../../../src/paper/study/plan";
import type { StudyResult } from "../../../src/paper/study/run";

/** A result with the measures a test gives to each cell; what it leaves out is the same everywhere. */
export function studyWith(
  seeds: readonly number[],
  of: (cell: Cell) => Partial<Measures> = () => ({}),
  study: Study = paperStudy,
): StudyResult {
  const described = { title: "some pairs", accuracy: "questions answered rightly", heldOut: 200, chance: 0.25 };
  const made = { name: "arithmetic", goal: 0.14, loss: 0.06, reachedGoal: true, seconds: 28 };
  return {
    preset: "paper",
    study,
    subject: {
      lead: "A model was trained.",
      corpora: Object.fromEntries(study.corpora.map((corpus) => [corpus, described])),
      settings: [["Model", "a small one"]],
    },
    seeds,
    versions: { smaug: "0.0.1", node: "20.17.0", libtorch: "2.13.0" },
    seconds: 600,
    references: seeds.map((seed) => ({ ...made, seed, steps: 500 + seed })),
    cells: seeds
      .flatMap((seed) => cellsOf(study, seed))
      .map((cell) => ({
        ...cell,
        measures: {
          accuracy: 0.8,
          chosen_logp: -1,
          rejected_logp: -40,
          token_logp_before: -0.02,
          token_logp_at: -0.1,
          token_logp_after: -0.03,
          ...of(cell),
        },
        positions: [-1, 0, 1].map((position) => ({ position, logp: -0.1 * (position + 2), tokens: 600 })),
        curve: [0, 5, 10].map((step) => ({ step, chosen: -1 - step / 10, rejected: -40 - step })),
        editDistance: cell.corpus === "low" ? 0.07 : 0.61,
        seconds: 5,
      })),
  };
}
