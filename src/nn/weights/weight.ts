/**
 * What a linear layer multiplies by. Layers, the head, adapters, merging and the memory plan see a weight only through
 * this interface, so that it can be stored in another form: in 4 bits, say. A new form is one class that implements
 * `Weight`. A layer is made with it (`Linear`'s option `weight`), or gets it later, through the slot of its parameter
 * (parameterSlot.ts).
 */
import { type Device, type DType, ops, type Tensor } from "../../torch";
import { itemSize } from "../../torch/dtype";

/** A matrix W, `[outFeatures, inFeatures]`. */
export interface Weight {
  readonly shape: readonly number[];
  /** Of the values that `dense` returns, whatever they are stored in. */
  readonly dtype: DType;
  readonly device: Device;
  /** Whether the weight itself gets a gradient. */
  readonly requiresGrad: boolean;
  /** Bytes it is stored in. */
  readonly bytes: number;
  /** Bytes that one product takes and frees again, such as a dense copy. */
  readonly scratchBytes: number;

  /** `x W^T + bias`, `[..., inFeatures]` to `[..., outFeatures]`. Differentiable in `x`. */
  multiply(x: Tensor, bias?: Tensor | null): Tensor;

  /** `gradient W`: the gradient of `multiply(x)`, `[..., outFeatures]`, to that of `x`. Not differentiable. */
  pullBack(gradient: Tensor): Tensor;

  /** The values as a tensor, not to be written to: the weight's own if it has one, otherwise a new one. */
  dense(): Tensor;

  /**
   * The tensors it is stored in, parameters or buffers, with what follows the layer's `weight` in their names: "" or,
   * say, ".absmax". They move, are saved and freed with the layer.
   */
  tensors(): Iterable<readonly [suffix: string, tensor: Tensor]>;
}

/** One tensor: the weight of every layer that is not quantised. */
export class DenseWeight implements Weight {
  readonly scratchBytes = 0;

  constructor(readonly tensor: Tensor) {}

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  get dtype(): DType {
    return this.tensor.dtype;
  }

  get device(): Device {
    return this.tensor.device;
  }

  get requiresGrad(): boolean {
    return this.tensor.requiresGrad;
  }

  get bytes(): number {
    return this.tensor.numel() * itemSize(this.tensor.dtype);
  }

  multiply(x: Tensor, bias?: Tensor | null): Tensor {
    return ops.linear(x, this.tensor, bias);
  }

  pullBack(gradient: Tensor): Tensor {
    return gradient.matmul(this.tensor);
  }

  dense(): Tensor {
    return this.tensor;
  }

  *tensors(): Generator<[suffix: string, tensor: Tensor]> {
    yield ["", this.tensor];
  }
}
