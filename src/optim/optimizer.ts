/**
 * What a trainer asks of an optimizer, whatever its rule is. `AdamW` is one; another fits by implementing `Optimizer`:
 * a run trains with it, and its checkpoints hold the tensors that `layout` declares.
 */
import type { Tensor } from "../torch";
import { itemSize } from "../torch/dtype";

/** Parameters that share their settings. */
export interface OptimizerGroup {
  readonly params: readonly Tensor[];
  /** Learning rate, before the factor given to `step`. */
  lr: number;
}

/**
 * One tensor of a parameter's state: `"parameter"` has the parameter's shape and dtype; `"steps"` counts the steps
 * taken, a float32 scalar.
 */
export type StateKind = "parameter" | "steps";

/** What an optimizer keeps for each parameter. It says which tensors a checkpoint must hold. */
export interface StateLayout {
  /** The optimizer's name, for messages. */
  readonly optimizer: string;
  /** By the name in the state dict. */
  readonly tensors: Readonly<Record<string, StateKind>>;
}

export interface OptimizerStateDict {
  /** By the parameter's number, counted through the groups; none for one that has never had a gradient. */
  state: Record<number, Readonly<Record<string, Tensor>>>;
  groups: readonly { readonly params: readonly number[] }[];
}

export interface Optimizer extends Disposable {
  readonly layout: StateLayout;
  /** Settings may be changed between steps. */
  readonly groups: readonly OptimizerGroup[];

  /**
   * Updates every parameter that has a gradient.
   *
   * @param lrFactor multiplies every group's `lr`: a schedule's value for this step
   * @param foundInf a float32 scalar on the device; where it is not 0 nothing is updated, without the host knowing
   */
  step(lrFactor?: number, options?: { foundInf?: Tensor }): void;

  /** Drops all gradients. */
  zeroGrad(): void;

  /** What `loadStateDict` needs to resume bit for bit. The tensors are detached aliases: clone to keep a moment. */
  stateDict(): OptimizerStateDict;

  /** Copies a saved state in; the groups must hold as many parameters, of the same shapes. */
  loadStateDict(dict: OptimizerStateDict): void;

  /** Frees the state; the parameters are their module's. */
  dispose(): void;
}

/** Bytes of the state that an optimizer keeps for a parameter. */
export function stateBytes({ tensors }: StateLayout, parameter: Tensor): number {
  const sizes = { parameter: parameter.numel() * itemSize(parameter.dtype), steps: 4 };
  return Object.values(tensors).reduce((sum, kind) => sum + sizes[kind], 0);
}

/** The names that `optim` may have in transformers 5.24; only the first two are supported. */
const transformersNames: ReadonlySet<unknown> = new Set([
  "adamw_torch",
  "adamw_torch_fused",
  "adamw_torch_xla",
  "adamw_torch_npu_fused",
  "adafactor",
  "adamw_anyprecision",
  "adamw_torch_4bit",
  "adamw_torch_8bit",
  "ademamix",
  "sgd",
  "adagrad",
  "adamw_bnb_8bit",
  "adamw_8bit",
  "ademamix_8bit",
  "lion_8bit",
  "lion_32bit",
  "paged_adamw_32bit",
  "paged_adamw_8bit",
  "paged_ademamix_32bit",
  "paged_ademamix_8bit",
  "paged_lion_32bit",
  "paged_lion_8bit",
  "rmsprop",
  "rmsprop_bnb",
  "rmsprop_bnb_8bit",
  "rmsprop_bnb_32bit",
  "galore_adamw",
  "galore_adamw_8bit",
  "galore_adafactor",
  "galore_adamw_layerwise",
  "galore_adamw_8bit_layerwise",
  "galore_adafactor_layerwise",
  "lomo",
  "adalomo",
  "grokadamw",
  "schedule_free_radam",
  "schedule_free_adamw",
  "schedule_free_sgd",
  "apollo_adamw",
  "apollo_adamw_layerwise",
  "stable_adamw",
  "adamw_hf",
  "adamw_apex_fused",
]);

/** Whether transformers has an optimizer of this name. */
export function isOptimizer(name: unknown): name is string {
  return transformersNames.has(name);
}
