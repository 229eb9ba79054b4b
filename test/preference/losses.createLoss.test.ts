import { describe, expect, it, test } from "vitest";
import { InputError } from "../../src/base/errors";
import {
  aot,
  cpo,
  createLoss,
  discopop,
  dpop,
  dpoShift,
  exoPair,
  hinge,
  type LossConfig,
  lossNames,
  type PairLogProbs,
  type PreferenceLoss,
  robust,
  sft,
  sigmoid,
  simpo,
  slic,
  weightedSum,
  wpo,
} from "../../src/preference";
import { tensor } from "../../src/torch";

const column = (...values: number[]) => tensor(values, { dtype: "float64" });
const logProbs: PairLogProbs = {
  policyChosen: column(-10.2, -7),
  policyRejected: column(-13, -9.5),
  referenceChosen: column(-10, -7.1),
  referenceRejected: column(-12, -9.9),
  chosenTokens: column(4, 3),
  rejectedTokens: column(5, 6),
  wpoChosen: column(-0.1, -0.4),
  wpoRejected: column(-0.2, 0.1),
};

test.each<[LossConfig, PreferenceLoss]>([
  [{}, dpop({ beta: 0.3, lambda: 50 })],
  [{ lossType: "sigmoid" }, sigmoid({ beta: 0.3 })],
  [
    { lossType: "dpop", beta: 0.2, dpopLambda: 7, dpopPlacement: "inside", dpopTolerance: 0.01, labelSmoothing: 0.1 },
    dpop({ beta: 0.2, lambda: 7, placement: "inside", tolerance: 0.01, labelSmoothing: 0.1 }),
  ],
  [{ lossType: "dpop", dpopTolerance: 0.3 }, dpop({ tolerance: 0.3 })],
  [{ lossType: "sigmoid", beta: 0.1, labelSmoothing: 0.2 }, sigmoid({ beta: 0.1, labelSmoothing: 0.2 })],
  [{ lossType: ["robust"], labelSmoothing: 0.2 }, robust({ beta: 0.3, labelSmoothing: 0.2 })],
  [{ lossType: "exo_pair", labelSmoothing: 1e-3 }, exoPair({ beta: 0.3 })],
  [{ lossType: "discopop", discopopTau: 0.5 }, discopop({ beta: 0.3, tau: 0.5 })],
  [
    { lossType: "hinge", fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 2 },
    hinge({ beta: 0.3, fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 2 }),
  ],
  [
    { lossType: ["hinge", "sft"], fDivergenceType: "forward_kl" },
    weightedSum([hinge({ beta: 0.3, fDivergenceType: "forward_kl" }), sft()]),
  ],
  [{ lossType: "simpo", beta: 2, simpoGamma: 1 }, simpo({ beta: 2, gamma: 1, alpha: 0 })],
  [{ lossType: "simpo", beta: 2, cpoAlpha: 1 }, simpo({ beta: 2, alpha: 1 })],
  [{ lossType: "cpo" }, cpo({ beta: 0.3, alpha: 1 })],
  [{ lossType: "cpo", cpoAlpha: 0 }, cpo({ beta: 0.3, alpha: 0 })],
  [{ lossType: "dpo_shift", dpoShiftFactor: 0.7 }, dpoShift({ beta: 0.3, shift: 0.7 })],
  [{ lossType: "slic", beta: 5, slicLambda: 0.3 }, slic({ beta: 5, lambda: 0.3 })],
  [{ lossType: "aot", labelSmoothing: 0.1 }, aot({ beta: 0.3, labelSmoothing: 0.1 })],
  [{ lossType: ["sigmoid", "sft"], lossWeights: [1, 0.2], beta: 0.1 }, weightedSum([sigmoid({ beta: 0.1 }), sft()], [1, 0.2])],
  [{ lossType: "sigmoid", lossWeights: [0.5] }, weightedSum([sigmoid({ beta: 0.3 })], [0.5])],
  [{ lossType: "sigmoid", useWeighting: true }, wpo(sigmoid({ beta: 0.3 }))],
  // Keys at their defaults are accepted anywhere: a configuration written out in full runs.
  [
    {
      lossType: "hinge",
      labelSmoothing: 0,
      dpopLambda: 50,
      fDivergenceType: "reverse_kl",
      discopopTau: 0.05,
      useWeighting: false,
      beta: undefined,
    },
    hinge({ beta: 0.3 }),
  ],
])("%j makes that loss", (config, expected) => {
  const loss = createLoss(config);
  expect(loss(logProbs).toList()).toEqual(expected(logProbs).toList());
  expect([loss.beta, loss.scope, loss.needs]).toEqual([expected.beta, expected.scope, expected.needs]);
});

test.each(lossNames)("%s makes a loss of that name", (name) => {
  const loss = createLoss({ lossType: name, beta: 0.4, labelSmoothing: name === "exo_pair" ? 1e-3 : 0 });
  expect([loss.name, loss.beta]).toEqual([name, 0.4]);
});

describe("a configuration that cannot be meant", () => {
  it.each<[LossConfig, string]>([
    [{ lossType: "sigmod" }, `for 'loss_type' but received "sigmod"; did you mean 'sigmoid'? Known losses: dpop, sigmoid,`],
    [{ lossType: "dpo" }, "did you mean 'sigmoid'?"],
    [{ lossType: "cdpo" }, "did you mean 'sigmoid' with 'label_smoothing'?"],
    [{ lossType: ["sigmoid", "nca_par"] }, "did you mean 'nca_pair'?"],
    [{ lossType: "toString" }, 'received "toString"'],
    [{ lossType: [] }, "'loss_type' but received []"],
    [{ lossType: 3 as never }, "'loss_type' but received 3"],
    [{ lossType: null as never }, "a name or a list of names for 'loss_type' but received null"],
    [{ lossWeights: null as never }, "a list of numbers for 'loss_weights' but received null"],
    [
      { lossType: ["sigmoid", "sft"], lossWeights: [1] },
      "2 numbers for 'loss_weights', one for each of sigmoid, sft, but received 1",
    ],
    [{ lossType: "sigmoid", lossWeights: ["1" as never] }, `'loss_weights[0]' but received "1"`],
    [{ lossType: "sigmoid", lossWeights: 1 as never }, "a list of numbers for 'loss_weights' but received 1"],
    [{ beta: 0 }, "Expected a number above 0 for 'beta' but received 0"],
    [{ dpopLambda: -1 }, "'dpop_lambda' but received -1"],
    [{ dpopPlacement: "beside" as never }, `'dpop_placement' but received "beside"`],
    [
      { lossType: "hinge", labelSmoothing: 0.1 },
      "'label_smoothing' only with a loss that reads it (dpop, sigmoid, robust, exo_pair, aot, aot_unpaired, simpo, cpo) but received 0.1 with hinge",
    ],
    [{ lossType: "sigmoid", dpopLambda: 5 }, "'dpop_lambda' only with a loss that reads it (dpop) but received 5 with sigmoid"],
    [{ lossType: "orpo", cpoAlpha: 0 }, "'cpo_alpha' only with a loss that reads it (simpo, cpo)"],
    [{ lossType: "robust", labelSmoothing: 0.5 }, "from 0 to below 0.5 for 'label_smoothing' but received 0.5"],
    [{ lossType: "exo_pair" }, "above 0 (1e-3 is usual) for 'label_smoothing' with exo_pair but received 0"],
    [
      { lossType: ["sigmoid", "nca_pair"], fDivergenceType: "forward_kl" },
      `"reverse_kl" for 'f_divergence_type' with nca_pair but received "forward_kl"`,
    ],
    [{ lossType: "sft", fDivergenceType: "forward_kl" }, "'f_divergence_type' only with a loss that reads it"],
    [{ lossType: "sigmoid", fAlphaDivergenceCoef: 2 }, `"alpha_divergence" for 'f_divergence_type'`],
    [{ lossType: ["sigmoid", "aot"], useWeighting: true }, "false for 'use_weighting' with aot, which sorts the batch"],
  ])("%j", (config, message) => {
    expect(() => createLoss(config)).toThrow(InputError);
    expect(() => createLoss(config)).toThrow(message);
  });

  it("reports everything wrong in one message", () => {
    expect(() => createLoss({ lossType: ["sigmod", "sft"], lossWeights: [1], beta: 0, dpopLambda: -1 })).toThrow(
      /loss_type: .*\n {2}loss_weights: .*\n {2}beta: .*\n {2}dpop_lambda: /,
    );
  });

  it("an option nobody knows", () => {
    expect(() => createLoss({ label_smoothing: 0.1 } as object)).toThrow("'label_smoothing'");
  });
});
