/** Every loss of TRL against TRL's own code, from logits to the gradient towards them (scripts/parity/losses.py). */
import { describe, expect, test } from "vitest";
import { createLoss, type LossConfig, ldWeights, pairRewards } from "../../src/preference";
import { fromTypedArray, type Tensor, tensor } from "../../src/torch";
import { expectClose, fixture, wave } from "./fixture";

interface Case {
  config: LossConfig & { ldAlpha?: number };
  loss: number;
  metrics: Record<string, number>;
  gradient: number[];
}

const { ids, mask, ...rest } = fixture<{ ids: number[][]; mask: number[][] } & Record<string, unknown>>("losses");
const cases = Object.entries(rest).flatMap(([key, value]) => (key.startsWith("case ") ? [value as Case] : []));

const [rows, length, vocabulary] = [6, ids[0]!.length, 5];
const pairs = rows / 2;
const labels = tensor(
  ids.map((row) => row.slice(1)),
  { dtype: "int64" },
).unsqueeze(-1); // [rows, length - 1, 1]
const scored = tensor(
  mask.map((row) => row.slice(1)),
  { dtype: "float64" },
); // [rows, length - 1]
const counts = scored.sum(1);

/** 1 for each completion token, `alpha` beyond the shorter answer's length. */
function tokenWeights(alpha: number): Tensor {
  const values = new Float64Array(rows * (length - 1));
  const place = (row: number, weights: Float32Array) => {
    const first = mask[row]!.indexOf(1) - 1;
    weights.forEach((weight, i) => (values[row * (length - 1) + first + i] = weight));
  };
  for (let pair = 0; pair < pairs; pair++) {
    const { chosen, rejected } = ldWeights(
      counts.index(pair).item() as number,
      counts.index(pair + pairs).item() as number,
      alpha,
    );
    place(pair, chosen);
    place(pair + pairs, rejected);
  }
  return fromTypedArray(values, [rows, length - 1]);
}

/** What an engine computes from the logits of policy and reference, [rows, length, vocabulary]. */
function measure(policyLogits: Tensor, ldAlpha?: number) {
  const tokens = (logits: Tensor) => logits.narrow(1, 0, length - 1).logSoftmax(-1);
  const labelled = (logProbs: Tensor) => logProbs.gather(-1, labels).squeeze(-1); // [rows, length - 1]
  const weights = ldAlpha === undefined ? scored : tokenWeights(ldAlpha);
  const split = (values: Tensor): [Tensor, Tensor] => [values.narrow(0, 0, pairs), values.narrow(0, pairs, pairs)];

  const policy = tokens(policyLogits);
  const [policyChosen, policyRejected] = split(labelled(policy).mul(weights).sum(1));
  const [referenceChosen, referenceRejected] = split(
    labelled(tokens(wave(policyLogits.shape, 3, 2, "float64")))
      .mul(weights)
      .sum(1),
  );
  const [chosenTokens, rejectedTokens] = split(counts);
  const collision = policy.mul(2).logsumexp([-1]); // log Σ_v p_v², [rows, length - 1]
  const [wpoChosen, wpoRejected] = split(labelled(policy).sub(collision).mul(scored).sum(1).div(counts).detach());
  const policyChosenPlain = ldAlpha === undefined ? undefined : split(labelled(policy).mul(scored).sum(1))[0];
  const measured = {
    policyChosen,
    policyRejected,
    referenceChosen,
    referenceRejected,
    chosenTokens,
    rejectedTokens,
    wpoChosen,
    wpoRejected,
  };
  return policyChosenPlain ? { ...measured, policyChosenPlain } : measured;
}

test.each(cases.map((one) => [JSON.stringify(one.config), one] as const))(
  "%s gives TRL's loss, gradient and metrics",
  (_, one) => {
    const { ldAlpha, ...config } = one.config;
    const logits = wave([rows, length, vocabulary], 3, 1, "float64").requiresGrad_();
    const logProbs = measure(logits, ldAlpha);
    const loss = createLoss(config);
    const perPair = loss(logProbs);
    expect(perPair.shape).toEqual([pairs]);
    perPair.mean().backward();
    expectClose(perPair.mean(), [one.loss], 1e-7, "loss");
    const gradient = logits
      .grad!.narrow(1, 0, length - 1)
      .gather(-1, labels)
      .squeeze(-1); // [rows, length - 1]
    expectClose(gradient.maskedSelect(scored.gt(0)), one.gradient, 1e-8, "gradient");

    const { chosen, rejected } = pairRewards(loss, logProbs);
    const metrics: Record<string, Tensor> = {
      "rewards/chosen": chosen,
      "rewards/rejected": rejected,
      "rewards/accuracies": chosen.gt(rejected).to("float64"),
      "rewards/margins": chosen.sub(rejected),
      "logps/chosen": logProbs.policyChosen,
      "logps/rejected": logProbs.policyRejected,
      ...loss.metrics?.(logProbs),
    };
    expect(Object.keys(metrics)).toEqual(expect.arrayContaining(Object.keys(one.metrics)));
    for (const [name, value] of Object.entries(one.metrics)) {
      if (config.lossType === "sft" && name.startsWith("rewards")) continue; // TRL's come from the reference, which sft does without
      expectClose(metrics[name]!.mean(), [value], 1e-7, name);
    }
  },
);

describe("the fixture", () => {
  test("covers every loss of TRL's DPO trainer and its divergences", () => {
    const types = new Set(cases.flatMap(({ config }) => config.lossType ?? []));
    expect([...types].sort()).toEqual([
      "aot",
      "aot_unpaired",
      "apo_down",
      "apo_zero",
      "bco_pair",
      "cpo",
      "discopop",
      "exo_pair",
      "hinge",
      "ipo",
      "nca_pair",
      "orpo",
      "robust",
      "sft",
      "sigmoid",
      "sigmoid_norm",
      "simpo",
      "sppo_hard",
    ]);
    const divergences = new Set(cases.flatMap(({ config }) => config.fDivergenceType ?? []));
    expect([...divergences].sort()).toEqual(["alpha_divergence", "forward_kl", "js_divergence"]);
  });
});
