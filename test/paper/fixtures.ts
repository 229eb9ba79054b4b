import type { Measures } from "../../src/paper/measure";
import { presets } from "../../src/paper/settings";
import { byMethod, type ExperimentResult, type Method } from "../../src/paper/summary";

const measures: Measures = {
  chosen_logp: -1,
  rejected_logp: -40,
  token_logp_before: -0.02,
  token_logp_at: -0.1,
  token_logp_after: -0.03,
  accuracy: 0.8,
};

/** A result as the experiment gives it, its measures changed by method. */
export function resultWith(changes: Partial<Record<Method, Partial<Measures>>> = {}): ExperimentResult {
  const methods = byMethod((method) => ({
    measures: { ...measures, ...changes[method] },
    positions: [-1, 0, 1].map((position) => ({ position, logp: -0.1 * (position + 2), tokens: 600 })),
    curve: [0, 5, 10].map((step) => ({ step, chosen: -1 - step / 10, rejected: -40 - step })),
  }));
  return {
    seed: 5,
    preset: "quick",
    data: null,
    versions: { smaug: "0.0.1", node: "20.17.0", libtorch: "2.13.0" },
    seconds: 61.5,
    settings: presets.quick,
    counts: { vocabulary: 58, weights: 163_904, examples: 8000, pairs: 600, heldOut: 200, refused: 0 },
    editDistance: 0.0654,
    reference: { steps: 500, loss: 0.04, reachedGoal: true },
    methods,
    samples: [
      {
        title: "A sample",
        prompt: "2 + 2?",
        chosen: ["2 + 2 = ", "4", ""],
        rejected: ["2 + 2 = ", "5", ""],
        difference: 1,
        logps: byMethod((method) => (method === "dpo" ? [-0.1, -5, -0.12] : [-0.1, -0.5, -0.1])),
      },
    ],
    answers: [
      {
        prompt: "3 + 3?",
        expected: "#### 6",
        answers: byMethod((method) => ({ text: method === "dpo" ? "#### 7" : "#### 6", correct: method !== "dpo" })),
      },
    ],
  };
}
