import { describe, expect, it } from "vitest";
import { dpop, type PreferenceLoss, sigmoid } from "../../src/preference";
import { autograd, type Tensor, tensor } from "../../src/torch";

const double = (values: number[], requiresGrad = false): Tensor => tensor(values, { dtype: "float64", requiresGrad });

function evaluate(loss: PreferenceLoss, [polW, polL, refW, refL]: readonly [number, number, number, number]) {
  const policyChosen = double([polW], true);
  const policyRejected = double([polL], true);
  const value = loss({ policyChosen, policyRejected, referenceChosen: double([refW]), referenceRejected: double([refL]) });
  const [chosen, rejected] = autograd.grad(value.sum(), [policyChosen, policyRejected]);
  return { loss: value.item(), chosenGrad: chosen!.item(), rejectedGrad: rejected!.item() };
}

/** Derived by hand from Eq. 3 of the paper, and checked against central differences. */
const golden = [
  {
    name: "init",
    in: [-10, -12, -10, -12],
    beta: 0.3,
    lambda: 50,
    dpo: 0.693147181,
    dpop: 0.693147181,
    inside: 0.693147181,
    outside: 0.693147181,
    gradW: -0.15,
    gradL: 0.15,
  },
  {
    name: "inactive",
    in: [-9.5, -13, -10, -12],
    beta: 0.3,
    lambda: 50,
    dpo: 0.493248946,
    dpop: 0.493248946,
    inside: 0.493248946,
    outside: 0.493248946,
    gradW: -0.11680823,
    gradL: 0.11680823,
  },
  {
    name: "active",
    in: [-10.2, -13, -10, -12],
    beta: 0.3,
    lambda: 50,
    dpo: 0.580329967,
    dpop: 2.821369538,
    inside: 9.760057713,
    outside: 10.580329967,
    gradW: -14.389277201,
    gradL: 0.28214269,
  },
  {
    name: "small dip",
    in: [-10.02, -15, -10, -12],
    beta: 0.3,
    lambda: 50,
    dpo: 0.34289188,
    dpop: 0.439618133,
    inside: 0.747551024,
    outside: 1.34289188,
    gradW: -5.442479216,
    gradL: 0.106715279,
  },
  {
    name: "β 0.1, λ 5",
    in: [-10.2, -13, -10, -12],
    beta: 0.1,
    lambda: 5,
    dpo: 0.653946967,
    dpop: 0.70319718,
    inside: 1.255413849,
    outside: 1.653946967,
    gradW: -0.3029999,
    gradL: 0.050499983,
  },
  {
    name: "big dip",
    in: [-12, -20, -10, -12],
    beta: 0.3,
    lambda: 5,
    dpo: 0.152977611,
    dpop: 1.463282467,
    inside: 8.200274616,
    outside: 10.152977611,
    gradW: -1.38334461,
    gradL: 0.230557435,
  },
  {
    name: "stress",
    in: [-10.2, -13, -10, -12],
    beta: 1,
    lambda: 500,
    dpo: 0.371100666,
    dpop: 99.2,
    inside: 99.2,
    outside: 100.371100666,
    gradW: -501,
    gradL: 1,
  },
] as const;

describe.each(golden)("the paper's pair '$name'", ({ in: input, beta, lambda, gradW, gradL, ...expected }) => {
  it("gives DPO's value", () => {
    expect(evaluate(sigmoid({ beta }), input).loss).toBeCloseTo(expected.dpo, 8);
  });

  it("gives DPOP's value and gradients", () => {
    const { loss, chosenGrad, rejectedGrad } = evaluate(dpop({ beta, lambda }), input);
    expect(loss).toBeCloseTo(expected.dpop, 8);
    expect(chosenGrad).toBeCloseTo(gradW, 8);
    expect(rejectedGrad).toBeCloseTo(gradL, 8);
  });

  it("gives the other placements' values", () => {
    expect(evaluate(dpop({ beta, lambda, placement: "inside" }), input).loss).toBeCloseTo(expected.inside, 8);
    expect(evaluate(dpop({ beta, lambda, placement: "outside" }), input).loss).toBeCloseTo(expected.outside, 8);
  });
});

describe("dpop", () => {
  it("is DPO bit for bit with λ = 0", () => {
    const pairs = [
      [-10.2, -13, -10, -12],
      [-3, -1, -2, -4],
      [-10, -12, -10, -12],
    ] as const;
    for (const pair of pairs)
      expect(evaluate(dpop({ beta: 0.3, lambda: 0 }), pair)).toEqual(evaluate(sigmoid({ beta: 0.3 }), pair));
  });

  it("starts every fresh run with DPO's gradient: relu's zero at the kink", () => {
    const { chosenGrad, rejectedGrad } = evaluate(dpop(), [-10, -12, -10, -12]);
    expect(chosenGrad).toBeCloseTo(-0.15, 12);
    expect(rejectedGrad).toBeCloseTo(0.15, 12);
  });

  it("has the gradient of finite differences in float64, in every placement", () => {
    const h = 1e-6;
    for (const placement of ["inside_beta", "inside", "outside"] as const) {
      for (const [polW, polL, refW, refL] of [
        [-10.2, -13, -10, -12],
        [-9.5, -13, -10, -12],
        [-12, -11, -10, -12],
      ] as const) {
        const loss = dpop({ beta: 0.3, lambda: 5, placement });
        const at = (w: number, l: number) => evaluate(loss, [w, l, refW, refL]).loss;
        const { chosenGrad, rejectedGrad } = evaluate(loss, [polW, polL, refW, refL]);
        expect(chosenGrad).toBeCloseTo((at(polW + h, polL) - at(polW - h, polL)) / (2 * h), 7);
        expect(rejectedGrad).toBeCloseTo((at(polW, polL + h) - at(polW, polL - h)) / (2 * h), 7);
      }
    }
  });

  it("does not count a drop within the tolerance, and counts all of one beyond it", () => {
    const loss = dpop({ beta: 0.3, lambda: 50, tolerance: 0.1 });
    const small = [-10.05, -13, -10, -12] as const;
    expect(evaluate(loss, small)).toEqual(evaluate(sigmoid({ beta: 0.3 }), small));
    const large = [-10.2, -13, -10, -12] as const;
    expect(evaluate(loss, large)).toEqual(evaluate(dpop({ beta: 0.3, lambda: 50 }), large));
  });

  it("defaults to the paper's β 0.3 and λ 50", () => {
    const pair = [-10.2, -13, -10, -12] as const;
    expect(evaluate(dpop(), pair)).toEqual(evaluate(dpop({ beta: 0.3, lambda: 50 }), pair));
  });

  it.each([
    [{ beta: 0 }, "'beta' but received 0"],
    [{ beta: Number.NaN }, "'beta' but received NaN"],
    [{ lambda: -1 }, "'lambda' but received -1"],
    [{ tolerance: Number.POSITIVE_INFINITY }, "'tolerance' but received Infinity"],
    [{ placement: "beside" as never }, "'placement' but received \"beside\""],
  ])("refuses %j", (options, message) => {
    expect(() => dpop(options)).toThrow(message);
  });
});

describe("from logits to the loss (float64)", () => {
  const [T, V] = [6, 7];
  const ids = [
    [1, 3, 2, 5, 0, 6],
    [2, 2, 4, 1, 3, 0],
    [1, 3, 2, 4, 0, 6],
    [2, 2, 5, 1, 3, 3],
  ];
  const mask = [
    [0, 0, 1, 1, 1, 1],
    [0, 0, 1, 1, 1, 0],
    [0, 0, 1, 1, 1, 1],
    [0, 0, 1, 1, 1, 1],
  ];
  const logits = (f: (r: number, t: number, v: number) => number) =>
    Array.from({ length: 4 }, (_, r) => Array.from({ length: T }, (_, t) => Array.from({ length: V }, (_, v) => f(r, t, v))));
  const policyValues = logits((r, t, v) => 2 * Math.sin(1 + 1.7 * r + 0.9 * t + 2.3 * v));
  const referenceValues = logits((r, t, v) => 2 * Math.cos(0.5 + 1.1 * r + 1.3 * t + 0.7 * v));

  /** Sums of the log-probs of masked tokens; logits at t predict ids at t + 1. */
  const sums = (all: Tensor): Tensor => {
    const targets = tensor(
      ids.map((row) => row.slice(1)),
      { dtype: "int64" },
    ).unsqueeze(-1);
    const kept = tensor(
      mask.map((row) => row.slice(1)),
      { dtype: "float64" },
    );
    return all
      .narrow(1, 0, T - 1)
      .logSoftmax(-1)
      .gather(-1, targets)
      .squeeze(-1)
      .mul(kept)
      .sum(1);
  };

  it.each([
    {
      beta: 0.3,
      lambda: 50,
      pairs: [0.1048540764, 7.3519348551],
      mean: 3.7283944657,
      norm: 13.8178729327,
      grads: [-0.0135905186, 0.0145648836, -5.9215511112],
    },
    {
      beta: 0.1,
      lambda: 5,
      pairs: [0.3919996007, 0.7222063002],
      mean: 0.5571029504,
      norm: 0.2885265563,
      grads: [-0.0147584373, 0.0158165357, -0.1195109629],
    },
    {
      beta: 0.3,
      lambda: 0,
      pairs: [0.1048540764, 0.4284154322],
      mean: 0.2666347543,
      norm: 0.1564016471,
      grads: [-0.0135905186, 0.0145648836, -0.0404851736],
    },
  ])("gives the golden values for β $beta, λ $lambda", ({ beta, lambda, pairs, mean, norm, grads }) => {
    const policy = tensor(policyValues, { dtype: "float64", requiresGrad: true });
    const policySums = sums(policy);
    const referenceSums = sums(tensor(referenceValues, { dtype: "float64" }));
    const perPair = dpop({ beta, lambda })({
      policyChosen: policySums.narrow(0, 0, 2),
      policyRejected: policySums.narrow(0, 2, 2),
      referenceChosen: referenceSums.narrow(0, 0, 2),
      referenceRejected: referenceSums.narrow(0, 2, 2),
    });
    const loss = perPair.mean();
    loss.backward();
    const grad = policy.grad!;
    perPair.toArray().forEach((value, i) => expect(value).toBeCloseTo(pairs[i]!, 9));
    expect(loss.item()).toBeCloseTo(mean, 9);
    expect(grad.norm().item()).toBeCloseTo(norm, 8);
    expect(grad.index(0, 1, 2).item()).toBeCloseTo(grads[0]!, 9);
    expect(grad.index(2, 1, 2).item()).toBeCloseTo(grads[1]!, 9);
    expect(grad.index(1, 2, 1).item()).toBeCloseTo(grads[2]!, 9);
  });

  it("gives the golden sequence log-probs", () => {
    const policy = sums(tensor(policyValues, { dtype: "float64" })).toArray();
    [-10.1695529159, -6.8799676953, -9.9422237061, -14.9185943545].forEach((value, i) => expect(policy[i]).toBeCloseTo(value, 9));
    const reference = sums(tensor(referenceValues, { dtype: "float64" })).toArray();
    [-13.8397111937, -6.3481602504, -6.2713801558, -12.3007256633].forEach((value, i) =>
      expect(reference[i]).toBeCloseTo(value, 9),
    );
  });
});

it.each([
  [() => dpop({ dpop_lambda: 5 } as object), "'dpop_lambda'"],
  [() => sigmoid({ lambda: 5 } as object), "'lambda'"],
])("refuses a misspelt option (%#)", (make, name) => {
  expect(make).toThrow(name);
});
