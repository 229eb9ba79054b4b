/**
 * What every preference loss takes and gives, and what a trainer has to know about one.
 *
 * A loss sees a pair only through sums over its answers' tokens, so one forward pass serves all of them. It gives one
 * number a pair; the objective is the mean over the pairs of the whole optimizer step, however they are split.
 */
import { camelCase } from "../../base/arguments";
import { given } from "../../base/options";
import { received } from "../../base/received";
import { isObject } from "../../base/values";
import type { Tensor } from "../../torch";
import { type OptionTable, type OptionsOf, type SettingsOf, expectOptions } from "./options";

/** Sums of token log-probs over each answer, log π(y|x) in nats, `[pairs]` each, and what some losses need besides. */
export interface PairLogProbs {
  policyChosen: Tensor;
  policyRejected: Tensor;
  /** Zeros when the loss does not need the reference. */
  referenceChosen: Tensor;
  /** Zeros when the loss does not need the reference. */
  referenceRejected: Tensor;
  /** Completion tokens of each answer, EOS included, `[pairs]` in the dtype of the sums. */
  chosenTokens?: Tensor;
  rejectedTokens?: Tensor;
  /**
   * Mean number of chosen tokens a pair over the whole optimizer step. With it a mean over tokens (`sft`) is a mean over
   * pairs, so that it may be taken in parts: each pair's −log π(y_w|x) divided by this. Without it the pairs given are
   * the step.
   */
  meanChosenTokens?: number;
  /** The bare sum over the chosen answer where `policyChosen` is weighted by `ldWeights`; without it `policyChosen` is bare. */
  policyChosenPlain?: Tensor;
  /** Mean over the answer's tokens of log p_t − log Σ_v p_v², without gradient, `[pairs]`: what `wpo` weighs by. */
  wpoChosen?: Tensor;
  wpoRejected?: Tensor;
}

/**
 * What a loss needs beside the policy's sums. `reference`: reference log-probs; `tokens`: `chosenTokens` and
 * `rejectedTokens`; `wpo`: `wpoChosen` and `wpoRejected`.
 */
export type LossNeed = "reference" | "tokens" | "wpo";

/**
 * A loss per pair, `[pairs]`. Any function of `PairLogProbs` is one; what it leaves out of the rest is taken as said.
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
  /** Absent: `reference` and `tokens`. */
  readonly needs?: readonly LossNeed[];
  /**
   * `batch`: a pair's loss depends on the other pairs of the call (`aot` sorts them), so splitting a step into
   * micro-batches changes the objective. Absent: pairs are independent.
   */
  readonly scope?: "batch";
  /** Implicit rewards, `[pairs]` each, without gradient; absent: β times the log-ratios. `pairRewards` reads them. */
  readonly rewards?: (logProbs: PairLogProbs) => PairValues;
  /** The same loss with another tolerance; absent when none was left open. A trainer measures what rounding makes of 0. */
  readonly withTolerance?: (nats: number) => PreferenceLoss;
  /** Further values to log, `[pairs]` each, without gradient: the metric is the mean over pairs. */
  readonly metrics?: (logProbs: PairLogProbs) => Record<string, Tensor>;
}

/** One value for each answer of each pair, `[pairs]` each. */
export interface PairValues {
  chosen: Tensor;
  rejected: Tensor;
}

/** Everything of a loss but the function. */
export type LossTraits = Pick<PreferenceLoss, "beta" | "scope" | "rewards" | "metrics" | "withTolerance"> & {
  needs: readonly LossNeed[];
};

/** A loss with its name and traits; undefined ones are left off. A loss that has options is declared with `declareLoss`. */
export function defineLoss(name: string, traits: LossTraits, loss: (logProbs: PairLogProbs) => Tensor): PreferenceLoss {
  const checked = (logProbs: PairLogProbs) => {
    if (!(isTensor(logProbs?.policyChosen) && isTensor(logProbs.policyRejected)))
      throw new TypeError(
        `Expected log-probs, an object of Tensors { policyChosen, policyRejected, … }, for the loss '${name}' but received ${received(logProbs)}`,
      );
    return loss(logProbs);
  };
  return withProperties(checked, { name, ...traits });
}

/** Told by its methods, so that nothing here loads libtorch. */
function isTensor(value: unknown): boolean {
  return typeof (value as Partial<Tensor> | undefined)?.logSigmoid === "function";
}

/** The function with these properties, without undefined ones; a function's own `name` can be redefined, not assigned. */
function withProperties<F extends object, P extends object>(target: F, properties: P): F & P {
  const descriptors = Object.entries(given(properties)).map(([key, value]) => [key, { value, enumerable: true }]);
  return Object.defineProperties(target, Object.fromEntries(descriptors)) as F & P;
}

/**
 * All that there is to know of a loss: `declareLoss` makes the function that users call of it, and configuration.ts the
 * keys of a configuration, its checks and its help.
 */
export interface LossDeclaration<Name extends string, Table extends OptionTable, Metric extends string> {
  /** TRL's `loss_type` where it has one. */
  readonly name: Name;
  /** The paper, with the equation, or the implementation. */
  readonly source: string;
  readonly options: Table;
  readonly needs: readonly LossNeed[];
  /** `batch` if a pair's loss depends on the other pairs. */
  readonly scope?: "batch";
  /** The loss of each pair, `[pairs]`. */
  readonly formula: (logProbs: PairLogProbs, settings: SettingsOf<Table>) => Tensor;
  /** The implicit rewards, where they are not β times the log-ratios. */
  readonly rewards?: (logProbs: PairLogProbs, settings: SettingsOf<Table>) => PairValues;
  /** Further values to log, `[pairs]` each; one that the settings switch off is undefined. */
  readonly metrics?: Readonly<Record<Metric, (logProbs: PairLogProbs, settings: SettingsOf<Table>) => Tensor | undefined>>;
  /** The option that says which drop, in nats, is rounding. Where it is not given, a trainer measures it. */
  readonly tolerance?: keyof Table & string;
}

/** Creates a loss with the options given. */
export interface LossMaker<Name extends string, Table extends OptionTable, Metric extends string> {
  (options?: OptionsOf<Table>): PreferenceLoss;
  readonly declaration: LossDeclaration<Name, Table, Metric>;
}

// biome-ignore lint/suspicious/noExplicitAny: a function takes its own options only
export type AnyLossMaker = LossMaker<string, any, string>;

/**
 * Makes a function that creates a loss of its options. Options that do not fit are errors; see `numberOption` and
 * `choiceOption`.
 *
 * ```ts
 * const offsetDpo = declareLoss({
 *   name: "offset_dpo",
 *   source: "Amini et al. 2024, arXiv 2402.10571, with one offset for all pairs",
 *   needs: ["reference"],
 *   options: { beta: numberOption(0.1, "scale of the log-ratios", { above: 0 }), offset: numberOption(1, "the wanted margin") },
 *   formula: (logProbs, { beta, offset }) => {
 *     const { chosen, rejected } = logRatios(logProbs);
 *     return chosen.sub(rejected).mul(beta).sub(offset).logSigmoid().neg();
 *   },
 * });
 * const trainer = new PreferenceTrainer({ model, train, loss: offsetDpo({ offset: 2 }) });
 * ```
 */
export function declareLoss<const Name extends string, Table extends OptionTable, Metric extends string = never>(
  declaration: LossDeclaration<Name, Table, Metric>,
): LossMaker<Name, Table, Metric> {
  const name = camelCase(declaration.name);
  const make = (options: OptionsOf<Table> = {}) => {
    expectOptions(name, declaration.options, options);
    return createDeclared(declaration, options);
  };
  return withProperties(make, { name, declaration });
}

/** The loss with options that are known to fit. */
export function createDeclared<Table extends OptionTable>(
  declaration: LossDeclaration<string, Table, string>,
  options: OptionsOf<Table>,
): PreferenceLoss {
  const { name, needs, scope, formula, rewards, metrics, tolerance } = declaration;
  const defaults = Object.entries(declaration.options).map(([option, { fallback }]) => [option, fallback]);
  const settings = { ...Object.fromEntries(defaults), ...given(options) } as SettingsOf<Table>;
  const isOpen = tolerance !== undefined && options[tolerance] === undefined;
  const traits: LossTraits = {
    beta: (settings as { beta?: number }).beta,
    needs,
    scope,
    rewards: rewards && ((logProbs) => detached(rewards(logProbs, settings))),
    metrics: metrics && ((logProbs) => measured(metrics, logProbs, settings)),
    withTolerance: isOpen ? (nats) => createDeclared(declaration, { ...options, [tolerance]: nats }) : undefined,
  };
  return defineLoss(name, traits, (logProbs) => formula(logProbs, settings));
}

function measured<Settings>(
  metrics: Readonly<Record<string, (logProbs: PairLogProbs, settings: Settings) => Tensor | undefined>>,
  logProbs: PairLogProbs,
  settings: Settings,
): Record<string, Tensor> {
  const values = Object.entries(metrics).map(([name, metric]) => [name, metric(logProbs, settings)?.detach()]);
  return given(Object.fromEntries(values) as Record<string, Tensor>);
}

function detached({ chosen, rejected }: PairValues): PairValues {
  return { chosen: chosen.detach(), rejected: rejected.detach() };
}

/** Whether the trainer has to supply `need` for this loss. */
export function lossNeeds(loss: Pick<PreferenceLoss, "needs">, need: LossNeed): boolean {
  return (loss.needs ?? ["reference", "tokens"]).includes(need);
}

/** ρ_w and ρ_l: how far the policy has moved from the reference on the chosen and on the rejected answer, `[pairs]`. */
export function logRatios(logProbs: PairLogProbs): PairValues {
  return {
    chosen: logProbs.policyChosen.sub(logProbs.referenceChosen),
    rejected: logProbs.policyRejected.sub(logProbs.referenceRejected),
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
 * The logistic loss of scaled margins z, any shape, when a share ε of the labels is taken to be flipped: cDPO (Mitchell
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

/** How to get from what was given to a loss. */
function wayToLoss(value: unknown): string {
  if (typeof value === "string") return `; create it with createLoss({ lossType: ${JSON.stringify(value)} })`;
  if (typeof value === "function") return `, which is async; ${NOT_ASYNC}`;
  return isObject(value) && "lossType" in value ? "; pass it to createLoss(…)" : "";
}
