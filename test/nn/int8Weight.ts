/** A second form of weight for tests: eight bits a value, with one scale for each row. */
import { buffer, Linear, type Module, type Weight } from "../../src/nn";
import { type DType, noGrad, type Tensor, tidy } from "../../src/torch";

export class Int8Weight implements Weight {
  readonly requiresGrad = false;
  /** `[out, in]` int8 */
  private readonly values: Tensor;
  /** `[out, 1]` float32: a row's largest value is 127 of it. */
  private readonly scale: Tensor;

  constructor(
    dense: Tensor,
    readonly dtype: DType = dense.dtype,
  ) {
    const [values, scale] = tidy(() =>
      noGrad(() => {
        const wide = dense.detach().to("float32");
        const step = wide.abs().amax([1], true).div(127);
        return [wide.div(step).round().to("int8"), step];
      }),
    ) as [Tensor, Tensor];
    this.values = buffer(values);
    this.scale = buffer(scale);
  }

  get shape() {
    return this.values.shape;
  }

  get device() {
    return this.values.device;
  }

  get bytes() {
    return this.values.numel() + 4 * this.scale.numel();
  }

  get scratchBytes() {
    return 4 * this.values.numel();
  }

  multiply(x: Tensor, bias?: Tensor | null): Tensor {
    const product = x.matmul(this.dense().to({ dtype: x.dtype }).t());
    return bias ? product.add(bias) : product;
  }

  pullBack(gradient: Tensor): Tensor {
    return gradient.matmul(this.dense().to({ dtype: gradient.dtype }));
  }

  dense(): Tensor {
    return this.values.to("float32").mul(this.scale).to({ dtype: this.dtype });
  }

  *tensors(): Generator<[string, Tensor]> {
    yield ["", this.values];
    yield [".scale", this.scale];
  }
}

/** Quantises linear layers in place, those of other names stay. */
export function quantise(model: Module, names = /(?:)/): void {
  for (const [name, module] of model.namedModules())
    if (module instanceof Linear && names.test(name)) {
      const slot = module.parameterSlot("weight");
      slot.replace(new Int8Weight(module.weight));
      slot.settle();
    }
}

/** Gives dense layers the values that `quantise` would give them. */
export function roundAsQuantised(model: Module, names = /(?:)/): void {
  for (const [name, module] of model.namedModules())
    if (module instanceof Linear && names.test(name))
      tidy(() => {
        const weight = new Int8Weight(module.weight);
        noGrad(() => module.weight.copy_(weight.dense()));
        for (const [, tensor] of weight.tensors()) tensor.dispose();
      });
}
