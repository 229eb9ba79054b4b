/**
 * Checks a loss before any work by calling it once with the log-probs of two made-up pairs. A wrong return value (a
 * Promise, a mean, a number) would otherwise only show in the first step.
 */
import { InputError } from "../base/errors";
import { received } from "../base/values";
import type { RejectedRule } from "../data/reading/columnMapping";
import { createLoss, type PairLogProbs, type PreferenceLoss, weightedSum, wpo } from "../preference/losses";
import { NOT_ASYNC } from "../preference/losses/loss";
import { type Device, fromTypedArray, Tensor, tidy } from "../torch";

/** Nats, tokens and WPO's means of the two pairs. The policy differs from the reference, so that no loss is at a kink. */
const SAMPLE = {
  policyChosen: [-11, -24],
  policyRejected: [-13, -21],
  referenceChosen: [-12, -22],
  referenceRejected: [-12.5, -20],
  chosenTokens: [4, 9],
  rejectedTokens: [5, 8],
  wpoChosen: [-1, -2],
  wpoRejected: [-1.5, -1],
} as const;
const PAIRS = 2;

/** Functions that create losses, in addition to those that `declareLoss` makes. */
const MAKERS: readonly unknown[] = [createLoss, weightedSum, wpo];

/**
 * Throws unless `loss` returns one differentiable number per pair.
 *
 * @param device where the losses will be computed
 * @returns the names of the loss's own metrics
 * @throws TypeError that says what the loss returned and how to fix it; whatever the loss itself throws
 */
export function checkLoss(loss: PreferenceLoss, device: Device): string[] {
  if ("declaration" in loss || MAKERS.includes(loss))
    throw new TypeError(
      `Expected a loss for 'loss' but received the function ${loss.name}, which creates one; call it: ${loss.name}(…)`,
    );
  return tidy(() => {
    const sample = Object.fromEntries(
      Object.entries(SAMPLE).map(([name, values]) => {
        const requiresGrad = name.startsWith("policy");
        return [name, fromTypedArray(Float32Array.from(values), [PAIRS], { device, requiresGrad })];
      }),
    );
    const logProbs = { ...sample, meanChosenTokens: 6.5 } as unknown as PairLogProbs;
    const result: unknown = loss(logProbs);
    expectPerPair(result, "'loss'");
    if (!result.requiresGrad)
      throw new TypeError(
        "Expected a loss that depends on 'policyChosen' or 'policyRejected' for 'loss' but received one without a gradient; " +
          "compute it with tensor operations and do not detach either",
      );
    const metrics = loss.metrics?.(logProbs) ?? {};
    for (const [name, values] of Object.entries(metrics)) expectPerPair(values, `the metric '${name}' of 'loss'`);
    return Object.keys(metrics);
  });
}

/** Whether rows must have a rejected answer for this loss. */
export function rejectedRule(loss: Pick<PreferenceLoss, "answers">): RejectedRule {
  return loss.answers === "chosen" ? "optional" : "required";
}

/**
 * Throws unless every row has the answers that the loss reads.
 *
 * @param name the option that the rows are from
 * @throws InputError that names the first row without a rejected answer
 */
export function expectAnswersFor(
  loss: Pick<PreferenceLoss, "name" | "answers">,
  rows: readonly { readonly index?: number; readonly rejected?: unknown }[],
  name: string,
): void {
  if (rejectedRule(loss) === "optional") return;
  const at = rows.findIndex(({ rejected }) => rejected === undefined);
  if (at < 0) return;
  throw new InputError(
    `Expected 'rejected' in row ${rows[at]!.index ?? at} of '${name}' but received none: ` +
      `${loss.name ? `the loss '${loss.name}'` : "the loss"} compares two answers. Give every row a rejected answer, or ` +
      "train on the chosen ones alone with loss_type sft",
  );
}

function expectPerPair(value: unknown, from: string): asserts value is Tensor {
  if (value instanceof Tensor && value.dim() === 1 && value.size(0) === PAIRS) return;
  if (value instanceof Promise) value.catch(() => undefined); // the message reports the Promise; its rejection is not relevant
  const shown =
    value instanceof Tensor
      ? `a Tensor of shape [${value.shape.join(", ")}]`
      : value instanceof Promise
        ? "a Promise"
        : received(value);
  const way =
    value instanceof Promise
      ? `; ${NOT_ASYNC}`
      : value instanceof Tensor && value.dim() === 0
        ? "; do not reduce: the trainer takes the mean over the pairs of a step"
        : "";
  throw new TypeError(
    `Expected one number per pair, a Tensor of shape [${PAIRS}] for ${PAIRS} pairs, from ${from} but received ${shown}${way}`,
  );
}
