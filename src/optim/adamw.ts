/**
 * AdamW (Loshchilov and Hutter, 2019) through libtorch's fused kernel: one call for all parameters of a group that
 * share a dtype and a device. amsgrad and maximize are left out.
 */

import { fits } from "../base/arguments";
import { expected } from "../base/errors";
import { checkOptions, given } from "../base/options";
import { received } from "../base/values";
import { TorchError } from "../native/errors";
import { dispose, keep, noGrad, ops, Tensor, tidy, zeros } from "../torch";
import { adamwArguments } from "./arguments";
import { wayToParameters } from "./clip";
import type { Optimizer, OptimizerGroup, StateLayout } from "./optimizer";

export interface AdamWOptions {
  /** Learning rate, before the factor given to `step`. */
  lr?: number;
  /** Decay of the running means of the gradient and of its square. */
  betas?: readonly [number, number];
  eps?: number;
  /** Share of a weight subtracted per step and learning rate. */
  weightDecay?: number;
}

export interface ParameterGroup extends AdamWOptions {
  params: Iterable<Tensor>;
}

const settingNames = ["lr", "betas", "eps", "weightDecay"];

type Group = OptimizerGroup & Required<AdamWOptions>;

/** A type, not an interface: an `OptimizerStateDict` holds it as tensors by name. */
type ParameterState = {
  /** Steps taken, a float32 scalar: what the kernel wants. */
  step: Tensor;
  expAvg: Tensor;
  expAvgSq: Tensor;
};

/** The state that AdamW keeps for each parameter. */
export const adamwLayout: StateLayout = {
  optimizer: "AdamW",
  tensors: { step: "steps", expAvg: "parameter", expAvgSq: "parameter" },
};

const stateNames = Object.keys(adamwLayout.tensors) as (keyof ParameterState)[];

export interface AdamWStateDict {
  /** By the parameter's number, counted through the groups; none for one that has never had a gradient. */
  state: Record<number, ParameterState>;
  groups: (Required<AdamWOptions> & { params: number[] })[];
}

/**
 * ```ts
 * const optimizer = new AdamW(model.parameters(), { lr: 5e-5 });
 * const schedule = linearSchedule({ warmupSteps: 10, totalSteps: 100 });
 * for (let k = 0; k < 100; k++) {
 *   tidy(() => loss(model, batches[k]).backward());
 *   optimizer.step(schedule(k));
 *   optimizer.zeroGrad();
 * }
 * ```
 */
export class AdamW implements Optimizer {
  readonly layout = adamwLayout;
  /** Settings may be changed between steps. */
  readonly groups: readonly Group[];
  private readonly state = new Map<Tensor, ParameterState>();

  /** Takes parameters, or groups of them with settings of their own; `options` are for what a group leaves out. */
  constructor(params: Iterable<Tensor> | readonly ParameterGroup[], options: AdamWOptions = {}) {
    if (typeof params !== "object" || params === null || !(Symbol.iterator in params))
      throw new TypeError(
        `Expected tensors, or parameter groups, for 'params' but received ${received(params)}${wayToParameters(params)}`,
      );
    const entries = [...params];
    const groups = entries.every(isGroup) ? entries : [{ params: entries as Tensor[] }];
    checkOptions("AdamW", options, settingNames);
    for (const group of groups) checkOptions("AdamW", group, ["params", ...settingNames]);
    this.groups = groups.map((group) => ({ ...settings({ ...options, ...given(group) }), params: [...group.params] }));
    const all = this.parameters();
    if (all.length === 0) throw new RangeError("Expected at least one parameter for 'params' but received none");
    if (new Set(all).size < all.length) throw new RangeError("Expected each parameter once for 'params' but received one twice");
    const computed = all.find((parameter) => !parameter.isLeaf);
    if (computed) throw new TypeError(`Expected leaf tensors for 'params' but received a result of ${computed.gradFn}`);
  }

  /**
   * Updates every parameter that has a gradient.
   *
   * @param lrFactor multiplies every group's `lr`: a schedule's value for this step
   * @param foundInf a float32 scalar on the device; where it is not 0 nothing is updated, without the host knowing
   */
  step(lrFactor = 1, { foundInf }: { foundInf?: Tensor } = {}): void {
    if (!Number.isFinite(lrFactor)) throw new RangeError(`Expected a finite number for 'lrFactor' but received ${lrFactor}`);
    let updated = false;
    tidy(() =>
      noGrad(() => {
        for (const group of this.groups) {
          const batches = this.batches(group.params);
          for (const { params, grads, expAvgs, expAvgSqs, steps } of batches) {
            ops._foreachAdd_(steps, 1);
            ops._fusedAdamw_(params, grads, expAvgs, expAvgSqs, [], steps, {
              lr: group.lr * lrFactor,
              beta1: group.betas[0],
              beta2: group.betas[1],
              weightDecay: group.weightDecay,
              eps: group.eps,
              amsgrad: false,
              maximize: false,
              foundInf,
            });
            updated = true;
          }
        }
      }),
    );
    if (!updated) throw new TorchError("AdamW.step: no parameter has a gradient; call backward() on a loss that depends on one");
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** What `loadStateDict` needs to resume bit for bit. The tensors are detached aliases: clone to keep a moment. */
  stateDict(): AdamWStateDict {
    const state: Record<number, ParameterState> = {};
    for (const [i, parameter] of this.parameters().entries()) {
      const held = this.state.get(parameter);
      if (held) state[i] = { step: held.step.detach(), expAvg: held.expAvg.detach(), expAvgSq: held.expAvgSq.detach() };
    }
    let next = 0;
    const groups = this.groups.map(({ params, ...group }) => ({ ...group, params: params.map(() => next++) }));
    return { state, groups };
  }

  /** Copies a saved state in; the groups must hold as many parameters, of the same shapes. */
  loadStateDict({ state, groups }: AdamWStateDict): void {
    const sizes = (of: readonly { params: readonly unknown[] }[]) => of.map(({ params }) => params.length).join(", ");
    if (sizes(groups) !== sizes(this.groups))
      throw new RangeError(`Expected groups of ${sizes(this.groups)} parameters for 'groups' but received ${sizes(groups)}`);
    const parameters = this.parameters();
    for (const [i, held] of entries(state)) {
      if (!(i in parameters))
        throw new RangeError(`Expected indices of ${parameters.length} parameters in 'state' but received ${i}`);
      const missing = stateNames.find((name) => !(held?.[name] instanceof Tensor));
      if (missing) throw new TypeError(`Expected a tensor for 'state.${i}.${missing}' but received ${String(held?.[missing])}`);
      const { expAvg, expAvgSq } = held;
      const shape = parameters[i]!.shape.join(", ");
      for (const [name, tensor] of Object.entries({ expAvg, expAvgSq }))
        if (tensor.shape.join(", ") !== shape)
          throw new RangeError(`Expected shape [${shape}] for 'state.${i}.${name}' but received [${tensor.shape.join(", ")}]`);
    }

    this.forget();
    groups.forEach(({ params: _, ...group }, i) => Object.assign(this.groups[i]!, group));
    tidy(() => {
      for (const [i, saved] of entries(state)) {
        const held = this.stateOf(parameters[i]!);
        for (const name of stateNames) held[name].copy_(saved[name]);
      }
    });
  }

  /** Frees the state; the parameters are their module's. */
  dispose(): void {
    this.forget();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private parameters(): Tensor[] {
    return this.groups.flatMap(({ params }) => params);
  }

  private stateOf(parameter: Tensor): ParameterState {
    let state = this.state.get(parameter);
    if (state) return state;
    const step = zeros([], { device: parameter.device });
    state = keep({ step, expAvg: ops.zerosLike(parameter), expAvgSq: ops.zerosLike(parameter) });
    this.state.set(parameter, state);
    return state;
  }

  /** The parameters that have a gradient, with their state, in lists of one dtype and device. */
  private batches(params: readonly Tensor[]): Iterable<ReturnType<typeof emptyBatch>> {
    const batches = new Map<string, ReturnType<typeof emptyBatch>>();
    for (const parameter of params) {
      const { grad } = parameter;
      if (grad === null) continue;
      const key = `${parameter.dtype} ${parameter.device}`;
      const batch = batches.get(key) ?? emptyBatch();
      batches.set(key, batch);
      const { step, expAvg, expAvgSq } = this.stateOf(parameter);
      batch.params.push(parameter);
      batch.grads.push(laidOutAs(parameter, grad));
      batch.expAvgs.push(expAvg);
      batch.expAvgSqs.push(expAvgSq);
      batch.steps.push(step);
    }
    return batches.values();
  }

  private forget(): void {
    for (const state of this.state.values()) dispose(state);
    this.state.clear();
  }
}

function emptyBatch() {
  const list = (): Tensor[] => [];
  return { params: list(), grads: list(), expAvgs: list(), expAvgSqs: list(), steps: list() };
}

/** The kernel walks both in memory order: mismatched strides would update the wrong elements. */
function laidOutAs(parameter: Tensor, grad: Tensor): Tensor {
  if (`${grad.strides}` === `${parameter.strides}`) return grad;
  return ops.emptyLike(parameter).copy_(grad);
}

function isGroup(value: Tensor | ParameterGroup): value is ParameterGroup {
  return "params" in value;
}

function entries(state: AdamWStateDict["state"]): [number, ParameterState][] {
  return Object.entries(state).map(([i, held]) => [Number(i), held]);
}

const defaults: Required<AdamWOptions> = {
  lr: adamwArguments.lr.fallback,
  betas: [adamwArguments.beta1.fallback, adamwArguments.beta2.fallback],
  eps: adamwArguments.eps.fallback,
  weightDecay: adamwArguments.weightDecay.fallback,
};

const optionOf: Readonly<Record<string, string>> = { beta1: "betas[0]", beta2: "betas[1]" };

function settings(options: AdamWOptions): Required<AdamWOptions> {
  const { lr, betas, eps, weightDecay } = { ...defaults, ...given(options) };
  if (!Array.isArray(betas) || betas.length !== 2)
    throw new TypeError(`Expected a list of two numbers for 'betas' but received ${received(betas)}`);
  const [beta1, beta2] = betas;
  for (const [name, value] of Object.entries({ lr, beta1, beta2, eps, weightDecay })) {
    const argument = adamwArguments[name as keyof typeof adamwArguments];
    if (!(Number.isFinite(value) && fits(value, argument)))
      throw new RangeError(expected(argument.expected, received(value), { name: optionOf[name] ?? name }));
  }
  return { lr, betas, eps, weightDecay };
}
