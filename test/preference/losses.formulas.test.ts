import { describe, expect, it, test } from "vitest";
import {
  aot,
  aotUnpaired,
  apoDown,
  apoZero,
  bcoPair,
  calDpo,
  cpo,
  createLoss,
  defineLoss,
  discopop,
  dpop,
  dpoShift,
  exoPair,
  hinge,
  ipo,
  ldWeights,
  lossNames,
  lossNeeds,
  ncaPair,
  orpo,
  type PairLogProbs,
  type PreferenceLoss,
  pairRewards,
  robust,
  sft,
  sigmoid,
  sigmoidNorm,
  simpo,
  slic,
  sppoHard,
  weightedSum,
  wpo,
} from "../../src/preference";
import { autograd, type DType, type Tensor, tensor } from "../../src/torch";
import { fixture } from "../parity/fixture";

type Pair = readonly [policyChosen: number, policyRejected: number, referenceChosen: number, referenceRejected: number];

function logProbsOf(pairs: readonly Pair[], dtype: DType = "float64"): PairLogProbs {
  const column = (i: number, requiresGrad = false) =>
    tensor(
      pairs.map((pair) => pair[i]!),
      { dtype, requiresGrad },
    );
  return {
    policyChosen: column(0, true),
    policyRejected: column(1, true),
    referenceChosen: column(2),
    referenceRejected: column(3),
    chosenTokens: tensor(
      pairs.map((_, i) => 4 + i),
      { dtype },
    ),
    rejectedTokens: tensor(
      pairs.map((_, i) => 5 + 2 * i),
      { dtype },
    ),
    wpoChosen: tensor(
      pairs.map((_, i) => -0.1 - 0.2 * i),
      { dtype },
    ),
    wpoRejected: tensor(
      pairs.map((_, i) => 0.05 - 0.3 * i),
      { dtype },
    ),
  };
}

function evaluate(loss: PreferenceLoss, logProbs: PairLogProbs) {
  const perPair = loss(logProbs);
  const inputs = [logProbs.policyChosen, logProbs.policyRejected];
  const [chosen, rejected] = autograd.grad(perPair.sum(), inputs, { allowUnused: true });
  // A loss that does not see one of the answers has no gradient there.
  const numbers = (values: Tensor | null): number[] =>
    Array.from((values ?? perPair.mul(0)).to("float64").toArray(), (value) => Number(value) + 0);
  return { loss: numbers(perPair), chosenGrad: numbers(chosen!), rejectedGrad: numbers(rejected!) };
}

const valueOf = (loss: PreferenceLoss, pair: Pair) => evaluate(loss, logProbsOf([pair])).loss[0]!;

/** A pair of 4 and 5 tokens: ρ_w −0.2, ρ_l −1. */
const pair: Pair = [-10.2, -13, -10, -12];

/** Derived by hand from the losses' formulas. */
const golden: [string, PreferenceLoss, number][] = [
  ["sigmoid", sigmoid({ beta: 0.1 }), 0.653946967],
  ["cDPO: sigmoid with label smoothing", sigmoid({ beta: 0.1, labelSmoothing: 0.1 }), 0.661946967],
  ["robust", robust({ beta: 0.1, labelSmoothing: 0.1 }), 0.643946967],
  ["hinge", hinge({ beta: 0.1 }), 0.92],
  ["ipo, means over tokens", ipo({ beta: 0.1 }), 23.5225],
  ["sigmoid and sft", weightedSum([sigmoid({ beta: 0.1 }), sft()]), 3.203946967],
  ["cal_dpo", calDpo({ beta: 0.1 }), 21.891100666],
  ["nca_pair", ncaPair({ beta: 0.1 }), 1.3669941],
  ["bco_pair", bcoPair({ beta: 0.1 }), 1.34759384],
  ["sppo_hard", sppoHard({ beta: 0.1 }), 43.04],
  ["apo_zero", apoZero({ beta: 0.1 }), 0.980020646],
  ["apo_down", apoDown({ beta: 0.1 }), 0.975010827],
  ["simpo", simpo({ beta: 2, gamma: 0.5 }), 0.913015252],
  ["dpo_shift", dpoShift({ beta: 0.1, shift: 0.95 }), 0.656350141],
  ["dpop, λ 5", dpop({ beta: 0.1, lambda: 5 }), 0.70319718],
  ["dpop, λ 50", dpop({ beta: 0.1, lambda: 50 }), 1.255413849],
  // −log σ(−z) = −log σ(z) + z, so smoothing adds ε·z; z = β(0.8 − 5·0.2) = −0.02, β·0.8 − 5·0.2 = −0.92, β·0.8 = 0.08
  ["dpop with label smoothing", dpop({ beta: 0.1, lambda: 5, labelSmoothing: 0.1 }), 0.70319718 - 0.1 * 0.02],
  [
    "dpop inside with label smoothing",
    dpop({ beta: 0.1, lambda: 5, placement: "inside", labelSmoothing: 0.1 }),
    1.255413849 - 0.1 * 0.92,
  ],
  [
    "dpop outside with label smoothing",
    dpop({ beta: 0.1, lambda: 5, placement: "outside", labelSmoothing: 0.1 }),
    1.653946967 + 0.1 * 0.08,
  ],
  ["slic beyond its margin: 0.1 · 10.2", slic({ beta: 1, lambda: 0.1 }), 1.02],
  ["slic within: 5 + 10.2 − 13 + 0.1 · 10.2", slic({ beta: 5, lambda: 0.1 }), 3.22],
  ["cpo without cross-entropy: −log σ(0.28)", cpo({ beta: 0.1, alpha: 0 }), Math.log1p(Math.exp(-0.28))],
  ["cpo: and 10.2/4", cpo({ beta: 0.1 }), Math.log1p(Math.exp(-0.28)) + 2.55],
  ["wpo: times e^(−0.1 + 0.05)", wpo(hinge({ beta: 0.1 })), 0.92 * Math.exp(-0.05)],
];

test.each(golden)("%s has the golden value", (_, loss, expected) => {
  expect(valueOf(loss, pair)).toBeCloseTo(expected, 8);
});

test("every loss has a golden value or one of TRL's", () => {
  const cases = Object.values(fixture<Record<string, { config?: { lossType?: string | string[] } }>>("losses"));
  const covered = new Set([...golden.map(([, loss]) => loss.name), ...cases.flatMap(({ config }) => config?.lossType ?? [])]);
  expect(lossNames.filter((name) => !covered.has(name))).toEqual([]);
});

const withOptions: [string, PreferenceLoss][] = [
  ["sigmoid", sigmoid({ beta: 0.7, labelSmoothing: 0.1 })],
  ["dpop", dpop({ labelSmoothing: 0.1, lambda: 5 })],
  ["dpop inside", dpop({ placement: "inside", lambda: 2 })],
  ["dpop outside", dpop({ placement: "outside", lambda: 2 })],
  ["robust", robust({ beta: 0.7, labelSmoothing: 0.2 })],
  ["exo_pair", exoPair({ beta: 0.7, labelSmoothing: 0.01 })],
  ["discopop", discopop({ beta: 0.7, tau: 0.8 })],
  ["simpo", simpo({ beta: 2, alpha: 0.5, labelSmoothing: 0.1 })],
  ["slic", slic({ beta: 20 })],
  ["weighted sum", weightedSum([dpop(), sft(), ipo()], [0.5, 2, -1])],
  ["wpo", wpo(sigmoid())],
];
const divergences = ["forward_kl", "js_divergence", "alpha_divergence"] as const;
const diverging = { sigmoid, sigmoidNorm, hinge, ipo, exoPair, robust, discopop };
const underDivergences = Object.entries(diverging).flatMap(([name, make]) =>
  divergences.map((fDivergenceType): [string, PreferenceLoss] => [`${name} under ${fDivergenceType}`, make({ fDivergenceType })]),
);
const plain = lossNames.map((name): [string, PreferenceLoss] => [
  name,
  createLoss({ lossType: name, labelSmoothing: name === "exo_pair" ? 1e-3 : 0 }),
]);
const every = [...plain, ...withOptions, ...underDivergences];

test.each(every)("%s has the gradient of finite differences in float64", (_, loss) => {
  const h = 1e-5;
  const pairs: Pair[] = [
    [-10.2, -13, -10, -12],
    [-9.5, -14.3, -10.1, -12],
    [-22, -11.7, -20, -12.2],
  ];
  const moved = (pair: number, column: number, by: number) =>
    evaluate(
      loss,
      logProbsOf(pairs.map((row, i) => row.map((value, j) => value + (i === pair && j === column ? by : 0)) as unknown as Pair)),
    ).loss.reduce((sum, value) => sum + value);
  const { chosenGrad, rejectedGrad } = evaluate(loss, logProbsOf(pairs));
  pairs.forEach((_, i) =>
    [chosenGrad, rejectedGrad].forEach((grad, column) => {
      const numeric = (moved(i, column, h) - moved(i, column, -h)) / (2 * h);
      expect(Math.abs(grad[i]! - numeric)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(numeric)));
    }),
  );
});

/** All four sums near 0 or at −1e4, in every combination: margins of ±1e4 and ±2e4. */
const extremes = Array.from(
  { length: 16 },
  (_, i): Pair => [0, 1, 2, 3].map((bit) => (i & (1 << bit) ? -1e4 : -1)) as unknown as Pair,
);
// The square of an exponential overflows float32; the file of the divergences says so.
const overflows = (name: string) => name === "ipo under forward_kl" || name === "ipo under alpha_divergence";

describe.each(["float32", "float64"] as const)("in %s", (dtype) => {
  test.each(every.filter(([name]) => dtype === "float64" || !overflows(name)))(
    "%s stays finite at margins of ±1e4",
    (_, loss) => {
      const { loss: values, chosenGrad, rejectedGrad } = evaluate(loss, logProbsOf(extremes, dtype));
      for (const value of [...values, ...chosenGrad, ...rejectedGrad]) expect(Number.isFinite(value)).toBe(true);
    },
  );
});

test.each(every.filter(([name]) => name !== "orpo"))(
  "%s is finite, with its gradient, where log-probs and ratios are 0",
  (_, loss) => {
    const {
      loss: values,
      chosenGrad,
      rejectedGrad,
    } = evaluate(
      loss,
      logProbsOf([
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ]),
    );
    for (const value of [...values, ...chosenGrad, ...rejectedGrad]) expect(Number.isFinite(value)).toBe(true);
  },
);

describe("at the kink the gradient is relu's, 0", () => {
  it("hinge, at a margin of 1/β", () => {
    expect(evaluate(hinge({ beta: 0.5 }), logProbsOf([[-1, -3, -1, -1]]))).toEqual({
      loss: [0],
      chosenGrad: [0],
      rejectedGrad: [0],
    });
  });

  it("slic, at a margin of δ", () => {
    expect(evaluate(slic({ beta: 2, lambda: 0.5 }), logProbsOf([[-1, -3, 0, 0]]))).toEqual({
      loss: [0.5],
      chosenGrad: [-0.5],
      rejectedGrad: [0],
    });
  });

  it("dpop, in a sum with others", () => {
    const both = weightedSum([dpop({ beta: 0.3 }), sigmoid({ beta: 0.3 })]);
    expect(evaluate(both, logProbsOf([[-10, -12, -10, -12]])).chosenGrad[0]).toBeCloseTo(-0.3, 12);
  });
});

describe("orpo", () => {
  it("takes a certain answer for an almost certain one", () => {
    const { loss, chosenGrad, rejectedGrad } = evaluate(
      orpo(),
      logProbsOf([
        [0, -5, 0, 0],
        [-5, 0, 0, 0],
      ]),
    );
    for (const value of [...loss, ...chosenGrad, ...rejectedGrad]) expect(Number.isFinite(value)).toBe(true);
  });

  it("has the golden value: p of a token 0.5 and 0.25, so odds 1 and 1/3", () => {
    const certain: Pair = [4 * Math.log(0.5), 5 * Math.log(0.25), 0, 0];
    expect(valueOf(orpo({ beta: 0.1 }), certain)).toBeCloseTo(Math.log(2) + 0.1 * Math.log(1 + 1 / 3), 12);
  });
});

describe("sft", () => {
  const pairs: Pair[] = [
    [-10, -1, 0, 0],
    [-6, -1, 0, 0],
    [-3, -1, 0, 0],
  ];

  it("is the mean over the chosen tokens", () => {
    const { loss } = evaluate(sft(), logProbsOf(pairs)); // 4, 5 and 6 tokens
    expect((loss[0]! + loss[1]! + loss[2]!) / 3).toBeCloseTo(19 / 15, 12);
  });

  it("is the same in parts, told the step's mean count", () => {
    const meanChosenTokens = 5;
    const whole = evaluate(weightedSum([sigmoid(), sft()]), logProbsOf(pairs)).loss;
    const part = (some: Pair[]) => evaluate(weightedSum([sigmoid(), sft()]), { ...logProbsOf(some), meanChosenTokens }).loss;
    const parts = [...part(pairs.slice(0, 1)), ...part(pairs.slice(1))];
    parts.forEach((value, i) => expect(value).toBeCloseTo(whole[i]!, 12));
  });

  it("takes the bare sum where the others are weighted", () => {
    const logProbs = { ...logProbsOf([pair]), policyChosenPlain: tensor([-8], { dtype: "float64", requiresGrad: true }) };
    expect(evaluate(sft(), logProbs).loss).toEqual([2]);
  });

  it.each([
    ["sft", sft(), "'meanChosenTokens' or 'chosenTokens'"],
    ["cpo", cpo(), "'meanChosenTokens' or 'chosenTokens'"],
    ["ipo", ipo(), "'chosenTokens' and 'rejectedTokens' for the loss 'ipo'"],
    ["simpo", simpo(), "'chosenTokens' and 'rejectedTokens' for the loss 'simpo'"],
    ["wpo", wpo(hinge()), "'wpoChosen' and 'wpoRejected'"],
  ])("%s says which counts it misses", (_, loss, message) => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = logProbsOf([pair]);
    expect(() => loss({ policyChosen, policyRejected, referenceChosen, referenceRejected })).toThrow(message);
  });
});

describe("aot", () => {
  // ρ_w 1, 5, 3 and ρ_l −2, 0, 4; margins of the policy 3, 5, −1, of the reference 0, 0, 0.
  const pairs: Pair[] = [
    [1, -2, 0, 0],
    [5, 0, 0, 0],
    [3, 4, 0, 0],
  ];

  it("compares sorted margins of policy and reference", () => {
    const expected = [-1, 3, 5].map((u) => Math.log1p(Math.exp(-u)));
    evaluate(aot({ beta: 1 }), logProbsOf(pairs)).loss.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
  });

  it("compares sorted ratios of chosen and rejected answers, unpaired", () => {
    const expected = [1 + 2, 3 - 0, 5 - 4].map((u) => Math.log1p(Math.exp(-u)));
    evaluate(aotUnpaired({ beta: 1 }), logProbsOf(pairs)).loss.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
  });

  it("says that it depends on the batch, alone and in a sum", () => {
    expect([aot().scope, aotUnpaired().scope, weightedSum([sigmoid(), aot()]).scope, sigmoid().scope]).toEqual([
      "batch",
      "batch",
      "batch",
      undefined,
    ]);
  });
});

describe("wpo", () => {
  it("sends no gradient through the weights", () => {
    const logProbs = logProbsOf([pair]);
    const weighted = { ...logProbs, wpoChosen: logProbs.policyChosen.div(4), wpoRejected: logProbs.policyRejected.div(5) };
    const weight = Math.exp(-10.2 / 4 - 13 / 5);
    expect(evaluate(wpo(hinge({ beta: 0.1 })), weighted).chosenGrad[0]).toBeCloseTo(-0.1 * weight, 12);
  });

  it("refuses losses that sort the batch", () => {
    expect(() => wpo(aot())).toThrow("'aot', which sorts the batch");
  });
});

describe("ldWeights", () => {
  it("weighs what is beyond the shorter answer", () => {
    expect(ldWeights(2, 4, 0.5)).toEqual({ chosen: Float32Array.of(1, 1), rejected: Float32Array.of(1, 1, 0.5, 0.5) });
    expect(ldWeights(3, 1, 0)).toEqual({ chosen: Float32Array.of(1, 0, 0), rejected: Float32Array.of(1) });
    expect(ldWeights(2, 2, 0)).toEqual({ chosen: Float32Array.of(1, 1), rejected: Float32Array.of(1, 1) });
  });

  it.each([-0.1, 1.1, Number.NaN])("refuses α %d", (alpha) => {
    expect(() => ldWeights(1, 1, alpha)).toThrow("Expected a number from 0 to 1 for 'alpha'");
  });
});

describe("traits", () => {
  it("say what a trainer has to supply", () => {
    const needs = (loss: PreferenceLoss) => (["reference", "tokens", "wpo"] as const).filter((need) => lossNeeds(loss, need));
    expect(needs(dpop())).toEqual(["reference"]);
    expect(needs(ipo())).toEqual(["reference", "tokens"]);
    expect(needs(slic())).toEqual([]);
    for (const loss of [simpo(), orpo(), cpo(), sft()]) expect(needs(loss)).toEqual(["tokens"]);
    expect(needs(weightedSum([dpop(), sft()]))).toEqual(["reference", "tokens"]);
    expect(needs(wpo(dpop()))).toEqual(["reference", "wpo"]);
    expect(needs(wpo(weightedSum([simpo(), sft()])))).toEqual(["tokens", "wpo"]);
    expect(needs((logProbs) => logProbs.policyChosen.neg())).toEqual(["reference", "tokens"]);
  });

  it("of a sum are those of the first loss that is not cross-entropy", () => {
    const loss = weightedSum([sft({ beta: 9 }), simpo({ beta: 2 }), dpop()]);
    expect([loss.name, loss.beta]).toEqual(["sft+simpo+dpop", 2]);
    expect(pairRewards(loss, logProbsOf([pair])).chosen.item()).toBeCloseTo((2 * -10.2) / 4, 12);
    expect(Object.keys(loss.metrics!(logProbsOf([pair])))).toEqual(["dpop/penalty_mean", "dpop/penalty_active"]);
    expect(weightedSum([sft({ beta: 9 })]).beta).toBe(9);
  });

  it("rewards are β times the log-ratios, those of the user's own function unscaled", () => {
    const own: PreferenceLoss = ({ policyChosen }) => policyChosen.neg();
    const rewards = (loss: PreferenceLoss) => {
      const { chosen, rejected } = pairRewards(loss, logProbsOf([pair]));
      expect(chosen.requiresGrad || rejected.requiresGrad).toBe(false);
      return [chosen.item(), rejected.item()].map((value) => Number(value.toFixed(12)));
    };
    expect(rewards(dpop({ beta: 0.5 }))).toEqual([-0.1, -0.5]);
    expect(rewards(own)).toEqual([-0.2, -1]);
    expect(rewards(defineLoss("own", { beta: 2, needs: ["reference"] }, own))).toEqual([-0.4, -2]);
    expect(rewards(slic({ beta: 3 }))).toEqual([-10.2, -13]);
  });

  it("dpop measures the penalty in nats, and its share beyond the tolerance", () => {
    const pairs: Pair[] = [
      [-10.05, -1, -10, -1],
      [-10.5, -1, -10, -1],
      [-9, -1, -10, -1],
    ];
    const { "dpop/penalty_mean": mean, "dpop/penalty_active": active } = dpop({ tolerance: 0.1 }).metrics!(logProbsOf(pairs));
    expect([...(mean!.toArray() as Float64Array)].map((value) => Number(value.toFixed(12)))).toEqual([0.05, 0.5, 0]);
    expect(active!.toList()).toEqual([0, 1, 0]);
    expect(mean!.requiresGrad).toBe(false);
  });
});

test.each([
  [() => sigmoid({ labelSmoothing: 0.5 }), "from 0 to below 0.5 for 'labelSmoothing' but received 0.5"],
  [() => robust({ labelSmoothing: -0.1 }), "'labelSmoothing' but received -0.1"],
  [() => exoPair({ labelSmoothing: 0 }), "above 0 and below 0.5 (1e-3 is usual) for 'labelSmoothing' but received 0"],
  [() => discopop({ tau: 0 }), "'tau' but received 0"],
  [() => dpoShift({ shift: 1.5 }), "'shift' but received 1.5"],
  [() => hinge({ beta: "0.1" as never }), "'beta' but received \"0.1\""],
  [() => sigmoid({ fDivergenceType: "kl" as never }), "'fDivergenceType' but received \"kl\""],
  [() => ncaPair({ labelSmoothing: 0.1 } as object), "'labelSmoothing'"],
  [() => weightedSum([]), "at least one loss"],
  [() => weightedSum([sigmoid()], [1, 2]), "1 weights for 'weights', one a loss, but received 2"],
  [() => weightedSum([sigmoid()], [Number.NaN]), "'weights[0]' but received NaN"],
])("a wrong option is refused (%#)", (make, message) => {
  expect(make).toThrow(message);
});
