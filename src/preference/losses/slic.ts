/**
 * SLiC-HF (Zhao et al. 2023, arXiv 2305.10425), as in HALOs: a hinge on the policy's own log-probs and a pull towards
 * the chosen answer; no reference.
 *
 *   L = max(0, δ − log π(y_w|x) + log π(y_l|x)) − λ·log π(y_w|x)
 *
 * δ is a margin in nats, named `beta` in HALOs and here. TRL's `hinge` is another loss: on log-ratios, without the pull.
 */
import { checkOptions } from "../../base/options";
import { checkNumber, nonNegative, positive } from "./checks";
import { type PairLogProbs, type PreferenceLoss, defineLoss } from "./preferenceLoss";

export interface SlicOptions {
  /** δ: the margin in nats from which a pair is left alone. */
  beta?: number;
  /** Weight of the chosen answer's negative log-likelihood; HALOs' 0.1. */
  lambda?: number;
}

/**
 * ```ts
 * const loss = slic({ beta: 1, lambda: 0.1 })(logProbs).mean();
 * ```
 */
export function slic(options: SlicOptions = {}): PreferenceLoss {
  checkOptions("slic", options, ["beta", "lambda"]);
  const { beta = 1, lambda = 0.1 } = options;
  checkNumber("beta", beta, positive);
  checkNumber("lambda", lambda, nonNegative);
  // As in HALOs the rewards are the log-probs themselves: δ is no scale.
  const rewards = ({ policyChosen, policyRejected }: PairLogProbs) => ({
    chosen: policyChosen.detach(),
    rejected: policyRejected.detach(),
  });
  return defineLoss("slic", { beta, needs: [], rewards }, ({ policyChosen, policyChosenPlain = policyChosen, policyRejected }) =>
    policyRejected.sub(policyChosen).add(beta).relu().sub(policyChosenPlain.mul(lambda)),
  );
}
