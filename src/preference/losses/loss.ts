/**
 * The interface of a preference loss, the properties that a trainer reads, and terms that formulas share.
 *
 * A loss sees a pair only through sums over its answers' tokens, so one forward pass serves all losses. It returns one
 * number per pair; the objective is the mean over the pairs of the whole optimizer step, however they are split.
 */
import { given } from "../../base/options";
import { isObject, received } from "../../base/values";
import type { Tensor } from "../../torch";

/** Sums of token log-probs over each answer, log π(y|x) in nats, `[pairs]` each, and further values for some losses. */
export interface PairLogProbs {
  policyChosen: Tensor;
  /**
   * Zeros where a row has no rejected answer. Only a loss of the chosen answers allows such rows (`PreferenceLoss.answers`),
   * and there reading this, or another value of the rejected answers, throws.
   */
  policyRejected: Tensor;
  /** Reading this, or `referenceRejected`, is an error for a loss that does not need the reference. */
  referenceChosen: Tensor;
  referenceRejected: Tensor;
  /** Completion tokens of each answer, EOS included, `[pairs]` in the dtype of the sums. */
  chosenTokens?: Tensor;
  rejectedTokens?: Tensor;
  /**
   * Mean number of chosen tokens per pair over the whole optimizer step. With it a mean over tokens (`sft`) is a mean over
   * pairs, so that it can be taken in parts: each pair's −log π(y_w|x) divided by this. Without it the given pairs are
   * taken for the whole step.
   */
  meanChosenTokens?: number;
  /** The unweighted sum over the chosen answer, where `policyChosen` is weighted by `ldWeights`. */
  policyChosenPlain?: Tensor;
  /** Mean over the answer's tokens of log p_t − log Σ_v p_v², without gradient, `[pairs]`: the source of `wpo`'s weights. */
  wpoChosen?: Tensor;
  wpoRejected?: Tensor;
}

/**
 * What a loss may need in addition to the policy's sums. `reference`: reference log-probs; `tokens`: `chosenTokens` and
 * `rejectedTokens`; `wpo`: `wpoChosen` and `wpoRejected`.
 */
export const possibleNeeds = ["reference", "tokens", "wpo"] as const;
export type LossNeed = (typeof possibleNeeds)[number];

/** The needs of a loss without `needs`. */
const defaultNeeds: readonly LossNeed[] = ["reference", "tokens"];

/**
 * A loss per pair, `[pairs]`. Any function of `PairLogProbs` is one; the properties are optional.
 *
 * ```ts
 * const squared: PreferenceLoss = ({ policyChosen, policyRejected }) => policyChosen.sub(policyRejected).sub(1).square();
 * ```
 */
export interface PreferenceLoss {
  (logProbs: PairLogProbs): Tensor;
  /** TRL's `loss_type` where it has one. */
  readonly name: string;
  /** Scale of the rewards in the metrics; 1 when absent. */
  readonly beta?: number;
  /** `reference` and `tokens` when absent. Reading reference log-probs without needing them is an error. */
  readonly needs?: readonly LossNeed[];
  /**
   * `batch`: a pair's loss depends on the other pairs of the call (`aot` sorts them), so splitting a step into
   * micro-batches changes the objective. Pairs are independent when absent.
   */
  readonly scope?: "batch";
  /**
   * `chosen`: neither the loss nor its metrics read the rejected answers, so rows may lack them; reading them is then an
   * error. `rewards` may read everything: rewards of missing answers are not logged. Both answers are read when absent.
   */
  readonly answers?: "chosen";
  /** Implicit rewards, `[pairs]` each, without gradient; β times the log-ratios when absent. `pairRewards` reads them. */
  readonly rewards?: (logProbs: PairLogProbs) => PairValues;
  /** The same loss with this tolerance for rounding, which a trainer measures; absent if the tolerance is set, or there is none. */
  readonly withTolerance?: (nats: number) => PreferenceLoss;
  /** Further values to log, `[pairs]` each, without gradient: the metric is the mean over pairs. */
  readonly metrics?: (logProbs: PairLogProbs) => Record<string, Tensor>;
}

/** One value for each answer of each pair, `[pairs]` each. */
export interface PairValues {
  chosen: Tensor;
  rejected: Tensor;
}

/** The properties of a loss, without its name. */
export type LossTraits = Pick<PreferenceLoss, "beta" | "scope" | "answers" | "rewards" | "metrics" | "withTolerance"> & {
  needs: readonly LossNeed[];
};

/** The losses that `defineLoss` made. */
const defined = new WeakSet<PreferenceLoss>();

/** A function as a loss with a name and traits. A loss that has options is declared with `declareLoss`. */
export function defineLoss(name: string, traits: LossTraits, loss: (logProbs: PairLogProbs) => Tensor): PreferenceLoss {
  const { answers, metrics } = traits;
  const hidden = hiddenFrom({ ...traits, name });
  const checked = (logProbs: PairLogProbs) => {
    if (!(isTensor(logProbs?.policyChosen) && (answers === "chosen" || isTensor(logProbs.policyRejected))))
      throw new TypeError(
        `Expected log-probs, an object of Tensors { policyChosen, policyRejected, … }, for the loss '${name}' but received ${received(logProbs)}`,
      );
    return loss(withoutHidden(logProbs, hidden));
  };
  const result = withProperties(checked, {
    name,
    ...traits,
    metrics: metrics && ((logProbs: PairLogProbs) => metrics(withoutHidden(logProbs, hidden))),
  });
  defined.add(result);
  return result;
}

/** Makes sure that a loss, such as a plain function, reads only the inputs that its `answers` and `needs` name. */
export function guardInputs(loss: PreferenceLoss): PreferenceLoss {
  if (defined.has(loss) || Object.keys(hiddenFrom(loss)).length === 0) return loss;
  const { name, needs = defaultNeeds, metrics } = loss;
  const traits: LossTraits = {
    ...loss,
    needs,
    metrics: metrics?.bind(loss),
    withTolerance: loss.withTolerance && ((nats) => guardInputs(loss.withTolerance!(nats))),
  };
  return defineLoss(name, traits, loss);
}

type Input = keyof PairLogProbs;
const OF_REFERENCE: readonly Input[] = ["referenceChosen", "referenceRejected"];
const OF_REJECTED: readonly Input[] = ["policyRejected", "referenceRejected", "rejectedTokens", "wpoRejected"];

/** The inputs that a loss must not read, since they may be zeros, each with a getter that throws. */
function hiddenFrom(loss: Pick<PreferenceLoss, "name" | "answers" | "needs">): Partial<Record<Input, () => never>> {
  const named = `the loss${loss.name && ` '${loss.name}'`}`;
  const refuse = (inputs: readonly Input[], expected: string, wayOut: string) =>
    inputs.map((input) => [
      input,
      () => {
        throw new TypeError(`Expected ${named} to ${expected} but it read '${input}', ${wayOut}`);
      },
    ]);
  const ofReference = refuse(
    lossNeeds(loss, "reference") ? [] : OF_REFERENCE,
    `use only what it needs (needs: ${JSON.stringify(loss.needs)})`,
    "which a trainer then fills with zeros; add \"reference\" to 'needs'",
  );
  const ofRejected = refuse(
    loss.answers === "chosen" ? OF_REJECTED : [],
    'use only the chosen answers (answers: "chosen")',
    "which rows may lack; remove 'answers' if the loss compares two answers",
  );
  return Object.fromEntries([...ofReference, ...ofRejected]) as Partial<Record<Input, () => never>>;
}

function withoutHidden(logProbs: PairLogProbs, hidden: Partial<Record<Input, () => never>>): PairLogProbs {
  const inputs = Object.entries(hidden);
  if (inputs.length === 0) return logProbs;
  const readable: PairLogProbs = Object.assign(Object.create(logProbs), logProbs); // inputs may be getters of a class
  // Not enumerable, so that the object can be copied.
  for (const [input, get] of inputs) Object.defineProperty(readable, input, { get, enumerable: false });
  return readable;
}

/** By its methods: the class itself would load libtorch. */
function isTensor(value: unknown): boolean {
  return typeof (value as Partial<Tensor> | undefined)?.logSigmoid === "function";
}

/** The function with these properties, except undefined ones; a function's own `name` can be redefined, not assigned. */
export function withProperties<F extends object, P extends object>(target: F, properties: P): F & P {
  const descriptors = Object.entries(given(properties)).map(([key, value]) => [key, { value, enumerable: true }]);
  return Object.defineProperties(target, Object.fromEntries(descriptors)) as F & P;
}

/** Whether the trainer has to supply `need` for this loss. */
export function lossNeeds(loss: Pick<PreferenceLoss, "needs">, need: LossNeed): boolean {
  return (loss.needs ?? defaultNeeds).includes(need);
}

/**
 * ρ_w and ρ_l: how far the policy has moved from the reference on the chosen and on the rejected answer, `[pairs]`. ρ_l is
 * computed when it is read, so a loss of the chosen answers alone can take ρ_w from here.
 */
export function logRatios(logProbs: PairLogProbs): PairValues {
  return {
    chosen: logProbs.policyChosen.sub(logProbs.referenceChosen),
    get rejected() {
      return logProbs.policyRejected.sub(logProbs.referenceRejected);
    },
  };
}

/** The implicit rewards that TRL logs as `rewards/chosen` and `rewards/rejected`, `[pairs]` each, without gradient. */
export function pairRewards(loss: PreferenceLoss, logProbs: PairLogProbs): PairValues {
  if (loss.rewards) return loss.rewards(logProbs);
  const { chosen, rejected } = logRatios(logProbs);
  const beta = loss.beta ?? 1;
  return { chosen: chosen.detach().mul(beta), rejected: rejected.detach().mul(beta) };
}

/** Sums over each answer divided by its token count (at least 1), `[pairs]` each. */
export function meanOverTokens(sums: PairValues, { chosenTokens, rejectedTokens }: PairLogProbs, loss: string): PairValues {
  if (!chosenTokens || !rejectedTokens)
    throw new TypeError(
      `Expected 'chosenTokens' and 'rejectedTokens' for the loss '${loss}' but received none; they are the token counts`,
    );
  return { chosen: sums.chosen.div(chosenTokens.clampMin(1)), rejected: sums.rejected.div(rejectedTokens.clampMin(1)) };
}

/**
 * The logistic loss of scaled margins z, any shape, when a share ε of the labels is assumed to be flipped: cDPO (Mitchell
 * 2023, "A note on DPO with noisy preferences"; the original DPO code):
 *
 *   −(1 − ε)·log σ(z) − ε·log σ(−z)
 *
 * Its minimum is at z = log((1 − ε)/ε) instead of at infinity. With ε = 0 it is exactly −log σ(z).
 */
export function smoothedLogistic(z: Tensor, labelSmoothing: number): Tensor {
  const kept = z.logSigmoid().neg();
  if (labelSmoothing === 0) return kept;
  return kept.mul(1 - labelSmoothing).sub(z.neg().logSigmoid().mul(labelSmoothing));
}

/** Why a loss must not be async. */
export const NOT_ASYNC = "a training step cannot wait, so compute what the loss awaits beforehand";

/**
 * Throws unless `loss` is a synchronous function, as opposed to a loss's name or an async function.
 *
 * @throws TypeError
 */
export function expectLossFunction(loss: unknown, name: string): void {
  if (typeof loss === "function" && loss.constructor.name !== "AsyncFunction") return;
  throw new TypeError(`Expected a loss, such as dpop(), for '${name}' but received ${received(loss)}${wayToLoss(loss)}`);
}

/** How to turn the given value into a loss. */
function wayToLoss(value: unknown): string {
  if (typeof value === "string") return `; create it with createLoss({ lossType: ${JSON.stringify(value)} })`;
  if (typeof value === "function") return `, which is async; ${NOT_ASYNC}`;
  return isObject(value) && "lossType" in value ? "; pass it to createLoss(…)" : "";
}
