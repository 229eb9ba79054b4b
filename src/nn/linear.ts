/** The linear layer over any form of weight, and the interface under which adapted ones (adapters/lora.ts) stand in for it. */
import { received } from "../base/values";
import { type Generator, Tensor } from "../torch";
import { Module } from "./module";
import { type LayerOptions, newParameter } from "./parameter";
import { ParameterSlot, type SlotValue } from "./parameterSlot";
import { DenseWeight, type Weight } from "./weights/weight";

/** A learned map of the last dimension, `[..., inFeatures]` to `[..., outFeatures]`. */
export abstract class LinearLayer extends Module {
  abstract readonly inFeatures: number;
  abstract readonly outFeatures: number;
  abstract forward(x: Tensor): Tensor;
}

export interface LinearOptions extends LayerOptions {
  bias?: boolean;
  /** The weight, instead of a new dense one. The layer owns it. */
  weight?: Weight;
}

/** `x W^T + b`. */
export class Linear extends LinearLayer {
  /** `[outFeatures]` */
  readonly bias: Tensor | null;
  #matrix: Weight;
  #slot: ParameterSlot | undefined;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    { bias = true, weight, ...options }: LinearOptions = {},
  ) {
    super();
    this.#matrix = weight ?? new DenseWeight(newParameter([outFeatures, inFeatures], options, kaimingUniform_));
    const bound = 1 / Math.sqrt(inFeatures);
    this.bias = bias ? newParameter([outFeatures], options, (b, generator) => b.uniform_(-bound, bound, { generator })) : null;
  }

  /**
   * `[outFeatures, inFeatures]`, a parameter.
   *
   * @throws TypeError when the weight is not dense; `matrix` has any form
   */
  get weight(): Tensor {
    if (this.#matrix instanceof DenseWeight) return this.#matrix.tensor;
    throw new TypeError(`Expected a dense weight in the layer but received ${received(this.#matrix)}; read 'matrix' instead`);
  }

  /** What the input is multiplied by, in whatever form it is stored. */
  get matrix(): Weight {
    return this.#matrix;
  }

  forward(x: Tensor): Tensor {
    return this.#matrix.multiply(x, this.bias);
  }

  /** @internal */
  override *children(): ReturnType<Module["children"]> {
    for (const [suffix, tensor] of this.#matrix.tensors()) yield [`weight${suffix}`, `weight${suffix}`, tensor];
    yield* super.children();
  }

  /** @internal */
  override parameterSlot(field: string): ParameterSlot {
    if (field !== "weight") return super.parameterSlot(field);
    const own = this.#matrix instanceof DenseWeight ? this.#matrix.tensor : this.#matrix;
    return (this.#slot ??= new ParameterSlot(own, (value) => (this.#matrix = asWeight(value))));
  }
}

function asWeight(value: SlotValue): Weight {
  return value instanceof Tensor ? new DenseWeight(value) : value;
}

/**
 * The layers of a module that multiply by a matrix of their own, by name. An adapted layer is not one of them: its base
 * layer and the factors of its adapters are.
 */
export function* linearLayers(root: Module): Iterable<[name: string, layer: LinearLayer]> {
  for (const [name, module] of root.namedModules())
    if (module instanceof LinearLayer && ![...module.modules()].some((each) => each !== module && each instanceof LinearLayer))
      yield [name, module];
}

/**
 * Fills a weight `[out, in]` from U(-b, b) with b = gain sqrt(3 / in), gain = sqrt(2 / (1 + a^2)) and a = sqrt(5):
 * PyTorch's default for linear layers, and LoRA's for A. Computed in PyTorch's order, so that a seed gives its bits.
 */
export function kaimingUniform_(weight: Tensor, generator?: Generator): Tensor {
  const gain = Math.sqrt(2 / (1 + Math.sqrt(5) ** 2));
  const bound = Math.sqrt(3) * (gain / Math.sqrt(weight.size(1)));
  return weight.uniform_(-bound, bound, { generator });
}
