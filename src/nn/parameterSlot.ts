/**
 * A parameter's place in its layer. The layer's own parameter is in it at first; another may stand in for a while: an
 * adapter's copy (`modules_to_save`), a merged weight, one in another form. What is in the slot is the layer's
 * parameter: it is used, listed, trained and saved. What is not is left out of all of these.
 */
import { Tensor, dispose, keep, noGrad, tidy } from "../torch";
import { bringBack, parameter, setAside } from "./parameter";
import type { Weight } from "./weights/weight";

/** What a slot holds: a tensor, or the weight of a linear layer that is not one tensor. */
export type SlotValue = Tensor | Weight;

export class ParameterSlot {
  private current: SlotValue;
  /** How `restore` undoes `overwrite`: the values the own tensor had, or the tensor that stands in for it. */
  private overwritten: { values: Tensor } | { standIn: Tensor } | undefined;

  /** `put` makes the layer use a value. */
  constructor(
    private own: SlotValue,
    private readonly put: (value: SlotValue) => void,
  ) {
    this.current = own;
  }

  /** What is in the slot. */
  get value(): SlotValue {
    return this.current;
  }

  /** The layer's own, also while another stands in for it. */
  get original(): SlotValue {
    return this.own;
  }

  /** Puts `next` in the place of what is there. The caller owns what is out of the slot. */
  replace(next: SlotValue): void {
    if (next === this.current) return;
    for (const tensor of tensorsOf(this.current)) setAside(tensor);
    for (const tensor of tensorsOf(next)) bringBack(tensor);
    this.put(next);
    this.current = next;
  }

  /** Puts the layer's own back, with the values it had before `overwrite`. */
  restore(): void {
    this.replace(this.own);
    const { overwritten } = this;
    if (overwritten && "values" in overwritten) noGrad(() => (this.own as Tensor).copy_(overwritten.values));
    this.forgetOverwritten();
  }

  /** Makes what is in the slot the layer's own, for good, and frees the former one. */
  settle(): void {
    if (this.current !== this.own) for (const tensor of tensorsOf(this.own)) tensor.dispose();
    this.own = this.current;
    if (this.overwritten && "values" in this.overwritten) this.forgetOverwritten();
    this.overwritten = undefined;
  }

  /**
   * Gives the layer other values, rounded to its dtype, until `restore` or, with `forGood`, until the end. A tensor is
   * written in place; a weight in another form may not be able to hold them, so a dense one stands in for it.
   */
  overwrite(values: Tensor, { forGood = false } = {}): void {
    const { current } = this;
    if (current instanceof Tensor) {
      if (!forGood) this.overwritten = { values: keep(tidy(() => current.detach().clone())) };
      noGrad(() => current.copy_(values));
      return;
    }
    const standIn = parameter(
      tidy(() => values.detach().to({ dtype: current.dtype }).clone()),
      { requiresGrad: false },
    );
    this.replace(standIn);
    this.overwritten = { standIn };
    if (forGood) this.settle();
  }

  private forgetOverwritten(): void {
    if (this.overwritten) dispose(Object.values(this.overwritten));
    this.overwritten = undefined;
  }
}

/** The tensors that a value is stored in. */
export function tensorsOf(value: SlotValue): Tensor[] {
  return value instanceof Tensor ? [value] : Array.from(value.tensors(), ([, tensor]) => tensor);
}

/** The values as one tensor, which is not to be written to. */
export function denseValue(value: SlotValue): Tensor {
  return value instanceof Tensor ? value : value.dense();
}
