/**
 * Low-rank adapters (Hu et al., 2021): W x + s B A dropout(x), with W frozen and s = alpha / r, or alpha / sqrt(r) with
 * rank stabilisation (Kalajdzievski, 2023). Parameter names are PEFT's within each layer (`q_proj.lora_A.weight`); the
 * adapted layer's own weights keep the names they had, so a model's state dict only grows.
 *
 * With DoRA (Liu et al., 2024) each row of W + s B A is also scaled to a learned length m: its direction is adapted by
 * A and B, its length by m. The length it has is a constant to the gradient, as in the paper's section 4.3 and in PEFT.
 *
 * A layer may have further adapters by name, frozen. Which one acts is a matter of the whole model: adapters.ts.
 */
import { type Device, type DType, noGrad, ops, type Tensor, tidy } from "../../torch";
import { Linear, LinearLayer } from "../linear";
import { Module } from "../module";
import { buffer, parameter } from "../parameter";
import type { ParameterSlot } from "../parameterSlot";
import { type LoraConfig, loraRank, loraScaling } from "./loraConfig";

/** The adapter that is trained, merged and saved unless another is named. */
export const DEFAULT_ADAPTER = "default";

/** The low-rank factors of one adapter on one layer. */
export class LoraAdapter extends Module {
  /** `[r, inFeatures]`, uniform at first, so that B alone makes the fresh adapter a zero */
  readonly lora_A: Linear;
  /** `[outFeatures, r]`, zero at first */
  readonly lora_B: Linear;
  /** DoRA's lengths of the rows, `[outFeatures]`, those of W at first */
  readonly lora_magnitude_vector: Tensor | null;
  readonly scaling: number;
  /** Dropout probability in training: the configuration's, or 0 for a run with dropout disabled. */
  dropout: number;
  /** Private, so that it is not this module's child but the layer's. */
  readonly #base: LinearLayer;

  /**
   * `name` is the layer's in its model, for the patterns. Adapters to 16-bit weights are kept in float32. One that is
   * `frozen` is to be filled; it is neither trained nor saved with the model, and drops nothing.
   */
  constructor(
    base: LinearLayer,
    readonly config: LoraConfig,
    name: string,
    { frozen = false } = {},
  ) {
    super();
    this.#base = base;
    const r = loraRank(config, name);
    const { device, dtype } = kindOf(base);
    const options = { device, dtype: dtype === "float64" ? dtype : "float32", bias: false } as const;
    this.lora_A = new Linear(base.inFeatures, r, { ...options, init: !frozen });
    this.lora_B = new Linear(r, base.outFeatures, { ...options, init: false });
    noGrad(() => [this.lora_B, ...(frozen ? [this.lora_A] : [])].forEach(({ weight }) => weight.zero_()));
    this.scaling = loraScaling(config, name);
    this.dropout = frozen ? 0 : config.dropout;
    this.lora_magnitude_vector = config.useDora ? parameter(rowLengths(plain(base).matrix.dense())) : null;
    if (frozen) for (const tensor of this.parameters()) buffer(tensor.requiresGrad_(false), { persistent: false });
    this.train(base.training);
  }

  /** What the layer answers with the adapter; `base` is what it answers without, `[..., outFeatures]`. */
  adapt(base: Tensor, x: Tensor): Tensor {
    // Over a 16-bit base the products are in its dtype, as under autocast: this saves a float32 copy of x, and the sum is
    // rounded to 16 bits anyway. DoRA divides by lengths, and stays in float32.
    const dtype = this.lora_magnitude_vector ? this.lora_A.weight.dtype : x.dtype;
    const input = x.to({ dtype });
    const drops = this.training && this.dropout > 0;
    const dropped = drops ? ops.dropout(input, this.dropout, true) : input;
    // Scaled where there are only r columns: it costs no pass over the output, forward or backward.
    const inner = ops.linear(dropped, this.lora_A.weight.to({ dtype })).mul(this.scaling);
    const update = ops.linear(inner, this.lora_B.weight.to({ dtype }));
    if (!this.lora_magnitude_vector) return base.add(update);

    const { matrix, bias } = plain(this.#base);
    const ratio = this.lora_magnitude_vector.div(this.lengths()); // [outFeatures]
    const undropped = bias ? base.sub(bias) : base;
    const product = drops ? ops.linear(dropped, matrix.dense().to({ dtype: dropped.dtype })) : undropped; // W dropout(x)
    const change = product.mul(ratio.sub(1)).add(update.mul(ratio));
    return base.add(change).to({ dtype: base.dtype });
  }

  /** The one weight that does what layer and adapter do, `[outFeatures, inFeatures]`, in the adapter's dtype. */
  mergedWeight(): Tensor {
    return tidy(() =>
      noGrad(() => {
        const directions = this.directions();
        const lengths = this.lora_magnitude_vector;
        return lengths ? directions.mul(lengths.div(rowLengths(directions)).unsqueeze(1)) : directions;
      }),
    );
  }

  /** The lengths of the rows of W + s B A, `[outFeatures]`, without a gradient. */
  private lengths(): Tensor {
    return tidy(() => noGrad(() => rowLengths(this.directions())));
  }

  /** W + s B A. */
  private directions(): Tensor {
    const delta = this.lora_B.weight.matmul(this.lora_A.weight);
    return plain(this.#base).matrix.dense().to({ dtype: delta.dtype }).add(delta, { alpha: this.scaling });
  }
}

/** A linear layer with adapters, of which at most one is active. */
export class LoraLinear extends LinearLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** By their names; "default" is the one that trains. */
  readonly adapters = new Map<string, LoraAdapter>();
  /** The adapter that acts, if the layer has it; null for none. */
  active: string | null = DEFAULT_ADAPTER;
  #merged = false;

  /** With `config` the layer gets its adapter to train; `name` is the layer's in its model, for the patterns. */
  constructor(
    readonly baseLayer: LinearLayer,
    config?: LoraConfig,
    name = "",
  ) {
    super();
    this.inFeatures = baseLayer.inFeatures;
    this.outFeatures = baseLayer.outFeatures;
    this.training = baseLayer.training;
    if (config) this.adapters.set(DEFAULT_ADAPTER, new LoraAdapter(baseLayer, config, name));
  }

  get merged(): boolean {
    return this.#merged;
  }

  /** The adapter that trains. */
  get adapter(): LoraAdapter {
    const adapter = this.adapters.get(DEFAULT_ADAPTER);
    if (adapter) return adapter;
    throw new TypeError("Expected a layer with an adapter to train but received one with only frozen ones");
  }

  forward(x: Tensor): Tensor {
    const base = this.baseLayer.forward(x); // [..., outFeatures]
    const adapter = this.active === null || this.merged ? undefined : this.adapters.get(this.active);
    return adapter ? adapter.adapt(base, x) : base;
  }

  /** Puts the adapter into the base weight, rounding once. The weight before is kept until `unmerge()`. */
  merge(): void {
    if (this.merged) return;
    this.overwrite();
    this.#merged = true;
  }

  /** Puts the very weight back that was there before `merge()`. */
  unmerge(): void {
    if (!this.merged) return;
    this.slot.restore();
    this.#merged = false;
  }

  /** Puts the adapter into the base weight for good; only the base layer is of use then. */
  fold(): void {
    this.overwrite({ forGood: true });
  }

  /** Frees the adapters and leaves the base layer. */
  unwrap(): LinearLayer {
    for (const adapter of this.adapters.values()) adapter.dispose();
    this.forgetUnmerged();
    return this.baseLayer;
  }

  override dispose(): void {
    super.dispose();
    this.forgetUnmerged();
  }

  /** @internal The trained adapter's names are the layer's own; a frozen one has its name before them. */
  override *children(): ReturnType<Module["children"]> {
    yield ["baseLayer", "", this.baseLayer];
    for (const [name, adapter] of this.adapters) yield ["", name === DEFAULT_ADAPTER ? "" : name, adapter];
  }

  private get slot(): ParameterSlot {
    return plain(this.baseLayer).parameterSlot("weight");
  }

  private overwrite(options?: { forGood: boolean }): void {
    const { slot } = this;
    tidy(() => slot.overwrite(this.adapter.mergedWeight(), options));
  }

  /** The merged weight is the base layer's own from now on. */
  private forgetUnmerged(): void {
    if (this.merged) this.slot.settle();
    this.#merged = false;
  }
}

/** The layer itself where it multiplies by one matrix and nothing else: merging and DoRA need to see it. */
function plain(layer: LinearLayer): Linear {
  if (layer instanceof Linear) return layer;
  throw new TypeError(`Expected a Linear layer, for DoRA or to merge into, but received a ${layer.constructor.name}`);
}

/** The lengths of a matrix's rows, `[rows]`, in float32 or better. */
function rowLengths(weight: Tensor): Tensor {
  const dtype = weight.dtype === "float64" ? "float64" : "float32";
  return tidy(() => noGrad(() => ops.linalgVectorNorm(weight.to({ dtype }), 2, [1])));
}

/** The device and dtype that a layer computes in. */
function kindOf(layer: LinearLayer): { readonly device: Device; readonly dtype: DType } {
  if (layer instanceof Linear) return layer.matrix;
  for (const tensor of layer.parameters()) return tensor;
  for (const [, tensor] of layer.namedBuffers()) return tensor;
  throw new TypeError(`Expected a layer with weights but received a ${layer.constructor.name} without`);
}
